"""What many searches find, as a table that DataFusion reads: some queries at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads

from thanosql_server.engine.executor import stream
from thanosql_server.engine.provider import wished
from thanosql_server.engine.query import failure, hinted
from thanosql_server.search.nearest import Search
from thanosql_server.search.vectors import as_matrix
from thanosql_server.storage.widths import fitting_rows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from datafusion import DataFrame
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.search.vectors import Matrix
    from thanosql_server.storage.table import Table

    Places = NDArray[np.intp]

Item = TypeVar("Item")

QUERIES = 64
"""Queries searched for at a time: a row's codes are multiplied with all of them."""

MOST_FOUND = 1 << 20
"""Rows found at a time, where k is so large that fewer queries find as many."""


@dataclass
class Incomparable:
    """Counts queries that nothing can be compared with."""

    seen: int = 0
    count: int = 0

    def warn(self, control: Control, consequence: str) -> None:
        """Give the statement one warning for all of them, if there were any."""
        if self.count:
            control.warn(
                f"{self.count} of {self.seen} queries have no vector that can be "
                "compared, and found nothing"
            )


@dataclass
class ManySearches:
    """One call of search_many, understood but not run.

    Attributes:
        planning: of the queries, apart from that of the statement.
        frame: the queries.
        vector: the column of the frame with their vectors.
        dim: numbers per vector.
        table: what is searched.
        column: its column of vectors.
        k: rows for each query.
        schema: columns of the result: those of the queries, of the table, similarity
            and rank.
        given: names of the queries' columns, the first ones of the result.
    """

    planning: Planning
    frame: DataFrame
    vector: str
    dim: int
    table: Table
    column: str
    k: int
    schema: pa.Schema
    given: list[str]

    def __post_init__(self) -> None:
        self.incomparable = Incomparable()

    def describe(self) -> str:
        """Return what EXPLAIN says: the way, and why not another."""
        nearest = self.planning.environment.nearest
        way, reason = nearest.path(self.table, self.column, self.dim)
        because = f" ({reason})" if reason else ""
        return f"search_many {way} k={self.k}, {QUERIES} queries at a time{because}"

    def batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Search, and yield some columns of the result, query by query, best first.

        Raises:
            ThanoSQLError: whatever went wrong with the queries or the searches.
        """
        control = self.planning.root.control
        self.planning.control = control
        found, blocks = 0, _elsewhere(self._queries(control))
        try:
            for block in blocks:
                yield from self._searched(block, names, control)
                found += len(block)
                control.report("searching", found)
        finally:
            blocks.close()

    def _queries(self, control: Control) -> Generator[pa.RecordBatch, None, None]:
        """Yield the queries, `QUERIES` at a time."""
        schema, waiting = self.frame.schema(), None
        at_once = max(1, min(QUERIES, MOST_FOUND // max(self.k, 1)))
        try:
            frame = hinted(
                self.planning, self.frame, self.frame.optimized_logical_plan()
            )
            for batch in stream(frame, schema, control):
                waiting = _joined(waiting, batch)
                while waiting is not None and len(waiting) >= at_once:
                    yield waiting.slice(0, at_once)
                    waiting = waiting.slice(at_once)
        except Exception as error:
            raise failure(self.planning, error) from None
        if waiting is not None and len(waiting):
            yield waiting

    def _searched(
        self, block: pa.RecordBatch, names: list[str], control: Control
    ) -> Iterator[pa.RecordBatch]:
        """Yield what the queries of one block find."""
        vectors, places = self._vectors(block.column(self.vector))
        if not len(vectors):
            return
        ef, exact = wished(control.settings)
        search = Search(self.table, self.column, vectors, self.k, ef=ef, exact=exact)
        hits = self.planning.environment.nearest.find(search, control)
        counts = [len(one.scores) for one in hits]
        which = np.repeat(places, counts)
        ids = np.concatenate([one.ids[: len(one.scores)] for one in hits])
        scores = np.concatenate([one.scores for one in hits]).astype("f4")
        ranks = np.concatenate([np.arange(1, count + 1) for count in counts])
        own = [name for name in names if self._is_own(name)]
        step = fitting_rows(self.table.schema, [*own, self.column])
        for start in range(0, len(ids), step):
            control.check()
            part = slice(start, start + step)
            columns = dict(zip(self.schema.names[-2:], (scores, ranks), strict=True))
            made = {name: pa.array(one[part]) for name, one in columns.items()}
            rows = self.table.take([int(row) for row in ids[part]], own)
            made |= dict(zip(own, rows.columns, strict=True))
            queries = block.take(pa.array(which[part]))
            for name, given in zip(self.schema.names, self.given, strict=False):
                made[name] = queries.column(given)
            # Rows without columns have a count, which only `select` keeps.
            schema = pa.schema([one for one in self.schema if one.name in made])
            arrays = [made[name].cast(schema.field(name).type) for name in schema.names]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema).select(names)

    def _is_own(self, name: str) -> bool:
        """Whether a column of the result is one of the table."""
        return name in self.schema.names[len(self.given) : -2]

    def _vectors(self, column: pa.Array) -> tuple[Matrix, Places]:
        """Return the vectors that can be compared, and which of the rows have them."""
        matrix, there = as_matrix(column, self.dim)
        usable = there & np.isfinite(matrix).all(axis=1) & (matrix != 0).any(axis=1)
        self.incomparable.seen += len(column)
        self.incomparable.count += int((~usable).sum())
        return matrix[usable], np.flatnonzero(usable)


class ManyRows(pads.Dataset):  # type: ignore[misc] # pyarrow has no types
    """What a call of search_many finds; searched anew whenever it is read."""

    def __new__(cls, searches: ManySearches) -> ManyRows:
        """Make the Arrow object below, which takes no arguments."""
        dataset: ManyRows = pads.Dataset.__new__(cls)
        return dataset

    def __init__(self, searches: ManySearches) -> None:
        self._searches = searches

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result."""
        return self._searches.schema

    def get_fragments(self, filter: Any = None) -> list[ManyRows]:
        """Return all of it: rows come in the order of the queries."""
        return [self]

    def scanner(
        self,
        schema: pa.Schema | None = None,
        columns: list[str] | None = None,
        filter: Any = None,
        **_: Any,
    ) -> _Scanner:
        """Return a scan that searches when it is read."""
        names = self.schema.names if columns is None else columns
        return _Scanner(self._searches, names, filter)


@dataclass(frozen=True)
class _Scanner:
    searches: ManySearches
    names: list[str]
    filter: Any

    @property
    def projected_schema(self) -> pa.Schema:
        return pa.schema([self.searches.schema.field(name) for name in self.names])

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Search. DataFusion hands exceptions of Python on as text: it is noted."""
        batches = self._filtered()
        guard = self.searches.planning.guard
        while (batch := guard(lambda: next(batches, None))) is not None:
            yield batch

    def _filtered(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows that pass; a filter counts after the search."""
        if self.filter is None:
            yield from self.searches.batches(self.names)
            return
        named = str(self.filter)
        # A name that merely occurs in the text costs a column, no wrong answer.
        known = self.searches.schema.names
        used = [name for name in known if name in self.names or name in named]
        for batch in self.searches.batches(used):
            yield batch.filter(self.filter).select(self.names)


def _elsewhere(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """Yield the items, made on another thread.

    This one belongs to DataFusion, which starts no query on its own threads.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="queries") as helper:
        try:
            while (item := helper.submit(next, items, None).result()) is not None:
                yield item
        finally:
            helper.submit(items.close).result()


def _joined(
    first: pa.RecordBatch | None, second: pa.RecordBatch | None
) -> pa.RecordBatch | None:
    if first is None or second is None or not len(first):
        return first if second is None else second
    table = pa.Table.from_batches([first, second]).combine_chunks()
    return next(iter(table.to_batches()), None)
