"""Renews indexes in the background, one at a time, when their tables have changed.

Nothing waits for it: a search compares what an index lacks. Whatever ends the process
leaves the index as it was.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.engine.background import Background
from thanosql_server.errors import Cancelled, Conflict, UndefinedObject, UndefinedTable
from thanosql_server.search.coverage import Lag
from thanosql_server.search.graph_making import Made, Maker
from thanosql_server.search.indexed_columns import indexed_column
from thanosql_server.storage.index_files import DamagedIndex

if TYPE_CHECKING:
    from thanosql_server.search.graphs import Graphs
    from thanosql_server.storage.index_records import Generation, Index
    from thanosql_server.storage.table import Table
    from thanosql_server.storage.workspace import Workspace

logger = logging.getLogger(__name__)

FEWEST_PENDING, SHARE_PENDING = 1000, 100
"""So many rows, or one of so many indexed, are put in together."""

PAUSE_SECONDS = 0.1
"""Between two looks at the indexes, however often tables change."""

RETRY_SECONDS = 2.0
"""After which an index is looked at again that somebody else was at."""

MOST_GONE = 0.3
"""Of an index's rows; one of which more are gone is renewed."""


class IndexKeeper:
    """The thread that looks after all indexes of a workspace.

    Args:
        workspace: the tables and their indexes.
        graphs: what searches them.
        threads: that put in vectors.
        budget: bytes that a graph may take.
    """

    def __init__(
        self, workspace: Workspace, graphs: Graphs, threads: int, budget: int
    ) -> None:
        self._workspace = workspace
        self._graphs = graphs
        self._threads = threads
        self._budget = budget
        self._control = Control()
        self._thread = Background(
            "indexes", self._look, lambda _: PAUSE_SECONDS, self._control
        )
        self._failed: dict[str, int] = {}
        self._again: float | None = None

    def wake(self) -> None:
        """Have the indexes looked at: a table has changed."""
        self._thread.wake()

    def close(self) -> None:
        """Stop, and wait for it; what is half done leaves nothing."""
        self._thread.close()

    def _look(self) -> float | None:
        self._again = None
        for index in self._workspace.indexes.all():
            self._control.check()
            self._tend(index)
        return self._again

    def _tend(self, index: Index) -> None:
        """Renew one index if it wants it."""
        name = index.definition.name
        try:
            space = self._workspace.schemas.open(index.schema)
            table = space.tables.open(index.table)
            if self._failed.get(name) == table.version:
                return
            column = indexed_column(index, table)
            if column is None:
                self._workspace.indexes.drop(index)
                logger.info("index '%s' is dropped: its column is gone", name)
            elif self._wants(index, table, column):
                self._renew(index, table, column)
        except (Conflict, UndefinedObject, UndefinedTable) as meanwhile:
            self._again = RETRY_SECONDS
            logger.debug("index '%s': %s", name, meanwhile)
        except Cancelled:
            raise
        except Exception:
            self._failed[name] = table.version
            logger.exception("index '%s' could not be renewed", name)

    def _wants(self, index: Index, table: Table, column: str) -> bool:
        generation = index.generation
        if generation is None or self._graphs.is_broken(generation):
            return True
        lag = Lag.of(generation, table.fragments(column) or ())
        few = max(FEWEST_PENDING, lag.rows_covered // SHARE_PENDING)
        there = table.count_rows() - lag.rows_left
        gone = generation.rows - there
        return lag.rows_left >= few or gone > max(
            FEWEST_PENDING, MOST_GONE * generation.rows
        )

    def _renew(self, index: Index, table: Table, column: str) -> None:
        number = table.field_numbers()[column]
        asked = replace(index.definition, column=column, field=number)
        maker = Maker(table, column, asked, self._threads, self._budget, self._control)
        store = self._workspace.indexes
        with store.held(index):
            made = self._made(maker, index.generation)
            store.renew(index, asked, made.write)
        self._graphs.take(index.place, asked.name, made)
        if index.generation is not None:
            self._graphs.forget(index.generation)

    def _made(self, maker: Maker, last: Generation | None) -> Made:
        if last is not None and not self._graphs.is_broken(last):
            try:
                return maker.after(last)
            except DamagedIndex as damage:
                name = maker.definition.name
                logger.warning("index '%s' is made anew: %s", name, damage)
        return maker.anew()
