"""The leash of one running statement: cancel, progress, warnings, notes, row count.

Whoever runs the statement holds one `Control`; whoever does long work calls
`check()` between steps and `report()` after them. Nothing here knows about clients.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from thanosql_server.callers import NOBODY_ASKED, Caller
from thanosql_server.errors import Cancelled
from thanosql_server.settings import Settings


@dataclass(frozen=True)
class Progress:
    """How far a statement is: `done` of `total` steps (0 if unknown) of `phase`."""

    phase: str
    done: int
    total: int
    message: str = ""


class Control:
    """Cancel flag, progress and warnings of one statement; safe from any thread.

    Attributes:
        settings: those of the session that the statement belongs to.
        caller: whose statement it is.
        progress: how far it is, if it has said so.
        result_limit: bytes that its rows may have in Arrow's format; 0 for no limit.
        rows_affected: rows it has changed; -1 if not known.
        rows_returned: rows it has handed over so far.
    """

    MAX_WARNINGS = 20
    MAX_NOTES = 20

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        caller: Caller = NOBODY_ASKED,
        timeout: float = 0.0,
        result_limit: int = 0,
    ) -> None:
        self.settings = settings if settings is not None else Settings()
        self.caller = caller
        self._timeout = timeout
        self.result_limit = result_limit
        self._reason = "the statement was cancelled"
        self._cancelled = False
        self._lock = threading.Lock()
        self._warnings: list[str] = []
        self._suppressed = 0
        self._notes: list[str] = []
        self._started = time.monotonic()
        self.progress: Progress | None = None
        self.rows_affected = -1
        self.rows_returned = 0

    @property
    def cancelled(self) -> bool:
        """Whether someone asked the statement to stop, or its time is over."""
        if self._timeout and self.seconds > self._timeout:
            self.cancel(
                f"the statement took longer than the {self._timeout:g} s it may take "
                "(statement_timeout) and was stopped"
            )
        return self._cancelled

    @property
    def seconds(self) -> float:
        """Seconds since the statement began."""
        return time.monotonic() - self._started

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without stopping the statement, oldest first."""
        with self._lock:
            more = f"and {self._suppressed} more warnings"
            return (*self._warnings, *([more] if self._suppressed else []))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is good to know about what was done, oldest first."""
        with self._lock:
            return tuple(self._notes)

    def cancel(self, reason: str = "") -> None:
        """Ask the statement to stop at its next check; the first reason counts."""
        with self._lock:
            if reason and not self._cancelled:
                self._reason = reason
            self._cancelled = True

    def cancellation(self) -> Cancelled:
        """Return the error that says why the statement was stopped."""
        with self._lock:
            return Cancelled(self._reason)

    def restart_clock(self) -> None:
        """Let the statement's time begin now, after it has waited for its turn."""
        self._started = time.monotonic()

    def check(self) -> None:
        """Raise Cancelled if the statement was asked to stop, or its time is over."""
        if self.cancelled:
            raise self.cancellation()

    def report(self, phase: str, done: int, total: int = 0, message: str = "") -> None:
        """Note the progress, and stop here if the statement was cancelled."""
        self.check()
        self.progress = Progress(phase, done, total, message)

    def warn(self, message: str) -> None:
        """Note something that went wrong without stopping the statement."""
        with self._lock:
            if len(self._warnings) < self.MAX_WARNINGS:
                self._warnings.append(message)
            else:
                self._suppressed += 1

    def note(self, message: str) -> None:
        """Note something that is good to know and nothing wrong."""
        with self._lock:
            if len(self._notes) < self.MAX_NOTES:
                self._notes.append(message)
