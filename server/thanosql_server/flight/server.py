"""The Flight SQL service: tables from message to handler, and the RPC methods.

Each RPC unpacks its message, looks up the handler and runs it inside `border`, so
that whatever goes wrong reaches the client as one sentence with a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto import flight as bare
from thanosql_proto import flight_sql as fsql
from thanosql_proto import thanosql as own
from thanosql_proto.any import pack, unpack
from thanosql_proto.message import DecodeError, Message
from thanosql_server.callers import NOBODY_ASKED
from thanosql_server.errors import InvalidValue, NotSupported
from thanosql_server.flight import ingest, metadata, prepared, sessions, statements
from thanosql_server.flight.ahead import PlansAhead
from thanosql_server.flight.auth import Handshake, middleware
from thanosql_server.flight.gate import Gate
from thanosql_server.flight.handles import Running
from thanosql_server.flight.prepared import PreparedStatements
from thanosql_server.flight.service import Described, Service
from thanosql_server.flight.session_store import SessionStore
from thanosql_server.flight.status import border, keep_tracebacks_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from thanosql_server.config import Config
    from thanosql_server.flight.protocol import Engine

    Describe: TypeAlias = Callable[[Service, Any], Described]
    DoGet: TypeAlias = Callable[[Service, Any, Any], fl.FlightDataStream]
    DoPut: TypeAlias = Callable[[Service, Any, Any, Any], Message]

DESCRIBE: dict[type[Message], Describe] = {
    fsql.CommandStatementQuery: statements.describe_statement,
    fsql.CommandPreparedStatementQuery: prepared.describe_prepared_statement,
    fsql.CommandGetSqlInfo: metadata.describe_sql_info,
    **dict.fromkeys(metadata.LISTINGS, metadata.describe_listing),
}
"""GetFlightInfo and GetSchema, by the command in the descriptor."""

DO_GET: dict[type[Message], DoGet] = {
    own.Execute: statements.do_get_execute,
    fsql.TicketStatementQuery: statements.do_get_statement,
    fsql.CommandGetSqlInfo: metadata.do_get_sql_info,
    **dict.fromkeys(metadata.LISTINGS, metadata.do_get_listing),
}
"""DoGet, by the message in the ticket."""

DO_PUT: dict[type[Message], DoPut] = {
    own.Execute: statements.do_put_execute,
    fsql.CommandStatementUpdate: statements.do_put_statement_update,
    fsql.CommandPreparedStatementQuery: prepared.do_put_prepared_statement_query,
    fsql.CommandPreparedStatementUpdate: prepared.do_put_prepared_statement_update,
    fsql.CommandStatementIngest: ingest.do_put_ingest,
}
"""DoPut, by the command in the descriptor; the result travels bare."""


@dataclass(frozen=True)
class Action:
    """An action: what it is for, its request, its handler, whether packed as Any."""

    description: str
    request: type[Message]
    handle: Callable[[Service, Any], Message | None]
    packed: bool = True


ACTIONS: dict[str, Action] = {
    "CreatePreparedStatement": Action(
        "Prepare a statement.",
        fsql.ActionCreatePreparedStatementRequest,
        prepared.create,
    ),
    "ClosePreparedStatement": Action(
        "Forget a prepared statement.",
        fsql.ActionClosePreparedStatementRequest,
        prepared.close,
    ),
    "CancelFlightInfo": Action(
        "Stop the statement of a FlightInfo.",
        bare.CancelFlightInfoRequest,
        statements.cancel_flight_info,
        packed=False,
    ),
    "CancelQuery": Action(
        "Stop the statement of a FlightInfo (the older form).",
        fsql.ActionCancelQueryRequest,
        statements.cancel_query,
    ),
    "CancelStatement": Action(
        "Stop the statement of an id.",
        own.CancelStatement,
        statements.cancel_statement,
    ),
    "SetSessionOptions": Action(
        "Set catalog and schema.",
        bare.SetSessionOptionsRequest,
        sessions.set_session_options,
        packed=False,
    ),
    "GetSessionOptions": Action(
        "Tell catalog and schema.",
        bare.GetSessionOptionsRequest,
        sessions.get_session_options,
        packed=False,
    ),
    "CloseSession": Action(
        "End a session.",
        bare.CloseSessionRequest,
        sessions.close_session,
        packed=False,
    ),
}
"""DoAction and ListActions, by the type of the action."""

_NO_TRANSACTIONS = "transactions are not supported; every statement commits on its own"
_NO_SUBSTRAIT = "Substrait plans are not supported; send SQL"

NOT_SUPPORTED = {
    "BeginTransaction": _NO_TRANSACTIONS,
    "EndTransaction": _NO_TRANSACTIONS,
    "BeginSavepoint": _NO_TRANSACTIONS,
    "EndSavepoint": _NO_TRANSACTIONS,
    "CreatePreparedSubstraitPlan": _NO_SUBSTRAIT,
    "CommandStatementSubstraitPlan": _NO_SUBSTRAIT,
    "RenewFlightEndpoint": "endpoints do not expire and cannot be renewed",
}
"""What clients may ask for although the server does not advertise it."""


class FlightSqlServer(fl.FlightServerBase):  # type: ignore[misc] # pyarrow is not typed
    """Serves an engine to Flight SQL clients; listens as soon as it is made.

    Attributes:
        location: where clients reach it, with the port that was chosen.
        port: that port.
    """

    def __init__(self, engine: Engine, config: Config) -> None:
        keep_tracebacks_home()
        sessions = SessionStore(config.limits)
        running = Running(engine.activity, sessions, config.limits)
        self._service = Service(
            engine,
            PreparedStatements(),
            running,
            sessions,
            PlansAhead(),
            NOBODY_ASKED,
        )
        gate = Gate(config)
        try:
            super().__init__(
                config.location,
                auth_handler=Handshake(gate),
                tls_certificates=[config.tls] if config.tls else None,
                verify_client=config.tls_client_ca is not None,
                root_certificates=config.tls_client_ca,
                middleware=middleware(gate),
            )
        except (pa.ArrowException, OSError):
            tls = ", or the TLS certificate or its key unusable" if config.tls else ""
            raise InvalidValue(
                f"the server cannot listen at '{config.location}'; is the port taken, "
                f"or the address not one of this machine{tls}?"
            ) from None
        self.location = _with_port(config.location, self.port)

    def shutdown(self, grace: float = 0.0) -> None:
        """Stop: refuse new statements, give running ones `grace` seconds, end them.

        Returns when the last call has been answered. A second call does nothing.
        """
        self._service.running.close(grace)
        self._service.ahead.clear()
        # The base class's shutdown may run once only; its exit may run again.
        super().__exit__(None, None, None)

    def __exit__(self, *exc: object) -> None:
        self.shutdown()

    # ---- RPC methods, called by pyarrow ------------------------------------

    def get_flight_info(
        self, context: Any, descriptor: fl.FlightDescriptor
    ) -> fl.FlightInfo:
        """Describe the rows of a command and hand out a ticket for them."""
        with border(context):
            described = self._describe(context, descriptor)
            count = described.act(context) if described.act else -1
            if described.keep:
                described.keep()
        # No location means: this connection.
        endpoint = fl.FlightEndpoint(described.ticket, [])
        return fl.FlightInfo(described.schema, descriptor, [endpoint], count, -1)

    def get_schema(
        self, context: Any, descriptor: fl.FlightDescriptor
    ) -> fl.SchemaResult:
        """Describe the rows of a command."""
        with border(context):
            return fl.SchemaResult(self._describe(context, descriptor).schema)

    def _describe(self, context: Any, descriptor: fl.FlightDescriptor) -> Described:
        command = _command(descriptor)
        describe: Describe = _look_up(DESCRIBE, command)
        return describe(self._service.of(context), command)

    def do_get(self, context: Any, ticket: fl.Ticket) -> fl.FlightDataStream:
        """Stream the rows of a ticket."""
        with border(context):
            message = _unpack(ticket.ticket)
            handle: DoGet = _look_up(DO_GET, message)
            return handle(self._service.of(context), context, message)

    def do_put(
        self, context: Any, descriptor: fl.FlightDescriptor, reader: Any, writer: Any
    ) -> None:
        """Take the rows of a command and answer with one message."""
        with border(context):
            command = _command(descriptor)
            handle = _look_up(DO_PUT, command)
            result = handle(self._service.of(context), context, command, reader)
            writer.write(result.SerializeToString())

    def do_action(self, context: Any, action: fl.Action) -> list[bytes]:
        """Run an action."""
        with border(context):
            known = ACTIONS.get(action.type)
            if known is None:
                raise _not_supported(action.type)
            request = _request(known, bytes(action.body))
            result = known.handle(self._service.of(context), request)
            if result is None:
                return []
            return [pack(result) if known.packed else result.SerializeToString()]

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """Name the actions."""
        return [(name, action.description) for name, action in ACTIONS.items()]

    def list_flights(self, context: Any, criteria: bytes) -> Iterator[fl.FlightInfo]:
        """List nothing: Flight SQL has commands for that."""
        return iter(())

    def do_exchange(
        self, context: Any, descriptor: fl.FlightDescriptor, reader: Any, writer: Any
    ) -> None:
        """Refuse: Flight SQL does not use it."""
        with border(context):
            raise NotSupported("DoExchange is not supported")


def _command(descriptor: fl.FlightDescriptor) -> Message:
    if descriptor.descriptor_type != fl.DescriptorType.CMD:
        raise InvalidValue("the descriptor must hold a Flight SQL command, not a path")
    return _unpack(descriptor.command)


def _unpack(data: bytes) -> Message:
    try:
        return unpack(data)
    except ValueError as error:
        raise InvalidValue(f"this is not Flight SQL: {error}") from None


def _request(action: Action, body: bytes) -> Message:
    if not action.packed:
        try:
            return action.request.FromString(body)
        except DecodeError:
            raise InvalidValue(f"the body is not {action.request.__name__}") from None
    request = _unpack(body)
    if not isinstance(request, action.request):
        raise InvalidValue(
            f"the body is {type(request).__name__}, not {action.request.__name__}"
        )
    return request


def _look_up(table: dict[type[Message], Any], message: Message) -> Any:
    handler = table.get(type(message))
    if handler is None:
        raise _not_supported(type(message).__name__)
    return handler


def _not_supported(name: str) -> NotSupported:
    return NotSupported(NOT_SUPPORTED.get(name, f"'{name}' is not supported here"))


def _with_port(location: str, port: int) -> str:
    """Return the location with the real port in place of 0."""
    parts = urlsplit(location)
    if not parts.hostname:
        return location  # a Unix socket
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
