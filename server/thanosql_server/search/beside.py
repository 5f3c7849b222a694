"""The rows that a graph has not, compared one by one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.codes import Codes
from thanosql_server.search.graph_rows import LONGEST, SHORTEST
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.limits import CodedQuery, Most
from thanosql_server.search.measures import COSINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql_server.search.measures import Measure
    from thanosql_server.search.vectors import Matrix

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Vector = NDArray[np.float32] | NDArray[np.float64]

_PRODUCT = Int8Product(1)
_FEWEST_SCREENED = 64
"""Fewer rows are compared as quickly as they are screened."""

_FEWEST_CODED = 4096
"""Fewer rows are multiplied with a query as quickly as it is turned into bytes (1,000
rows of 512 numbers: 35 microseconds; the query 15 to 35, their bytes 18)."""

_ULP = 2.0**-24


@dataclass(frozen=True)
class Beside:
    """Rows that a graph has not.

    Attributes:
        ids: (n,), ascending.
        matrix: (n, dim), as stored, without vectors that have no result.
        codes: the same as bytes; None where it is compared as it is.
        most: of the codes.
        inverse: (n,), 1 / length of each row; None where lengths do not count, or some
            are no ordinary numbers.
        measure: how they are compared.
    """

    ids: RowIds
    matrix: Matrix
    codes: Codes | None
    most: Most | None
    inverse: NDArray[np.float32] | None
    measure: Measure

    @classmethod
    def of(
        cls, parts: list[tuple[RowIds, Matrix]], dim: int, measure: Measure
    ) -> Beside:
        """Return the rows of all parts, of finite numbers."""
        empty = (np.empty(0, np.uint64), np.empty((0, dim), np.float32))
        ids = np.concatenate([empty[0], *(one for one, _ in parts)])
        matrix = np.concatenate([empty[1], *(two for _, two in parts)])
        if measure is COSINE:
            directed = matrix.any(axis=1)
            ids, matrix = ids[directed], matrix[directed]
        order = np.argsort(ids, kind="stable")
        ids, matrix = ids[order], np.ascontiguousarray(matrix[order])
        inverse, codes = None, None
        if len(ids) >= _FEWEST_SCREENED and matrix.dtype == np.float32:
            if measure is COSINE and len(ids) < _FEWEST_CODED:
                inverse = _inverse(matrix)
            if inverse is None and _PRODUCT.available:
                codes = Codes.empty(*matrix.shape)
                codes.encode(matrix)
        most = None if codes is None else Most.of(codes)
        return cls(ids, matrix, codes, most, inverse, measure)

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        coded = 0 if self.codes is None else self.codes.codes.nbytes
        return self.matrix.nbytes + 4 * len(self.ids) + coded

    def best(
        self,
        query: Vector,
        k: int,
        worst: float | None = None,
        wanted: RowIds | None = None,
        direction: NDArray[np.float32] | None = None,
    ) -> tuple[RowIds, Scores]:
        """Return the ids and scores of rows, with the k nearest among them.

        Their codes tell which rows may be among them (see `limits`); these are compared
        as any search compares.

        Args:
            query: (dim,), as it was given.
            k: how many are wanted.
            worst: the score of the k-th row that is there already; rows that are
                farther away are left out.
            wanted: the ids that may be returned, None for all.
            direction: (dim,), the query divided by its length, if that is known.
        """
        if wanted is None and self.inverse is not None:
            near = self._near_in_angle(self.inverse, query, k, worst, direction)
        elif wanted is None:
            near = self._near(query, k, worst)
        else:
            near = np.flatnonzero(np.isin(self.ids, wanted))
        if not len(near):
            return self.ids[:0], np.empty(0)
        scores, defined = self.measure.compare(self.matrix[near], query)
        return self.ids[near[defined]], scores[defined].astype(np.float64)

    def _near(self, query: Vector, k: int, worst: float | None) -> NDArray[np.intp]:
        """Return the places of rows that may be among the nearest."""
        coded, codes, most = None, self.codes, self.most
        if codes is not None and (worst is not None or k < len(codes)):
            coded = CodedQuery.of(query, self.measure)
        if codes is None or most is None or coded is None:
            return np.arange(len(self.ids))
        products = _PRODUCT(codes.codes, coded.codes[None])[0]
        if worst is None:
            lower, upper = coded.limits(codes, products)
            least = np.partition(lower, len(lower) - k)[len(lower) - k]
            return np.flatnonzero(upper >= least)
        least = -worst if self.measure.nearest_is_least else worst
        near = coded.reaching(codes, most, products, least)
        if len(near):
            _, upper = coded.close_limits(codes.gathered(near))
            near = near[upper >= least]
        return near

    def _near_in_angle(
        self,
        inverse: NDArray[np.float32],
        query: Vector,
        k: int,
        worst: float | None,
        direction: NDArray[np.float32] | None,
    ) -> NDArray[np.intp]:
        """Return the same by cosines in float32, and how far off these may be.

        A sum of n products is off by n * 2^-24 of the lengths at most (see `limits`),
        here as where rows are compared; the rest is for the roundings beside the sums.
        """
        if direction is None:
            exact = query.astype(np.float64)
            length = float(np.sqrt(exact @ exact))
            if not SHORTEST <= length <= LONGEST:
                return np.arange(len(self.ids))
            direction = (exact / length).astype(np.float32)
        # Row by row: of a matrix BLAS would make parts for threads, which wait for each
        # other spinning, and those of searches at the same time for them.
        cosines = np.vecdot(self.matrix, direction) * inverse
        if worst is None:
            worst = -np.inf if k >= len(cosines) else _kth(cosines, k)
        slack = (4 * self.matrix.shape[1] + 64) * _ULP
        return np.flatnonzero(cosines >= worst - slack)


def _kth(cosines: Vector, k: int) -> float:
    """Return the k-th greatest, k being less than their number."""
    at = len(cosines) - k
    return float(np.partition(cosines, at)[at])


def _inverse(matrix: Matrix) -> NDArray[np.float32] | None:
    """Return 1 / length of each row; None if one is too long or too short for that."""
    squares = np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64)
    lengths = np.sqrt(squares)
    if not ((lengths >= SHORTEST) & (lengths <= LONGEST)).all():
        return None
    inverse: NDArray[np.float32] = (1 / lengths).astype(np.float32)
    return inverse
