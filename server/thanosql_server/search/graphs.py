"""The nearest rows of an indexed column, by its graph.

A graph is loaded when the first search wants it, and kept within the memory that
columns are kept in. It answers for any version of the table: what a version has beside
it is compared row by row, what it has no more is left out. Where it cannot give k rows
that are as good as those of a comparison, it gives none, and the caller compares.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thanosql_server.errors import ThanoSQLError
from thanosql_server.search.coverage import Lag, cover
from thanosql_server.search.exact import Found
from thanosql_server.search.graph_rows import LONGEST, SHORTEST, GraphRows, sort_out
from thanosql_server.search.hnsw import Graph, bytes_of
from thanosql_server.search.measures import COSINE, MEASURES
from thanosql_server.search.vectors import dim_of
from thanosql_server.storage.index_files import DamagedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.coverage import Cover
    from thanosql_server.search.graph_making import Made
    from thanosql_server.search.measures import Measure
    from thanosql_server.search.nearest import Search
    from thanosql_server.search.resident import Residents
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.indexes import (
        Definition,
        Generation,
        Index,
        IndexStore,
    )
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Queries = NDArray[np.float32]
    Key = tuple[str, int, str, str]

logger = logging.getLogger(__name__)

FEWEST_PASSING = 0.5
"""A filter that keeps a smaller share of the rows is quicker by the codes."""

MOST_IN_SIGHT = 4096
"""Rows in sight, grown because too few count, beyond which comparing is quicker."""

_DEEP = 0.6
"""Of the rows in sight those beyond this share are found less surely."""

_COVERS = 4
"""Versions of a table that are searched at the same time."""

READY_SECONDS = 0.2
"""For so long a search may not notice that an index was dropped or renewed. Its answer
is right all the same: a generation is never changed."""

_MOST_READY = 16

_UNIT = 1e-7
"""A vector whose length differs from 1 by less is of unit length."""

_POLL_SECONDS = 0.05


class Chosen(NamedTuple):
    """A generation that a search may use, and what it was made for."""

    definition: Definition
    generation: Generation


class _Ready(NamedTuple):
    """What a search of one version of a table needs, if it is still in memory."""

    until: float
    loaded: weakref.ref[Loaded]
    cover: Cover


class Graphs:
    """Finds rows by graphs; safe from any thread.

    Args:
        store: the indexes of the workspace.
        residents: what the memory of graphs is counted in.
        threads: for searches of several vectors.
    """

    def __init__(self, store: IndexStore, residents: Residents, threads: int) -> None:
        self._store = store
        self._residents = residents
        self._threads = threads
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._broken: set[str] = set()
        self._ready: dict[Key, _Ready] = {}
        self.lags: Callable[[], None] = lambda: None
        """Called when an index is found to be behind its table, or damaged."""

    def why_not(
        self, table: Table, column: str, measure: Measure, k: int
    ) -> tuple[Index | None, str | None]:
        """Return the index of a column, and why a search would not use it, if so."""
        found = [
            one for one in self._store.of(table.place) if _is_of(one, table, column)
        ]
        if not found:
            return None, None
        fitting = [one for one in found if one.definition.metric == measure.name]
        if not fitting:
            one = found[0]
            return one, f"is for {one.definition.metric}"
        one = fitting[0]
        return one, self._reason(one, table, column, k)

    def _reason(self, index: Index, table: Table, column: str, k: int) -> str | None:
        generation = index.generation
        if generation is None or generation.identity in self._broken:
            return "is damaged and will be made anew"
        lag = Lag.of(generation, table.fragments(column) or ())
        if lag.too_far:
            return f"lacks {lag.rows_left:,} rows, which are being put in"
        wanted = bytes_of(generation.labels, generation.dim, index.definition.m)
        budget = self._residents.budget
        if wanted > budget:
            return f"takes {wanted:,} bytes, more than search_memory ({budget:,})"
        if 2 * k > lag.rows_covered + lag.rows_left:
            return "finds at most half of the rows"
        return None

    def find(
        self, search: Search, ids: RowIds | None, control: Control
    ) -> list[Found] | None:
        """Return about the k nearest rows for each query.

        Args:
            search: what is searched for.
            ids: the rows that pass its filter, None for all.
            control: of the statement.

        Returns:
            k rows for each query; None where the rows must be compared.

        Raises:
            Cancelled: the statement was cancelled.
        """
        table = search.table
        key = table.place, table.version, search.column, search.measure.name
        ready = self._ready.get(key)
        loaded = ready.loaded() if ready is not None else None
        if ready is None or loaded is None or ready.until < time.monotonic():
            ready, loaded = self._made_ready(key, search, control)
        if ready is None or loaded is None or loaded.graph.dim != search.dim:
            return None
        if ids is None and len(search.queries) == 1:
            found = _quickly(search, loaded, ready.cover)
            if found is not None:
                return [found]
        queries = _prepared(search)
        if queries is None:
            return None
        one = _Finding(search, loaded, ready.cover, ids, queries, self._threads)
        return one.found()

    def _made_ready(
        self, key: Key, search: Search, control: Control
    ) -> tuple[_Ready | None, Loaded | None]:
        """Look up what a search needs; for a moment others need not."""
        self._ready.pop(key, None)
        chosen = self._chosen(search)
        loaded = None if chosen is None else self._loaded(chosen, control)
        if loaded is None:
            return None, None
        covered = loaded.cover(search.table, search.column, control)
        if covered is None:
            self.lags()
            return None, None
        until = time.monotonic() + READY_SECONDS
        ready = _Ready(until, weakref.ref(loaded), covered)
        while len(self._ready) >= _MOST_READY:
            self._ready.pop(next(iter(self._ready)), None)
        self._ready[key] = ready
        return ready, loaded

    def _chosen(self, search: Search) -> Chosen | None:
        for one in self._store.of(search.table.place):
            generation = one.generation
            if one.definition.metric == search.measure.name and _is_of(
                one, search.table, search.column
            ):
                if generation is None or generation.identity in self._broken:
                    self.lags()
                elif generation.dim == search.dim:
                    return Chosen(one.definition, generation)
        return None

    def _loaded(self, chosen: Chosen, control: Control) -> Loaded | None:
        """Return a graph, loading it if need be; of several threads, one loads."""
        key = chosen.generation.identity
        kept = self._residents.other(key)
        if isinstance(kept, Loaded):
            return kept
        with self._alone(key, control):
            kept = self._residents.other(key)
            if isinstance(kept, Loaded):
                return kept
            loaded = self._load(chosen)
            if loaded is None or not self._residents.keep(key, loaded):
                return None
            return loaded

    def _load(self, chosen: Chosen) -> Loaded | None:
        definition, generation = chosen
        wanted = bytes_of(generation.labels, generation.dim, definition.m)
        if wanted > self._residents.budget:
            return None
        try:
            return Loaded.of(generation, MEASURES[definition.metric], definition.m)
        except DamagedIndex as damage:
            if generation.folder.exists():  # and not merely replaced by the next
                logger.warning("index '%s': %s", definition.name, damage)
                self._broken.add(generation.identity)
                self.lags()
        except ThanoSQLError as error:
            logger.warning("index '%s' is not used: %s", definition.name, error)
        return None

    @contextmanager
    def _alone(self, key: str, control: Control) -> Iterator[None]:
        with self._lock:
            lock = self._loading.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_POLL_SECONDS):
            control.check()
        try:
            yield
        finally:
            lock.release()
            with self._lock:
                self._loading.pop(key, None)

    def has_index(self, table: Table) -> bool:
        """Return whether a table has any index."""
        return bool(self._store.of(table.place))

    def is_ready(self, table: Table, column: str, measure: Measure) -> bool:
        """Return whether a search of a column finds all in memory that it needs."""
        ready = self._ready.get((table.place, table.version, column, measure.name))
        return ready is not None and ready.loaded() is not None

    def take(self, place: str, name: str, made: Made) -> None:
        """Keep a graph that was just made, so that it need not be loaded."""
        for one in self._store.of(place):
            generation = one.generation
            if one.definition.name == name and generation is not None:
                if generation.rows == len(made.rows.ids):
                    loaded = Loaded(generation, made.graph, made.rows)
                    self._residents.keep(generation.identity, loaded)
                return

    def forget(self, generation: Generation) -> None:
        """Drop a generation that another has replaced."""
        self._residents.forget(generation.identity)

    def is_broken(self, generation: Generation) -> bool:
        """Return whether a generation was found damaged."""
        return generation.identity in self._broken


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


@dataclass(frozen=True)
class _Finding:
    """One search on its way through a graph."""

    search: Search
    loaded: Loaded
    cover: Cover
    ids: RowIds | None
    queries: Queries
    threads: int

    def found(self) -> list[Found] | None:
        """Return k rows for each query, or None."""
        search, cover = self.search, self.cover
        share, rows = cover.share, cover.rows + len(cover.beside.ids)
        wanted = None
        if self.ids is not None:
            if len(self.ids) < FEWEST_PASSING * rows:
                return None
            wanted = cover.mask(self.ids)
            share *= len(self.ids) / max(rows, 1)
            rows = len(self.ids)
        if 2 * search.k > rows:
            return None
        sight = max(search.ef, 2 * search.k)
        sight = min(int(sight / max(share, 1e-3)), max(MOST_IN_SIGHT, sight))
        most = max(MOST_IN_SIGHT, sight)
        while sight <= most:
            near = self.loaded.graph.nearest(
                self.queries, sight, search.k, self.threads
            )
            if near is None:
                return None
            hits = [self._counted(*one, wanted) for one in zip(*near, strict=True)]
            enough = [hit for hit in hits if hit is not None]
            if len(enough) == len(hits):
                return self._with_rest(enough)
            sight *= 2
        return None

    def _counted(
        self,
        labels: NDArray[np.uint64],
        scores: Scores,
        wanted: NDArray[np.bool_] | None,
    ) -> tuple[RowIds, Scores] | None:
        """Return the first k rows of those found that count; None if too few do."""
        k, rows = self.search.k, self.loaded.rows
        if self.cover.whole and wanted is None and rows.by_vector is not None:
            return rows.by_vector[labels[:k].astype(np.intp)], scores[:k]
        ids, which = rows.of(labels)
        passes = self.cover.passing(ids, wanted)
        if passes is not None:
            ids, which = ids[passes], which[passes]
        everything = len(labels) == len(self.loaded.graph)
        if not everything and (len(ids) < k or which[k - 1] >= _DEEP * len(labels)):
            return None
        return ids[:k], scores[which[:k]]

    def _with_rest(self, hits: Sequence[tuple[RowIds, Scores]]) -> list[Found] | None:
        """Add the rows that the graph has not, and keep the k nearest of both."""
        found = []
        for (ids, scores), query in zip(hits, self.search.queries, strict=True):
            if len(self.cover.beside.ids):
                more = self.cover.beside.best(query, self.search.k, wanted=self.ids)
                ids = np.concatenate([ids, more[0]])
                scores = np.concatenate([scores, more[1]])
            if len(ids) < self.search.k:
                return None
            found.append(_nearest(ids, scores, self.search))
        return found


def _nearest(ids: RowIds, scores: Scores, search: Search) -> Found:
    """Return the k nearest of some rows, those of equal scores in table order."""
    measure = search.measure
    ranks = scores if measure.nearest_is_least else -scores
    order = np.lexsort((ids, ranks))[: search.k]
    return Found(ids[order], scores[order].astype(_numbers(measure)))


def _quickly(search: Search, loaded: Loaded, cover: Cover) -> Found | None:
    """Answer the usual search: one ordinary vector, and no row that must not be found.

    Python's part of a search that takes 0.4 ms must be small.
    """
    by_vector, k = loaded.rows.by_vector, search.k
    if by_vector is None or not cover.whole or 4 * k > len(by_vector):
        return None
    query: Queries = search.queries.astype(np.float32, copy=False)
    (flat,) = query
    with np.errstate(all="ignore"):
        length = math.sqrt(flat.dot(flat))
    if not SHORTEST < length < LONGEST:
        return None
    if search.measure is COSINE and abs(length - 1) > _UNIT:
        query = query / np.float32(length)
    near = loaded.graph.first(query, k, min(max(search.ef, 2 * k), len(by_vector)))
    if near is None:
        return None
    ids, scores = by_vector[near[0]], loaded.graph.scores(near[1])
    if len(cover.beside.ids):
        more = cover.beside.best(search.queries[0], k, float(scores[-1]))
        if len(more[0]):
            ids = np.concatenate([ids, more[0]])
            return _nearest(ids, np.concatenate([scores, more[1]]), search)
    return Found(ids, scores)


def _numbers(measure: Measure) -> type[np.floating]:
    return np.float32 if measure is COSINE else np.float64


def _prepared(search: Search) -> Queries | None:
    """Return the queries as a graph wants them; None if one of them is not for it."""
    there = np.ones(len(search.queries), np.bool_)
    found = sort_out(search.queries, there, search.measure)
    return found.vectors if found.fit.all() else None


def _is_of(index: Index, table: Table, column: str) -> bool:
    return indexed_column(index, table) == column


def indexed_column(index: Index, table: Table) -> str | None:
    """Return what the column of an index is called in a version; None if it is gone.

    A renamed column is known by its number, as long as it has the values that the index
    was made of; a table that was replaced counts its columns anew, and the index
    follows the name.
    """
    definition, schema = index.definition, table.schema
    numbers = table.field_numbers()
    if numbers.get(definition.column) != definition.field and index.generation:
        renamed = [name for name, one in numbers.items() if one == definition.field]
        runs = {run.fragment.number: run.fragment for run in index.generation.runs}
        for name in renamed:
            if name in schema.names and _shares(runs, table.fragments(name)):
                return name if _fits(table, name) else None
    return definition.column if _fits(table, definition.column) else None


def _shares(runs: dict[int, Fragment], fragments: Sequence[Fragment] | None) -> bool:
    return any(
        one.number in runs and runs[one.number].same_values(one)
        for one in fragments or ()
    )


def _fits(table: Table, column: str) -> bool:
    """Return whether a table has such a column, and an index can be made of it."""
    return column in table.schema.names and obstacle(table, column) is None


def obstacle(table: Table, column: str) -> str | None:
    """Return why no index can be made of a column, or None."""
    dtype = table.schema.field(column).type
    if dim_of(dtype) is None:
        return f"holds {dtype}, not vectors of a fixed length, as VECTOR(n) has them"
    if dtype.value_type.bit_width > 32:
        return f"holds {dtype}; an index takes float32 numbers"
    if table.fragments(column) is None:
        return "is stored in a way that an index cannot follow"
    return None
