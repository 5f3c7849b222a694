"""Exact similarity search: every vector is compared, in one pass, in bounded memory.

Vectors are unit length, so the dot product is the cosine similarity. A row without a
usable vector (see `vectors.as_matrix`) has no similarity and ranks behind all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.search.vectors import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Vector = NDArray[np.float32]


def similarities(column: pa.Array, query: Vector) -> pa.Array:
    """Return the cosine similarity of every row of `column` to `query`.

    Args:
        column: n unit vectors as lists of floats.
        query: one unit vector (dim,).

    Returns:
        n float32 numbers in [-1, 1], NULL where the row has no usable vector.
    """
    matrix, usable = as_matrix(column, len(query))
    scores = _cosines(matrix, query)
    return pa.array(scores, pa.float32(), mask=~usable)


def top_k(
    batches: Iterable[pa.RecordBatch], column: str, row_id: str, query: Vector, k: int
) -> list[int]:
    """Return the ids of the `k` rows most similar to `query`, best first.

    Args:
        batches: rows with a `column` of vectors and a `row_id` of integers.
        column: the name of the column of unit vectors.
        row_id: the name of the column that identifies a row.
        query: one unit vector (dim,).
        k: how many rows at the most.

    Returns:
        min(k, rows) ids; ties go to the row that came first; rows without a usable
        vector fill the end when there are fewer than `k` others.
    """
    best = _Best(k)
    for batch in batches:
        matrix, usable = as_matrix(batch.column(column), len(query))
        rows = batch.column(row_id).to_numpy()
        best.add(_cosines(matrix, query)[usable], rows[usable], rows[~usable])
    return best.rows()


def _cosines(matrix: Matrix, query: Vector) -> Vector:
    """Return the dot products of unit rows with a unit vector, in [-1, 1].

    BLAS adds up in an order that depends on where a row stands in its batch: equal rows
    got scores that differ in the last bit. einsum does not, at the same speed (0.72 ms
    against 0.59 for 8,192 x 512), so that ties are ties in every path.
    """
    scores: Vector = np.einsum("ij,j->i", matrix, query)
    return np.clip(scores, -1, 1)


class _Best:
    """The k best rows seen so far, and the first k rows that have no similarity."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.scores = np.empty(0, dtype=np.float32)
        self.ids = np.empty(0, dtype=np.uint64)
        self.without = np.empty(0, dtype=np.uint64)

    def add(
        self, scores: Vector, ids: NDArray[np.uint64], without: NDArray[np.uint64]
    ) -> None:
        """Take the rows of one batch into account."""
        if len(self.without) < self.k:
            self.without = np.concatenate([self.without, without])[: self.k]
        if len(self.scores) == self.k and self.k:
            better = scores > self.scores[-1]
            scores, ids = scores[better], ids[better]
        scores = np.concatenate([self.scores, scores])
        ids = np.concatenate([self.ids, ids])
        # A stable sort keeps the earlier row in front among equals.
        order = np.argsort(-scores, kind="stable")[: self.k]
        self.scores, self.ids = scores[order], ids[order]

    def rows(self) -> list[int]:
        found = np.concatenate([self.ids, self.without])[: self.k]
        return [int(row) for row in found]
