"""Looks after tables in the background: merges small commits, removes old versions.

Nothing waits for it, and it gives way to whoever changes the same rows. Whatever ends
the process leaves the tables as they were.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled
from thanosql_server.storage.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.storage.workspace import Workspace

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.25
"""Between two looks at the tables, however often they change."""


class TableKeeper:
    """The thread that looks after all tables of a workspace.

    Args:
        workspace: the tables.
        moved: called when rows have got other ids, which indexes want to know.
    """

    def __init__(self, workspace: Workspace, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._control = Control()
        self._upkeep = Upkeep(workspace.schemas, self._control.check)
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Have the tables looked at: one has changed."""
        if self._wanted.is_set():
            return
        self._wanted.set()
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="tables", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Stop, and wait for it; what is half done leaves nothing."""
        with self._lock:
            self._closing.set()
            self._control.cancel()
            thread = self._thread
        self._wanted.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        again: float | None = None
        while not self._closing.is_set():
            self._wanted.wait(again)
            self._wanted.clear()
            again = self._looked()
            self._closing.wait(PAUSE_SECONDS)

    def _looked(self) -> float | None:
        """Look once; return in how many seconds to look again, None for no need."""
        try:
            looked = self._upkeep.look()
        except Cancelled:
            return None
        except Exception:
            logger.exception("the tables could not be looked after")
            return None
        if looked.moved:
            self._moved()
        return looked.again
