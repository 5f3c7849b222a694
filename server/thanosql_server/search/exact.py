"""Exact comparison: every vector is compared, in one pass, in bounded memory.

What is found here is what a search finds, whichever way it goes (see `nearest`).

A row without a vector, or with one that cannot be compared (see `measures`), has no
result and ranks behind all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.errors import InvalidData
from thanosql_server.search.measures import COSINE, Measure
from thanosql_server.search.vectors import as_matrix, lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float32] | NDArray[np.float64]
    Mask = NDArray[np.bool_]
    RowIds = NDArray[np.uint64]
    Places = NDArray[np.intp]


@dataclass(frozen=True)
class Comparison:
    """A comparison of rows with one vector.

    Attributes:
        query: gives the vector (dim,) when the statement runs.
        measure: how they are compared.
        strict: a row of another length is an error, not without a result.
        ef: rows that a search by an index keeps in sight; None for the session's.
        exact: whether an index must not be used; None for the session's choice.
    """

    query: Callable[[], Vector]
    measure: Measure = COSINE
    strict: bool = False
    ef: int | None = None
    exact: bool | None = None

    def of(self, vector: Vector) -> Comparison:
        """Return the same comparison with another vector (dim,)."""
        return replace(self, query=lambda: vector)

    def scores(self, column: pa.Array) -> pa.Array:
        """Return the result of every row of `column`, NULL where there is none.

        Raises:
            InvalidData: a row has another length, if `strict`.
        """
        each = _compared_each(column, [self.query()], self.measure, self.strict)
        ((scores, defined),) = each
        return pa.array(scores, self.measure.dtype, mask=~defined)

    def nearest(
        self, batches: Iterable[pa.RecordBatch], column: str, row_id: str, k: int
    ) -> list[int]:
        """Return the ids of the `k` rows nearest to the vector, the nearest first.

        Args:
            batches: rows with a `column` of vectors and a `row_id` of integers.
            column: the name of the column of vectors.
            row_id: the name of the column that identifies a row.
            k: how many rows at the most.

        Returns:
            min(k, rows) ids; ties go to the row that came first; rows without a result
            fill the end when there are fewer than `k` others.

        Raises:
            InvalidData: a row has another length, if `strict`.
        """
        queries = [self.query()]
        (found,) = nearest(
            batches, column, row_id, queries, k, self.measure, strict=self.strict
        )
        return found.rows()


@dataclass(frozen=True)
class Found:
    """The nearest rows, the nearest first.

    Attributes:
        ids: row ids (at most k,); rows without a result fill the end.
        scores: the results of the first of them; the others have none.
        compared: whether the scores are those of a comparison, to the bit; a graph's
            may differ from them in the last digits.
    """

    ids: RowIds
    scores: Vector
    compared: bool = True

    def rows(self) -> list[int]:
        """Return the ids as numbers of Python."""
        return [int(row) for row in self.ids]

    def filled(self, without: RowIds, k: int) -> Found:
        """Return these rows, and rows without a result until there are k."""
        ids = np.concatenate([self.ids, without])[:k]
        return Found(ids, self.scores, self.compared)


def nearest(
    batches: Iterable[pa.RecordBatch],
    column: str,
    row_id: str,
    queries: Sequence[Vector] | Vector,
    k: int,
    measure: Measure = COSINE,
    *,
    strict: bool = False,
    among: Sequence[Places] | None = None,
) -> list[Found]:
    """Return, for each of several vectors, the rows nearest to it.

    Args:
        batches: rows with a `column` of vectors and a `row_id` of integers.
        column: the name of the column of vectors.
        row_id: the name of the column that identifies a row.
        queries: m vectors (dim,).
        k: how many rows at the most.
        measure: how they are compared.
        strict: a row of another length is an error, not without a result.
        among: for each vector which rows to compare it with, counted over all batches
            and ascending; all of them by default.

    Returns:
        m times min(k, rows) rows; see `Comparison.nearest`.

    Raises:
        InvalidData: a row has another length, if `strict`.
    """
    best = [_Best(k) for _ in queries]
    sign, start = -1 if measure.nearest_is_least else 1, 0
    for batch in batches:
        ids, vectors = batch.column(row_id).to_numpy(), batch.column(column)
        if among is None:
            each = _compared_each(vectors, queries, measure, strict)
            for one, (scores, defined) in zip(best, each, strict=True):
                one.add(sign * scores[defined], ids[defined], ids[~defined])
            continue
        for one, query, chosen in zip(best, queries, among, strict=True):
            low, high = np.searchsorted(chosen, (start, start + len(ids)))
            here = chosen[low:high] - start
            own, rows = vectors.take(pa.array(here)), ids[here]
            ((scores, defined),) = _compared_each(own, [query], measure, strict)
            one.add(sign * scores[defined], rows[defined], rows[~defined])
        start += len(ids)
    return [Found(one.ids, sign * one.ranks).filled(one.without, k) for one in best]


def _compared_each(
    column: pa.Array,
    queries: Sequence[Vector] | Vector,
    measure: Measure,
    strict: bool,
) -> list[tuple[Vector, Mask]]:
    """Compare a column with vectors of one length, in one pass."""
    if not len(queries):
        return []
    dim = len(queries[0])
    if strict:
        counts = lengths(column)
        _same_length(counts, np.full_like(counts, dim), measure)
    matrix, there = as_matrix(column, dim)
    each = measure.compare_each(matrix, list(queries))
    return [(scores, defined & there) for scores, defined in each]


def compare_rows(left: pa.Array, right: pa.Array, measure: Measure) -> pa.Array:
    """Compare each row of `left` with the row of `right` beside it.

    Args:
        left: n vectors, as lists of numbers.
        right: as many.
        measure: how they are compared.

    Returns:
        The results, NULL where a vector is NULL or cannot be compared.

    Raises:
        InvalidData: two vectors differ in length.
    """
    counts = lengths(left)
    _same_length(counts, lengths(right), measure)
    both = (counts >= 0) & (lengths(right) >= 0)
    dims = np.unique(counts[both])
    if len(dims) == 1:
        return _compared_rows(left, right, int(dims[0]), measure)
    parts = [np.flatnonzero(both & (counts == dim)) for dim in dims]
    found = [
        _compared_rows(left.take(rows), right.take(rows), int(dim), measure)
        for rows, dim in zip(map(pa.array, parts), dims, strict=True)
    ]
    places = np.full(len(left), -1)
    places[np.concatenate([*parts, []]).astype(int)] = np.arange(sum(map(len, parts)))
    known = pa.concat_arrays([*found, pa.nulls(0, measure.dtype)])
    return known.take(pa.array(places, mask=places < 0))


def _compared_rows(
    left: pa.Array, right: pa.Array, dim: int, measure: Measure
) -> pa.Array:
    first, in_first = as_matrix(left, dim)
    second, in_second = as_matrix(right, dim)
    return measure.column(first, second, in_first & in_second)


def _same_length(
    left: NDArray[np.int64], right: NDArray[np.int64], measure: Measure
) -> None:
    """Raise InvalidData unless rows that are not NULL have as many numbers."""
    differ = np.flatnonzero((left != right) & (left >= 0) & (right >= 0))
    if len(differ):
        row = differ[0]
        raise InvalidData(different_lengths(measure.name, left[row], right[row]))


def different_lengths(name: str, left: int, right: int) -> str:
    """Return the sentence about vectors that cannot be compared."""
    return f"{name} compares vectors of one length, and these have {left} and {right}"


class _Best:
    """The k best rows seen so far, and the first k rows that have no result."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.ranks: Vector = np.empty(0, dtype=np.float64)
        self.ids = np.empty(0, dtype=np.uint64)
        self.without = np.empty(0, dtype=np.uint64)

    def add(self, ranks: Vector, ids: RowIds, without: RowIds) -> None:
        """Take the rows of one batch into account; a greater rank is better."""
        if len(self.without) < self.k:
            self.without = np.concatenate([self.without, without])[: self.k]
        if len(self.ranks) == self.k and self.k:
            better = ranks > self.ranks[-1]
            ranks, ids = ranks[better], ids[better]
        ranks = np.concatenate([self.ranks, ranks])
        ids = np.concatenate([self.ids, ids])
        # A stable sort keeps the earlier row in front among equals.
        order = np.argsort(-ranks, kind="stable")[: self.k]
        self.ranks, self.ids = ranks[order], ids[order]
