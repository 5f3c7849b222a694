"""What the handlers share, and the forms in which they answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thanosql_server.errors import NotSupported
from thanosql_server.flight.auth import caller_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import pyarrow as pa

    from thanosql_server.callers import Caller
    from thanosql_server.control import Control
    from thanosql_server.flight.ahead import PlansAhead
    from thanosql_server.flight.handles import Running
    from thanosql_server.flight.prepared import PreparedStatements
    from thanosql_server.flight.protocol import Engine
    from thanosql_server.flight.session_store import SessionStore


@dataclass(frozen=True)
class Service:
    """The engine, and the little that the service remembers between calls.

    Attributes:
        engine: plans statements.
        prepared: statements that clients have prepared.
        running: statements that run.
        sessions: what clients have set.
        ahead: plans of statements that were described and wait to be run.
        caller: who makes the call, or stands for nobody between calls.
    """

    engine: Engine
    prepared: PreparedStatements
    running: Running
    sessions: SessionStore
    ahead: PlansAhead
    caller: Caller

    def of(self, context: Any) -> Service:
        """Return the service as the caller of a call sees it."""
        return replace(self, caller=caller_of(context))

    def control(self) -> Control:
        """Return a leash for planning what does not run yet."""
        return self.running.control(self.caller)


@dataclass(frozen=True)
class Described:
    """What GetFlightInfo and GetSchema tell: columns, and the ticket for the rows.

    Attributes:
        schema: the columns.
        ticket: gets the rows.
        act: carries out a statement that returns no rows, and returns how many it
            changed; for GetFlightInfo, which is the last that some clients call.
        keep: keeps the plan for whoever comes for the rows; for GetFlightInfo, too.
    """

    schema: pa.Schema
    ticket: bytes
    act: Callable[[Any], int] | None = None
    keep: Callable[[], None] | None = None


def refuse_transaction(message: Any) -> None:
    """Raise NotSupported if the message belongs to a transaction."""
    if message.transaction_id:
        raise NotSupported(
            "transactions are not supported; every statement commits on its own"
        )
