"""Looks after tables in the background: merges small commits, removes old versions.

Nothing waits for it, and it gives way to whoever changes the same rows. Whatever ends
the process leaves the tables as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.engine.background import Background
from thanosql_server.storage.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.storage.workspace import Workspace

PAUSE_SECONDS = 0.25
"""Between two looks at the tables, however often they change."""


class TableKeeper:
    """The thread that looks after all tables of a workspace.

    Args:
        workspace: the tables.
        moved: called when rows have got other ids, which indexes want to know.
    """

    def __init__(self, workspace: Workspace, moved: Callable[[], None]) -> None:
        control = Control()
        self._moved = moved
        self._upkeep = Upkeep(workspace.schemas, control.check)
        self._thread = Background(
            "tables", self._look, lambda _: PAUSE_SECONDS, control
        )

    def wake(self) -> None:
        """Have the tables looked at: one has changed."""
        self._thread.wake()

    def close(self) -> None:
        """Stop, and wait for it; what is half done leaves nothing."""
        self._thread.close()

    def _look(self) -> float | None:
        """Look once; return in how many seconds to look again, None for no need."""
        looked = self._upkeep.look()
        if looked.moved:
            self._moved()
        return looked.again
