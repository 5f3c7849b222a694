"""Between which limits a score lies, as far as codes tell.

With u = x / |x| coded as s * c and the direction v of a query q as t * p,

    |u.v - s t c.p|  <=  |u - s c| |v|  +  |s c| |v - t p|,

so the integer product c.p tells within which limits the cosine u.v lies. Those of the
inner product, |x| |q| u.v, and of the distance, whose square is |x|^2 + |q|^2 - 2 |x|
|q| u.v, follow. They hold for the numbers that `measures` computes: a float32 sum of
products is off by at most dim * 2^-24 * |x| |q| (Higham, Accuracy and Stability of
Numerical Algorithms, 3.1), a cosine, whose lengths are such sums too, by twice as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thanosql_server.search.codes import LARGEST_CODE, ULP, length_error
from thanosql_server.search.measures import COSINE, INNER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql_server.search.codes import Bytes, Codes
    from thanosql_server.search.int8_product import Products
    from thanosql_server.search.measures import Measure

    Vector = NDArray[np.float32] | NDArray[np.float64]
    Limits = tuple[Vector, Vector]

LARGEST_DIM = 100_000
"""Of more numbers than this, sums of products of codes may not fit in 32 bits."""

LARGEST_SUM = 2.0**31
"""Below this are the products of codes."""

_TINY = 1e-37
"""Lengths that float32 holds less exactly than others are off by less."""

_SHORTEST, _LONGEST = 1e-100, 1e100
"""Lengths of a query between which no product with a row's runs over."""


class Most(NamedTuple):
    """The largest scale and error of some rows; the error may be infinite."""

    scale: float
    error: float

    @classmethod
    def of(cls, rows: Codes) -> Most:
        """Return those of at least one row."""
        return cls(float(rows.scale.max()), float(rows.error.max()))


@dataclass(frozen=True)
class CodedQuery:
    """A query as bytes, and what limits need to know about it.

    Attributes:
        measure: how rows are compared with it.
        direction: (dim,), the query divided by its length.
        codes: (dim,), from -127 to 127.
        scale: what one step of the codes is worth.
        error: at least |direction - scale * codes|.
        length: of the query.
    """

    measure: Measure
    direction: NDArray[np.float32]
    codes: Bytes
    scale: np.float32
    error: float
    length: float

    @classmethod
    def of(cls, vector: Vector, measure: Measure) -> CodedQuery | None:
        """Return the query coded, or None for one without a direction.

        So are zeros, numbers that are not finite, and, where the length counts, lengths
        that are no ordinary numbers.
        """
        exact = vector.astype(np.float64)
        largest = float(np.abs(exact).max(initial=0))
        if not (0 < largest < np.inf):
            return None
        exact = exact / largest
        rest = float(np.sqrt(exact @ exact))
        length = largest * rest
        if measure is not COSINE and not _SHORTEST <= length <= _LONGEST:
            return None
        exact = exact / rest
        scale = np.float32(np.abs(exact).max() / LARGEST_CODE)
        codes = np.rint(exact / scale).clip(-LARGEST_CODE, LARGEST_CODE)
        error = float(np.linalg.norm(exact - codes * float(scale)))
        direction, as_bytes = exact.astype(np.float32), codes.astype(np.int8)
        return cls(measure, direction, as_bytes, scale, error * (1 + 1e-6), length)

    def reaching(
        self, rows: Codes, most: Most, products: Products, least: float
    ) -> NDArray[np.intp]:
        """Return the rows whose upper limit may be `least` or more, and few others.

        Nearly all rows are done with here, so this takes one comparison of integers:
        a row's limit is at most that of one with its product and the largest scale and
        error of all.

        Args:
            rows: n rows.
            most: their largest scale and error.
            products: (n,), the products of their codes with the query's.
            least: a rank.
        """
        if self.measure is not COSINE:
            _, upper = self.limits(rows, products)
            return np.flatnonzero(upper >= least)
        steps = most.scale * float(self.scale)
        wanted = least - self._of_query - most.error * self._of_error
        if not 0 < wanted < LARGEST_SUM * steps:
            return np.arange(len(rows))
        near = np.flatnonzero(products >= int(wanted / steps * (1 - 1e-6)))
        middle = products[near] * (rows.scale[near] * self.scale)
        slack = rows.error[near] * np.float32(self._of_error)
        reach: NDArray[np.intp] = near[middle + slack >= least - self._of_query]
        return reach

    def limits(self, rows: Codes, products: Products) -> Limits:
        """Return numbers at most and at least as large as each row's rank.

        A rank is the score, or its negative where the least is the nearest.

        Args:
            rows: n rows.
            products: (n,), the products of their codes with the query's.
        """
        middle = np.multiply(
            products, rows.scale * self.scale, dtype=np.float32, casting="same_kind"
        )
        slack = rows.error * np.float32(self._of_error)
        slack += np.float32(self._of_query)
        return self._ranks(rows, middle, slack)

    def close_limits(self, rows: Codes) -> Limits:
        """Return the limits with the query as it is: half as far apart, but slower."""
        middle = np.einsum("ij,j->i", rows.codes.astype(np.float32), self.direction)
        middle *= rows.scale
        slack = rows.error * np.float32(1 + self._rounding(3))
        slack += np.float32(self._rounding(3))
        return self._ranks(rows, middle, slack)

    @property
    def _of_error(self) -> float:
        """What a row's error costs at most, times that error."""
        return (1 + self.error) * (1 + 1e-6)

    @property
    def _of_query(self) -> float:
        """What the query's error and the rounding of sums cost at most."""
        return (self.error + self._rounding(2)) * (1 + 1e-6)

    def _rounding(self, sums: int) -> float:
        """Return a bound on the rounding of float32 sums that a limit allows for."""
        return (sums * len(self.direction) + 64) * ULP

    def _ranks(self, rows: Codes, middle: Vector, slack: Vector) -> Limits:
        """Return the limits of ranks, given those of the cosine."""
        low, high = middle - slack, middle + slack
        np.clip(low, -1, 1, out=low)
        np.clip(high, -1, 1, out=high)
        if self.measure is COSINE:
            return low, high
        ranks = self._inner if self.measure is INNER else self._distance
        with np.errstate(invalid="ignore"):
            return ranks(rows.length.astype(np.float64), low, high)

    def _inner(self, length: Vector, low: Vector, high: Vector) -> Limits:
        slack = self._of_lengths() * length + _TINY
        return (
            (length * low - slack) * self.length,
            (length * high + slack) * self.length,
        )

    def _distance(self, length: Vector, low: Vector, high: Vector) -> Limits:
        slack = self._of_lengths() * (length + self.length) + _TINY
        apart = (length - self.length) ** 2
        twice = 2 * length * self.length
        farthest = np.sqrt(apart + twice * (1 - low.astype(np.float64))) + slack
        nearest = np.sqrt(apart + twice * (1 - high.astype(np.float64))) - slack
        # Lengths that are infinite leave what is no number.
        return -np.fmax(farthest, 0), -np.fmax(nearest, 0)

    def _of_lengths(self) -> float:
        """Return what the rounding of a row's length and of float64 sums may cost."""
        return 2 * length_error(len(self.direction)) + 2.0**-20
