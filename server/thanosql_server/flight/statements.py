"""Statements without preparation: the standard query and update, and our Execute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto.any import unpack
from thanosql_proto.flight import (
    CancelFlightInfoRequest,
    CancelFlightInfoResult,
    CancelStatus,
)
from thanosql_proto.flight_sql import (
    ActionCancelQueryRequest,
    ActionCancelQueryResult,
    CommandStatementQuery,
    CommandStatementUpdate,
    DoPutUpdateResult,
    TicketStatementQuery,
)
from thanosql_proto.thanosql import (
    CancelStatement,
    CancelStatementResult,
    Completed,
    Execute,
)
from thanosql_server.errors import InvalidValue
from thanosql_server.flight.handles import Statement, new_id
from thanosql_server.flight.incoming import columns_of, rows_of
from thanosql_server.flight.parameters import read_batches
from thanosql_server.flight.service import Described, refuse_transaction
from thanosql_server.flight.streams import (
    Events,
    completed,
    drain,
    plan_batches,
    stream,
)

if TYPE_CHECKING:
    from typing import Any

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.flight.service import Service


# ---- Both halves of a query ------------------------------------------------


def describe_statement(service: Service, command: CommandStatementQuery) -> Described:
    """Return the schema of a query and the ticket that runs it."""
    refuse_transaction(command)
    return describe(service, Statement(command.query))


def describe(service: Service, statement: Statement) -> Described:
    """Plan a statement; a query runs when its ticket comes back.

    Drivers that do not know updates from queries (ADBC before 1.13) send an update this
    way as well, and drop its ticket unread. So it acts in GetFlightInfo, once.
    """
    control = service.control()
    plan = _plan(service, statement, control)
    if plan.returns_rows:

        def keep() -> None:
            service.ahead.keep(statement, plan, control)

        return Described(plan.schema, statement.ticket(), keep=keep)

    def act(context: Any) -> int:
        run = service.running.start(statement.id, context, statement.query)
        return drain(plan, run, service.running)

    ended = Statement("", id=statement.id, acted=True)
    return Described(plan.schema, ended.ticket(), act)


def do_get_statement(
    service: Service, context: Any, ticket: TicketStatementQuery
) -> fl.FlightDataStream:
    """Run the query of a ticket."""
    statement = Statement.of_ticket(ticket)
    if statement.acted:
        return fl.GeneratorStream(pa.schema([]), iter(()))
    with service.running.begun(statement.id, context, statement.query) as run:
        plan = service.ahead.take(statement, run.control)
        if plan is None:
            plan = _plan(service, statement, run.control)
        if not plan.returns_rows:
            raise InvalidValue("the ticket was not made by this server")
        return stream(plan, run, service.running)


def _plan(service: Service, statement: Statement, control: Control) -> Plan:
    if not statement.parameters:
        return service.engine.plan(statement.query, None, control)
    schema, batches = read_batches(statement.parameters)
    rows = iter(batches)
    return plan_batches(service.engine, statement.query, schema, rows, control)


# ---- An update -------------------------------------------------------------


def do_put_statement_update(
    service: Service, context: Any, command: CommandStatementUpdate, reader: Any
) -> DoPutUpdateResult:
    """Run a statement and return how many rows it changed."""
    refuse_transaction(command)
    with service.running.begun(new_id(), context, command.query) as run:
        plan = service.engine.plan(command.query, None, run.control)
        return DoPutUpdateResult(record_count=drain(plan, run, service.running))


# ---- Our own driver: one call for everything -------------------------------


def do_get_execute(
    service: Service, context: Any, execute: Execute
) -> fl.FlightDataStream:
    """Plan, bind and run a statement; its stream ends with a Completed event."""
    statement = Statement(
        execute.query, execute.parameters, execute.statement_id or new_id()
    )
    with service.running.begun(statement.id, context, statement.query) as run:
        plan = _plan(service, statement, run.control)
        events = Events(plan.schema, progress=execute.progress)
        return stream(plan, run, service.running, events=events)


def do_put_execute(
    service: Service, context: Any, execute: Execute, reader: Any
) -> Completed:
    """Run a statement for many sets of parameters, which stream in as rows."""
    own = execute.statement_id or new_id()
    with service.running.begun(own, context, execute.query) as run:
        columns = columns_of(reader)
        rows = rows_of(context, reader, announced_end=True)
        engine = service.engine
        plan = plan_batches(engine, execute.query, columns, rows, run.control)
        drain(plan, run, service.running)
        return completed(run.control)


# ---- Cancel ----------------------------------------------------------------


def cancel_statement(
    service: Service, request: CancelStatement
) -> CancelStatementResult:
    """Stop the statement of an id, the caller's own; an admin may stop any."""
    return CancelStatementResult(found=_cancel(service, request.statement_id))


def cancel_flight_info(
    service: Service, request: CancelFlightInfoRequest
) -> CancelFlightInfoResult:
    """Stop the statement of a FlightInfo."""
    return CancelFlightInfoResult(status=_cancel_info(service, request.info))


def cancel_query(
    service: Service, request: ActionCancelQueryRequest
) -> ActionCancelQueryResult:
    """Stop the statement of a FlightInfo, in the older form; the numbers agree."""
    return ActionCancelQueryResult(result=_cancel_info(service, request.info))


def _cancel_info(service: Service, data: bytes) -> CancelStatus:
    found = [_cancel(service, id) for id in _statement_ids(data)]
    if any(found):
        return CancelStatus.CANCEL_STATUS_CANCELLING
    return CancelStatus.CANCEL_STATUS_NOT_CANCELLABLE


def _cancel(service: Service, id: str) -> bool:
    return service.engine.activity.cancel(id, service.caller)


def _statement_ids(data: bytes) -> list[str]:
    try:
        info = fl.FlightInfo.deserialize(data)
        tickets = [unpack(endpoint.ticket.ticket) for endpoint in info.endpoints]
    except (ValueError, OSError):
        raise InvalidValue("the FlightInfo was not made by this server") from None
    return [
        Statement.of_ticket(ticket).id
        for ticket in tickets
        if isinstance(ticket, TicketStatementQuery)
    ]
