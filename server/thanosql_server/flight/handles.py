"""Statements between the calls of a client: their tickets, and those that run now."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from thanosql_proto.any import pack
from thanosql_proto.flight_sql import TicketStatementQuery
from thanosql_proto.message import DecodeError
from thanosql_proto.thanosql import StatementHandle
from thanosql_server.control import Control
from thanosql_server.errors import InvalidValue, ResourceExhausted

if TYPE_CHECKING:
    from typing import Any

WAIT_SECONDS = 0.02


def new_id() -> str:
    """Return an id that nobody can guess, for cancelling a statement by its id."""
    return secrets.token_hex(12)


@dataclass(frozen=True)
class Statement:
    """One statement as a client sent it; needs nothing that the server remembers.

    Attributes:
        query: the text.
        parameters: an Arrow IPC stream, one row per set of parameters, or nothing.
        id: names the statement when it is to be cancelled.
        acted: whether it was carried out, and nothing but its end is left to tell.
    """

    query: str
    parameters: bytes = b""
    id: str = field(default_factory=new_id)
    acted: bool = False

    def ticket(self) -> bytes:
        """Return the ticket that any server of the workspace can answer."""
        handle = StatementHandle(
            query=self.query,
            parameters=self.parameters,
            statement_id=self.id,
            acted=self.acted,
        )
        data = handle.SerializeToString()
        return pack(TicketStatementQuery(statement_handle=data))

    @classmethod
    def of_ticket(cls, ticket: TicketStatementQuery) -> Statement:
        """Return the statement of a ticket.

        Raises:
            InvalidValue: the ticket is not one of ours.
        """
        try:
            handle = StatementHandle.FromString(ticket.statement_handle)
        except DecodeError:
            raise InvalidValue("the ticket was not made by this server") from None
        id = handle.statement_id or new_id()
        return cls(handle.query, handle.parameters, id, handle.acted)


@dataclass(eq=False)
class Run:
    """One run of a statement; it follows its client and stops when that has gone."""

    id: str
    context: Any
    control: Control = field(default_factory=Control)

    def check(self) -> None:
        """Raise Cancelled if the client has gone or somebody cancelled the run."""
        if self.context.is_cancelled():
            self.control.cancel()
        self.control.check()


class Running:
    """The statements that run now, so that another call can cancel them.

    Runs are held weakly: pyarrow may drop a stream that it never began to read, and
    nothing else would take that run off the list.
    """

    def __init__(self) -> None:
        self._runs: WeakSet[Run] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, statement_id: str, context: Any) -> Run:
        """Return a new run.

        Raises:
            ResourceExhausted: the server is shutting down.
        """
        with self._lock:
            if self._closed:
                raise ResourceExhausted("the server is shutting down")
            run = Run(statement_id, context)
            self._runs.add(run)
            return run

    def finish(self, run: Run) -> None:
        """Take a run off the list."""
        with self._lock:
            self._runs.discard(run)

    def cancel(self, statement_id: str) -> bool:
        """Ask all runs of a statement to stop; return whether there were any."""
        found = [run for run in self._snapshot() if run.id == statement_id]
        for run in found:
            run.control.cancel()
        return bool(found)

    def close(self, grace: float) -> None:
        """Refuse new runs, wait `grace` seconds for the others, then cancel them."""
        with self._lock:
            self._closed = True
        deadline = time.monotonic() + grace
        while self._snapshot() and time.monotonic() < deadline:
            time.sleep(WAIT_SECONDS)
        for run in self._snapshot():
            run.control.cancel()

    def _snapshot(self) -> list[Run]:
        with self._lock:
            return list(self._runs)
