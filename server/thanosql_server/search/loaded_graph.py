"""A generation of an index in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from thanosql_server.search.coverage import cover
from thanosql_server.search.graph_rows import GraphRows
from thanosql_server.search.hnsw import Graph

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.search.coverage import Cover
    from thanosql_server.search.measures import Measure
    from thanosql_server.storage.index_records import Generation
    from thanosql_server.storage.table import Table

_COVERS = 4
"""Versions of a table that are searched at the same time."""

_POLL_SECONDS = 0.05


class Loaded:
    """A generation in memory, and what it covers of the versions searched lately."""

    def __init__(self, generation: Generation, graph: Graph, rows: GraphRows) -> None:
        self.generation = generation
        self.graph = graph
        self.rows = rows
        self._lock = threading.Lock()
        self._covers: OrderedDict[tuple[int, str], Cover | None] = OrderedDict()

    @classmethod
    def of(cls, generation: Generation, measure: Measure, m: int) -> Loaded:
        """Read a generation; raises DamagedIndex."""
        generation.check()
        rows = GraphRows.load(generation.folder)
        graph = Graph.load(generation.folder / "graph", generation.dim, measure, m)
        return cls(generation, graph, rows)

    @property
    def bytes(self) -> int:
        """Memory of the graph, and of the rows beside it."""
        covers = tuple(self._covers.values())
        beside = sum(one.bytes for one in covers if one is not None)
        return self.graph.bytes + self.rows.memory + beside

    def cover(self, table: Table, column: str, control: Control) -> Cover | None:
        """Return what it covers of a column; see `coverage.cover`."""
        key = table.version, column
        known = self._covers.get(key)
        if known is not None:
            return known
        while not self._lock.acquire(timeout=_POLL_SECONDS):
            control.check()
        try:
            if key not in self._covers:
                made = cover(
                    table,
                    column,
                    self.generation,
                    self.rows,
                    self.graph.measure,
                    control,
                )
                self._covers[key] = made
                while len(self._covers) > _COVERS:
                    self._covers.popitem(last=False)
            return self._covers[key]
        finally:
            self._lock.release()
