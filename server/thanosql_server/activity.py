"""What statements do and did: those that run, and the latest that ended."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import TYPE_CHECKING

from thanosql_server.errors import Cancelled, PermissionDenied

if TYPE_CHECKING:
    from thanosql_server.callers import Caller
    from thanosql_server.control import Control

MAX_TEXT = 10_000
"""Characters of a statement that are kept."""

QUEUED, RUNNING = "queued", "running"
FINISHED, FAILED, CANCELLED = "finished", "failed", "cancelled"


@dataclass(eq=False)
class Entry:
    """One run of one statement.

    Attributes:
        id: names the statement when it is to be cancelled.
        text: the statement, or the beginning of a long one.
        control: its leash.
        state: one of `queued`, `running`, `finished`, `failed`, `cancelled`.
        message: why it failed, "" otherwise.
        started: when it came.
    """

    id: str
    text: str
    control: Control
    state: str = QUEUED
    message: str = ""
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    _seconds: float = -1.0

    @property
    def seconds(self) -> float:
        """How long it runs, or ran."""
        return self.control.seconds if self._seconds < 0 else self._seconds

    @property
    def rows(self) -> int:
        """Rows that it changed, or else that it has handed over."""
        control = self.control
        return max(control.rows_affected, control.rows_returned)

    def end(self, error: BaseException | None) -> None:
        """Note that it has ended, and how."""
        self._seconds = self.control.seconds
        stopped = isinstance(error, (Cancelled, GeneratorExit))
        if error is None:
            self.state = FINISHED
        elif stopped or self.control.cancelled:
            self.state = CANCELLED
        else:
            self.state = FAILED
        if isinstance(error, Exception):
            self.message = str(error)[:MAX_TEXT]


class Activity:
    """All statements that run, and a bounded number of those that have ended."""

    def __init__(self, recent: int = 1_000) -> None:
        self._running: dict[Entry, None] = {}
        self._recent: deque[Entry] = deque(maxlen=recent)
        self._lock = threading.Lock()

    def begin(self, id: str, text: str, control: Control) -> Entry:
        """Note a statement that has come."""
        entry = Entry(id, text[:MAX_TEXT], control)
        with self._lock:
            self._running[entry] = None
        return entry

    def end(self, entry: Entry, error: BaseException | None = None) -> None:
        """Note that a statement has ended; a second time does nothing."""
        with self._lock:
            if entry not in self._running:
                return
            del self._running[entry]
            entry.end(error)
            self._recent.append(entry)

    def entries(self, caller: Caller) -> list[Entry]:
        """Return what a caller may see: an admin everything, others what is theirs."""
        with self._lock:
            known = list(chain(self._running, reversed(self._recent)))
        return [entry for entry in known if caller.owns(entry.control.caller.user)]

    def cancel(self, id: str, caller: Caller) -> bool:
        """Ask all runs of a statement to stop; return whether there were any.

        Raises:
            PermissionDenied: it belongs to another user.
        """
        with self._lock:
            found = [entry for entry in self._running if entry.id == id]
        for entry in found:
            if not caller.owns(entry.control.caller.user):
                raise PermissionDenied(
                    "the statement belongs to another user; an admin can cancel it"
                )
        for entry in found:
            entry.control.cancel()
        return bool(found)
