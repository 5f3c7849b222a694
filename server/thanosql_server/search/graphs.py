"""The nearest rows of an indexed column, by its graph.

A graph is loaded when the first search wants it, and kept within the memory that
columns are kept in. It answers for any version of the table: what a version has beside
it is compared row by row, what it has no more is left out. Where it cannot give k rows
that are as good as those of a comparison, it gives none, and the caller compares.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from thanosql_server.errors import ThanoSQLError
from thanosql_server.search.coverage import Lag
from thanosql_server.search.graph_finding import Finding, prepared, quickly
from thanosql_server.search.hnsw import bytes_of
from thanosql_server.search.indexed_columns import is_of
from thanosql_server.search.loaded_graph import Loaded
from thanosql_server.search.measures import MEASURES
from thanosql_server.storage.index_files import DamagedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.coverage import Cover
    from thanosql_server.search.exact import Found
    from thanosql_server.search.graph_making import Made
    from thanosql_server.search.measures import Measure
    from thanosql_server.search.nearest import Search
    from thanosql_server.search.resident import Residents
    from thanosql_server.storage.index_records import Definition, Generation, Index
    from thanosql_server.storage.indexes import IndexStore
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Key = tuple[str, int, str, str]

logger = logging.getLogger(__name__)

READY_SECONDS = 0.2
"""For so long a search may not notice that an index was dropped or renewed. Its answer
is right all the same: a generation is never changed."""

_MOST_READY = 16

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
            one for one in self._store.of(table.place) if is_of(one, table, column)
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
            found = quickly(search, loaded, ready.cover)
            if found is not None:
                return [found]
        queries = prepared(search)
        if queries is None:
            return None
        one = Finding(search, loaded, ready.cover, ids, queries, self._threads)
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
            if one.definition.metric == search.measure.name and is_of(
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
