"""The rows that a graph has not, compared one by one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thanosql_server.search.measures import COSINE, DISTANCE, INNER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql_server.search.measures import Measure
    from thanosql_server.search.vectors import Matrix

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Vector = NDArray[np.float32] | NDArray[np.float64]

_ROUNDING = 4 * 2.0**-24


@dataclass(frozen=True)
class Beside:
    """Rows that a graph has not.

    Attributes:
        ids: (n,), ascending.
        matrix: (n, dim), as stored.
        scaled: (n, dim), of unit length for a cosine, else the same.
        lengths: (n,), of `scaled`.
        measure: how they are compared.
    """

    ids: RowIds
    matrix: Matrix
    scaled: Matrix
    lengths: Scores
    measure: Measure

    @classmethod
    def of(
        cls, parts: list[tuple[RowIds, Matrix]], dim: int, measure: Measure
    ) -> Beside:
        """Return the rows of all parts."""
        empty = (np.empty(0, np.uint64), np.empty((0, dim), np.float32))
        ids = np.concatenate([empty[0], *(one for one, _ in parts)])
        matrix = np.concatenate([empty[1], *(two for _, two in parts)])
        order = np.argsort(ids, kind="stable")
        matrix = scaled = np.ascontiguousarray(matrix[order])
        wide = matrix.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        if measure is COSINE:
            there = np.maximum(lengths, np.finfo(np.float64).tiny)[:, None]
            scaled = (wide / there).astype(np.float32)
            lengths = np.ones(len(ids))
        return cls(ids[order], matrix, scaled, lengths, measure)

    def best(
        self,
        query: Vector,
        k: int,
        worst: float | None = None,
        wanted: RowIds | None = None,
    ) -> tuple[RowIds, Scores]:
        """Return the ids and scores of rows, with the k nearest among them.

        One product of matrices tells which rows may be among them, with room for its
        rounding; these are compared as any search compares.

        Args:
            query: (dim,), as it was given.
            k: how many are wanted.
            worst: the score of the k-th row that is there already; rows that are
                farther away are left out.
            wanted: the ids that may be returned, None for all.
        """
        near = self._near(query, k, worst if wanted is None else None, wanted is None)
        if wanted is not None:
            near = near[np.isin(self.ids[near], wanted)]
        if not len(near):
            return self.ids[:0], self.lengths[:0]
        scores, defined = self.measure.compare(self.matrix[near], query)
        return self.ids[near[defined]], scores[defined].astype(np.float64)

    def _near(
        self, query: Vector, k: int, worst: float | None, cut: bool
    ) -> NDArray[np.intp]:
        """Return the places of rows that may be among the nearest."""
        if not cut or (worst is None and len(self.ids) <= k):
            return np.arange(len(self.ids))
        with np.errstate(all="ignore"):
            length = float(np.sqrt(query.dot(query)))
            unit = query / length if self.measure is COSINE else query
            # BLAS would start threads for this, which wait for processors in use.
            query32 = unit.astype(np.float32, copy=False)
            ranks: Scores = np.einsum("ij,j->i", self.scaled, query32)
            slack = (len(query) + 16) * _ROUNDING
            if self.measure is INNER:
                ranks, slack = _both(ranks, slack * length * self.lengths)
            elif self.measure is DISTANCE:
                ranks, slack = _both(
                    2.0 * ranks - self.lengths**2, slack * (self.lengths + length) ** 2
                )
            if worst is None:
                known = np.where(np.isfinite(ranks), ranks - slack, -np.inf)
                least = np.partition(known, len(known) - k)[len(known) - k]
            elif self.measure is DISTANCE:
                least = length * length - worst * worst * (1 + _ROUNDING)
            else:
                least = worst
            # What runs over says nothing: such rows are compared.
            left_out = ranks < least - slack
            near: NDArray[np.intp] = np.flatnonzero(~left_out)
        return near


def _both(ranks: Scores, slack: Scores) -> tuple[Scores, Any]:
    """Return ranks and slack, ranks that ran over as if nearest."""
    return np.where(np.isfinite(ranks), ranks, np.inf), slack
