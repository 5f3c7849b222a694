"""Prepared statements: created and closed by actions, bound and run by handle."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_proto.flight_sql import (
    ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult,
    CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate,
    DoPutPreparedStatementResult,
    DoPutUpdateResult,
)
from thanosql_server.errors import UndefinedObject
from thanosql_server.flight.handles import Statement, new_id
from thanosql_server.flight.incoming import columns_of, rows_of
from thanosql_server.flight.parameters import collect
from thanosql_server.flight.service import Described, refuse_transaction
from thanosql_server.flight.statements import describe
from thanosql_server.flight.streams import drain, plan_batches

if TYPE_CHECKING:
    from typing import Any

    from thanosql_server.flight.service import Service

UNUSED_SECONDS = 3600.0
"""How long a prepared statement waits to be used."""


@dataclass(frozen=True)
class Prepared:
    """A prepared statement: its text and the parameters bound to it, if any."""

    query: str
    parameters: bytes = b""
    used: float = field(default_factory=time.monotonic)


class PreparedStatements:
    """The prepared statements of all clients, the longest unused first.

    Clients may forget to close theirs, so the oldest make room for new ones, and all
    end after `seconds` without use.
    """

    def __init__(self, limit: int = 10_000, seconds: float = UNUSED_SECONDS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._statements: OrderedDict[bytes, Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._statements)

    def add(self, query: str) -> bytes:
        """Keep a statement and return its handle."""
        handle = secrets.token_bytes(16)
        with self._lock:
            self._keep(handle, Prepared(query))
        return handle

    def get(self, handle: bytes) -> Prepared:
        """Return a statement, which prolongs its life.

        Raises:
            UndefinedObject: it was closed, or went unused for too long.
        """
        return self._use(handle)

    def bind(self, handle: bytes, parameters: bytes) -> None:
        """Set the parameters of a statement; raises as `get`."""
        self._use(handle, parameters=parameters)

    def close(self, handle: bytes) -> None:
        """Forget a statement; closing it twice is fine."""
        with self._lock:
            self._statements.pop(handle, None)

    def _use(self, handle: bytes, parameters: bytes | None = None) -> Prepared:
        with self._lock:
            prepared = self._statements.get(handle)
            if prepared is None or self._has_ended(prepared):
                raise UndefinedObject(
                    "there is no such prepared statement; it was closed or went "
                    "unused for too long, so prepare it again"
                )
            bound = prepared.parameters if parameters is None else parameters
            used_now = Prepared(prepared.query, bound)
            self._keep(handle, used_now)
            return used_now

    def _keep(self, handle: bytes, prepared: Prepared) -> None:
        self._statements[handle] = prepared
        self._statements.move_to_end(handle)
        while len(self._statements) > self._limit or self._oldest_has_ended():
            self._statements.popitem(last=False)

    def _oldest_has_ended(self) -> bool:
        oldest = next(iter(self._statements.values()), None)
        return oldest is not None and self._has_ended(oldest)

    def _has_ended(self, prepared: Prepared) -> bool:
        return time.monotonic() - prepared.used > self._seconds


# ---- The actions that create and close -------------------------------------


def create(
    service: Service, request: ActionCreatePreparedStatementRequest
) -> ActionCreatePreparedStatementResult:
    """Plan a statement whose parameters are not known yet, and keep it."""
    refuse_transaction(request)
    plan = service.engine.plan(request.query, None, service.control())
    return ActionCreatePreparedStatementResult(
        prepared_statement_handle=service.prepared.add(request.query),
        dataset_schema=_serialized(plan.schema) if plan.returns_rows else b"",
        parameter_schema=_serialized(_bindable(plan.parameters)),
        is_update=not plan.returns_rows,
    )


def _bindable(parameters: pa.Schema) -> pa.Schema:
    """Return the types of parameters, text for those that are not known.

    JDBC converts what it binds to these types, and to the type null nothing but NULL.
    """
    fields = [
        field.with_type(pa.string()) if pa.types.is_null(field.type) else field
        for field in parameters
    ]
    return pa.schema(fields)


def _serialized(schema: pa.Schema) -> bytes:
    return bytes(schema.serialize())


def close(service: Service, request: ActionClosePreparedStatementRequest) -> None:
    """Forget a prepared statement."""
    service.prepared.close(request.prepared_statement_handle)


# ---- Both halves of a query: bind, then describe (DoGet takes the ticket) --


def do_put_prepared_statement_query(
    service: Service,
    context: Any,
    command: CommandPreparedStatementQuery,
    reader: Any,
) -> DoPutPreparedStatementResult:
    """Bind the rows of the stream as parameters."""
    handle = command.prepared_statement_handle
    service.prepared.get(handle)
    columns = columns_of(reader)
    parameters = collect(rows_of(context, reader), columns) if len(columns) else b""
    service.prepared.bind(handle, parameters)
    return DoPutPreparedStatementResult(prepared_statement_handle=handle)


def describe_prepared_statement(
    service: Service, command: CommandPreparedStatementQuery
) -> Described:
    """Return the schema of the result, and a ticket that holds the parameters."""
    prepared = service.prepared.get(command.prepared_statement_handle)
    return describe(service, Statement(prepared.query, prepared.parameters))


# ---- An update -------------------------------------------------------------


def do_put_prepared_statement_update(
    service: Service,
    context: Any,
    command: CommandPreparedStatementUpdate,
    reader: Any,
) -> DoPutUpdateResult:
    """Run the statement once for every row of the stream and add up the counts."""
    prepared = service.prepared.get(command.prepared_statement_handle)
    with service.running.begun(new_id(), context, prepared.query) as run:
        engine, query = service.engine, prepared.query
        # Without parameters, the stream has no columns.
        columns = columns_of(reader)
        if len(columns):
            rows = rows_of(context, reader)
            plan = plan_batches(engine, query, columns, rows, run.control)
        else:
            plan = engine.plan(query, None, run.control)
        return DoPutUpdateResult(record_count=drain(plan, run, service.running))
