"""The k nearest rows of a table, by the quickest way that finds exactly them.

Where the column has an index (see `graphs`), about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.search.exact import nearest
from thanosql_server.search.filtered import Filtered
from thanosql_server.search.limits import LARGEST_DIM, CodedQuery
from thanosql_server.search.measures import COSINE, Measure
from thanosql_server.search.screen import screen
from thanosql_server.search.vectors import dim_of
from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.compute as pc
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.exact import Found
    from thanosql_server.search.graphs import Graphs
    from thanosql_server.search.int8_product import Int8Product
    from thanosql_server.search.resident import Residents
    from thanosql_server.search.view import View
    from thanosql_server.storage.table import Table

    Queries = NDArray[np.float32] | NDArray[np.float64]
    RowIds = NDArray[np.uint64]
    Positions = NDArray[np.intp]

EF_SEARCH = 128
"""Rows that a search by an index keeps in sight unless told otherwise."""

FEWEST_ROWS = 1000
"""A table with fewer rows is compared as it is read, in a millisecond or two."""

GATHERED_ROWS = 1000
"""Up to so many rows that pass a filter are fetched, if the column is not in memory."""

MOST_QUICK_ROWS = 1 << 20
"""Comparing so many rows that are in memory takes about 25 ms."""

_FETCHED_ROWS = 1024
"""Rows whose vectors are fetched at a time."""

_MOST_FETCHED = 0.05
"""Fetching more than this share of the rows takes longer than reading all of them."""

_FETCHED_MORE = 0.01
"""So much larger is the share for each further query, which all would be compared with:
fetching a row takes 15 microseconds, comparing it with one query 0.2."""


@dataclass(frozen=True)
class Search:
    """What is searched for.

    Attributes:
        table: one version of a table.
        column: its column of vectors.
        queries: m vectors (m, dim).
        k: how many rows for each of them.
        filter: keeps the rows for which it is true.
        measure: how they are compared.
        strict: a row of another length is an error, not without a result.
        ef: rows that a search by an index keeps in sight.
        exact: whether an index must not be used.
    """

    table: Table
    column: str
    queries: Queries
    k: int
    filter: pc.Expression | None = None
    measure: Measure = COSINE
    strict: bool = False
    ef: int = EF_SEARCH
    exact: bool = False

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return int(self.queries.shape[1])


@dataclass(frozen=True)
class Wish:
    """What a search asks for, as far as an index may give it; see `Search`."""

    measure: Measure
    k: int
    ef: int = EF_SEARCH
    exact: bool = False


class Nearest:
    """Finds the nearest rows; safe from any thread."""

    def __init__(
        self, residents: Residents, product: Int8Product, graphs: Graphs | None = None
    ) -> None:
        self._residents = residents
        self._product = product
        self._graphs = graphs
        self._filtered = Filtered()

    def find(self, search: Search, control: Control) -> list[Found]:
        """Return the k nearest rows for each query, as `exact.nearest` does.

        Without an index, rows and scores are those of a comparison with every row.

        Raises:
            Cancelled: the statement was cancelled.
            Conflict: the table was dropped meanwhile.
            InvalidData: a row has another length, if `strict`.
        """
        if search.k == 0:
            return _compared(iter(()), search)
        if search.filter is None:
            return self._among(search, None, control)
        table, column = search.table, search.column
        ids = self._filtered.ids(table, column, search.filter, control)
        known = self._residents.has(table, column, search.dim)
        if len(ids) <= (2 * search.k if known else GATHERED_ROWS):
            return _compared(_fetched(search, ids, control), search)
        return self._among(search, ids, control)

    def is_quick(self, search: Search) -> bool:
        """Return whether a search takes no longer than a few milliseconds.

        It does not if it has anything to read first, or a filter to run.
        """
        if search.filter is not None:
            return False
        table, column, graphs = search.table, search.column, self._graphs
        if graphs is not None and graphs.is_ready(table, column, search.measure):
            return not search.exact
        few = table.count_rows() <= MOST_QUICK_ROWS
        return few and self._residents.is_current(table, column, search.dim)

    def path(
        self, table: Table, column: str, dim: int | None, wish: Wish | None = None
    ) -> tuple[str, str | None]:
        """Return how a column would be searched, and why not quicker."""
        if self._graphs is not None and wish is not None and dim is not None:
            index, why = self._graphs.why_not(table, column, wish.measure, wish.k)
            if index is not None:
                name = f"index '{index.definition.name}'"
                if not wish.exact and why is None:
                    return f"hnsw ef={max(wish.ef, 2 * wish.k)}", name
                why = "is not asked" if wish.exact else why
                return self.path(table, column, dim)[0], f"{name} {why}"
        reason = self._obstacle(table, column, dim)
        return ("exact int8", None) if reason is None else ("full scan", reason)

    def _obstacle(self, table: Table, column: str, dim: int | None) -> str | None:
        dtype = table.schema.field(column).type
        if dim is None or dim_of(dtype) is None:
            return "the vectors are no lists of a fixed size"
        if dim_of(dtype) != dim:
            return "the vectors have another length than what is searched for"
        if dim > LARGEST_DIM:
            return f"the vectors have more than {LARGEST_DIM:,} numbers"
        if pa.types.is_float64(dtype.value_type):
            return "the vectors are float64 numbers"
        if table.count_rows() < FEWEST_ROWS:
            return f"the table has fewer than {FEWEST_ROWS:,} rows"
        refusal = self._residents.refusal(table, column, dim)
        if refusal is None and not self._product.available:
            return "numkong has no exact product of bytes here"
        return refusal

    def _among(
        self, search: Search, ids: RowIds | None, control: Control
    ) -> list[Found]:
        """Search the rows `ids`, or all."""
        if self._graphs is not None and not search.exact:
            by_index = self._graphs.find(search, ids, control)
            if by_index is not None:
                return by_index
        coded = [CodedQuery.of(query, search.measure) for query in search.queries]
        queries = [query for query in coded if query is not None]
        table, column = search.table, search.column
        if len(queries) < len(coded) or self._obstacle(table, column, search.dim):
            return _compared(_all(search, control), search)
        view = self._residents.view(table, column, search.dim, control)
        if view is None or search.k > view.rows // 2:
            return _compared(_all(search, control), search)
        wanted = None
        if ids is not None:
            wanted = self._filtered.mask(ids, view)
        return self._screened(search, view, wanted, queries, control)

    def _screened(
        self,
        search: Search,
        view: View,
        wanted: NDArray[np.bool_] | None,
        queries: Sequence[CodedQuery],
        control: Control,
    ) -> list[Found]:
        directed = search.measure is COSINE
        stretches = view.stretches(wanted, directed=directed)
        hits = screen(stretches, queries, search.k, self._product, control)
        union = np.unique(np.concatenate(hits)) if len(hits) > 1 else hits[0]
        most = min(_MOST_FETCHED + _FETCHED_MORE * (len(hits) - 1), 1) * view.rows
        if len(union) > max(most, _FETCHED_ROWS):
            # Many rows are alike; reading all of them in order is quicker.
            return _compared(_all(search, control), search)
        fetched = _candidates(search, view, union, control)
        own = [np.searchsorted(union, one) for one in hits] if len(hits) > 1 else None
        found = _compared(fetched, search, own)
        if all(len(one.ids) == search.k for one in found):
            return found
        lacking = view.without(wanted, search.k, directed=directed)
        return [one.filled(lacking, search.k) for one in found]


def _compared(
    batches: Iterator[pa.RecordBatch],
    search: Search,
    among: Sequence[Positions] | None = None,
) -> list[Found]:
    return nearest(
        batches,
        search.column,
        ROW_ID,
        search.queries,
        search.k,
        search.measure,
        strict=search.strict,
        among=among,
    )


def _all(search: Search, control: Control) -> Iterator[pa.RecordBatch]:
    """Read the vectors of all rows that pass the filter, in table order."""
    for batch in search.table.scan([search.column], search.filter, row_ids=True):
        control.check()
        yield batch


def _candidates(
    search: Search, view: View, positions: Positions, control: Control
) -> Iterator[pa.RecordBatch]:
    """Read the vectors at some positions of a column in memory."""
    for at in range(0, len(positions), _FETCHED_ROWS):
        control.check()
        some = positions[at : at + _FETCHED_ROWS]
        ids, matrix = view.ids(some), view.vectors(some)
        if matrix is None:
            yield from _fetched(search, ids, control)
            continue
        numbers = pa.array(matrix.ravel())
        vectors = pa.FixedSizeListArray.from_arrays(numbers, search.dim)
        names = [search.column, ROW_ID]
        yield pa.RecordBatch.from_arrays([vectors, pa.array(ids)], names)


def _fetched(search: Search, ids: RowIds, control: Control) -> Iterator[pa.RecordBatch]:
    """Fetch the vectors of some rows."""
    for at in range(0, len(ids), _FETCHED_ROWS):
        control.check()
        some = ids[at : at + _FETCHED_ROWS]
        batch = search.table.take([int(row) for row in some], [search.column])
        yield batch.append_column(ROW_ID, pa.array(some))
