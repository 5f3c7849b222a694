"""The rows that a graph has not, compared one by one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.codes import Codes
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
_FEWEST_CODED = 64
"""Fewer rows are compared as quickly as a query is turned into bytes."""


@dataclass(frozen=True)
class Beside:
    """Rows that a graph has not.

    Attributes:
        ids: (n,), ascending.
        matrix: (n, dim), as stored, without vectors that have no result.
        codes: the same as bytes; None where it is compared as it is.
        most: of the codes.
        measure: how they are compared.
    """

    ids: RowIds
    matrix: Matrix
    codes: Codes | None
    most: Most | None
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
        codes = None
        if (
            len(ids) >= _FEWEST_CODED
            and matrix.dtype == np.float32
            and _PRODUCT.available
        ):
            codes = Codes.empty(*matrix.shape)
            codes.encode(matrix)
        most = None if codes is None else Most.of(codes)
        return cls(ids, matrix, codes, most, measure)

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        coded = 0 if self.codes is None else self.codes.codes.nbytes
        return self.matrix.nbytes + coded

    def best(
        self,
        query: Vector,
        k: int,
        worst: float | None = None,
        wanted: RowIds | None = None,
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
        """
        if wanted is None:
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
