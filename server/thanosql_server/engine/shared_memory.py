"""Statements that run out of the memory that all share: when it is worth another try.

DataFusion's pool gives memory to whoever comes first; nobody who holds some must give
it back for another. So a statement that finds none waits until another one has ended.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from thanosql_server.control import Control

PATIENCE = 30.0
"""Seconds for which a statement waits for others to end."""

PAUSE = 0.1
"""Seconds between two looks."""


@dataclass
class Use:
    """One attempt of a statement.

    Attributes:
        alone: whether no other used the pool meanwhile; True until one does.
    """

    alone: bool


class SharedMemory:
    """Who uses the pool at the moment; safe from any thread.

    Attributes:
        turn: held by the one statement that waits for memory and is tried next.
        ended: how many uses have ended otherwise than for want of memory.
    """

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.ended = 0
        self._lock = threading.Lock()
        self._uses: list[Use] = []

    @property
    def idle(self) -> bool:
        """Whether nobody uses the pool."""
        return not self._uses

    @contextmanager
    def used(self) -> Iterator[Use]:
        """Count as one who uses the pool."""
        use = Use(alone=True)
        with self._lock:
            self._uses.append(use)
            if len(self._uses) > 1:
                for one in self._uses:
                    one.alone = False
        wanting = 0
        try:
            yield use
        except OutOfMemory:
            wanting = 1
            raise
        finally:
            with self._lock:
                self._uses.remove(use)
                self.ended += 1 - wanting


class Waiting:
    """A statement that may have to wait for memory; others that do wait behind it."""

    def __init__(self, shared: SharedMemory, control: Control) -> None:
        self._shared = shared
        self._control = control
        self._until = 0.0
        self._held = False

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._shared.turn.release()

    def freed(self) -> Generator[None, None, bool]:
        """Yield None until others have given memory back; return whether they have."""
        shared = self._shared
        self._until = self._until or time.monotonic() + PATIENCE
        ended = shared.ended
        while time.monotonic() < self._until:
            self._control.check()
            self._held = self._held or shared.turn.acquire(blocking=False)
            if self._held and (shared.idle or shared.ended > ended):
                return True
            yield None
            time.sleep(PAUSE)
        return False
