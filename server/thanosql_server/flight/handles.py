"""Statements between the calls of a client: their tickets, and those that run now."""

from __future__ import annotations

import re
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet, finalize

from thanosql_proto.any import pack
from thanosql_proto.flight_sql import TicketStatementQuery
from thanosql_proto.message import DecodeError
from thanosql_proto.thanosql import StatementHandle
from thanosql_server.activity import RUNNING, Activity, Entry
from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidValue, ShuttingDown
from thanosql_server.flight.auth import caller_of
from thanosql_server.flight.turns import Turns
from thanosql_server.settings import RESULT_LIMIT, STATEMENT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from thanosql_server.callers import Caller
    from thanosql_server.config import Limits
    from thanosql_server.flight.session_store import SessionStore

WAIT_SECONDS = 0.02

LOOK_SECONDS = 0.02
"""How often a run looks after its client, at most: gRPC reads its sockets for an
answer, which takes 0.1 ms and the interpreter with it."""

_AT_ONCE = re.compile(r"\s*(SHOW|SET|RESET|CANCEL)\b", re.IGNORECASE)
"""Statements that do little and may be what helps when the server is full."""


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
    """One run of a statement; it follows its client and stops when that has gone.

    Attributes:
        id: names the statement when it is to be cancelled.
        context: pyarrow's, of the call.
        control: its leash.
        end: notes that it has ended, and the error it ended with, if any.
        looked: when it last looked after its client.
    """

    id: str
    context: Any
    control: Control
    end: Callable[[BaseException | None], None] = field(repr=False)
    looked: float = field(default_factory=time.monotonic, repr=False)

    def check(self) -> None:
        """Raise Cancelled if the client has gone or somebody cancelled the run.

        A client that has gone is noticed after 20 ms.
        """
        now = time.monotonic()
        if now - self.looked >= LOOK_SECONDS:
            self.looked = now
            if self.context.is_cancelled():
                self.control.cancel()
        self.control.check()


class Running:
    """The statements that run now, so that another call can cancel them.

    Runs are held weakly: pyarrow may drop a stream that it never began to read, and
    nothing else would take that run off the list.

    Args:
        activity: where others see what runs.
        sessions: of the clients.
        limits: how much may run, and for how long.
    """

    def __init__(
        self, activity: Activity, sessions: SessionStore, limits: Limits
    ) -> None:
        self._activity = activity
        self._sessions = sessions
        self._timeout = limits.statement_timeout
        self._result_limit = limits.max_result_bytes
        self._turns = Turns(limits)
        self._runs: WeakSet[Run] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._snapshot())

    def control(self, caller: Caller) -> Control:
        """Return a leash with the settings of the caller's session.

        Raises:
            SessionEnded: the session went unused for too long.
        """
        settings = self._sessions.settings(caller)
        given = (self._timeout, settings.number(STATEMENT_TIMEOUT))
        timeout = min((seconds for seconds in given if seconds), default=0.0)
        sizes = (self._result_limit, settings.integer(RESULT_LIMIT))
        result_limit = min((size for size in sizes if size), default=0)
        return Control(
            settings, caller=caller, timeout=timeout, result_limit=result_limit
        )

    @contextmanager
    def begun(self, statement_id: str, context: Any, text: str = "") -> Iterator[Run]:
        """Give a new run to the block, and end it if the block raises; see `start`."""
        run = self.start(statement_id, context, text)
        try:
            yield run
        except BaseException as error:
            run.end(error)
            raise

    def start(self, statement_id: str, context: Any, text: str = "") -> Run:
        """Return a new run as soon as it is its turn.

        Args:
            statement_id: names it when it is to be cancelled.
            context: pyarrow's, of the call.
            text: of the statement, for those who look at what runs.

        Raises:
            ShuttingDown: the server is shutting down.
            TooManyStatements: too many run and wait.
            Cancelled: it was cancelled, or its client went away, while it waited.
        """
        control = self.control(caller_of(context))
        entry = self._activity.begin(statement_id, text, control)
        turns = None if _AT_ONCE.match(text) else self._turns
        try:
            self._wait(turns, control, context)
        except BaseException as error:
            self._activity.end(entry, error)
            raise
        return self._run(context, entry, turns)

    def _wait(self, turns: Turns | None, control: Control, context: Any) -> None:
        def check() -> None:
            self._check_open()
            if context.is_cancelled():
                control.cancel()
            control.check()

        self._check_open()
        if turns is not None:
            turns.take(check)

    def _check_open(self) -> None:
        if self._closed:
            raise ShuttingDown("the server is shutting down")

    def _run(self, context: Any, entry: Entry, turns: Turns | None) -> Run:
        def end(error: BaseException | None) -> None:
            self._activity.end(entry, error)
            self._sessions.touch(entry.control.caller)
            drop()

        entry.state = RUNNING
        entry.control.restart_clock()
        run = Run(entry.id, context, entry.control, end)
        drop = finalize(run, _drop, self._activity, entry, turns)
        drop.atexit = False
        with self._lock:
            self._runs.add(run)
        return run

    def finish(self, run: Run, error: BaseException | None = None) -> None:
        """Take a run off the list."""
        with self._lock:
            self._runs.discard(run)
        run.end(error)

    def close(self, grace: float) -> None:
        """Refuse new runs, wait `grace` seconds for the others, then cancel them."""
        with self._lock:
            self._closed = True
        deadline = time.monotonic() + grace
        while self._snapshot() and time.monotonic() < deadline:
            time.sleep(WAIT_SECONDS)
        for run in self._snapshot():
            run.control.cancel("the server is shutting down and stopped the statement")

    def _snapshot(self) -> list[Run]:
        with self._lock:
            return list(self._runs)


def _drop(activity: Activity, entry: Entry, turns: Turns | None) -> None:
    """Let go of a run, whether it has ended or was dropped unread."""
    activity.end(entry, Cancelled("the client did not read the rows"))
    if turns is not None:
        turns.give_back()
