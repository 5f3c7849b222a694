"""So many statements at a time; the others wait in line, and not too many of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from thanosql_server.errors import TooManyStatements

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.config import Limits

LOOK_SECONDS = 0.05
"""How often whoever waits looks after its client."""


class Turns:
    """Lets statements run, first come first served; safe from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """How many run."""
        return self._taken

    def take(self, check: Callable[[], None]) -> None:
        """Return when it is the caller's turn; `give_back` ends it.

        Args:
            check: called while waiting; may raise to leave the line.

        Raises:
            TooManyStatements: the line is full, or did not move in time.
        """
        with self._changed:
            if not self._line and self._taken < self._limits.max_statements:
                self._taken += 1
                return
            if len(self._line) >= self._limits.max_queue:
                raise self._refusal()
            self._wait(check)

    def _wait(self, check: Callable[[], None]) -> None:
        """Wait in line; the caller holds the lock, which waiting gives up."""
        place = object()
        self._line.append(place)
        deadline = time.monotonic() + self._limits.queue_seconds
        try:
            while (
                self._line[0] is not place or self._taken >= self._limits.max_statements
            ):
                if time.monotonic() > deadline:
                    raise self._refusal()
                self._changed.wait(LOOK_SECONDS)
                check()
            self._taken += 1
        finally:
            self._line.remove(place)
            self._changed.notify_all()

    def _refusal(self) -> TooManyStatements:
        return TooManyStatements(
            f"the server runs {self._taken} statements, as many as it may, and "
            f"{len(self._line)} wait; try again later"
        )

    def give_back(self) -> None:
        """Let the next one run."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()
