"""How near two vectors are: cosine similarity, distance, inner product.

Each takes rows of vectors and compares them with one vector or with as many others.
A result is undefined where a vector holds NaN or an infinite number; the cosine also
where a vector is all zeros. Rows are worked on in pieces that stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float32] | NDArray[np.float64]
    Vector = NDArray[np.float32] | NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Compared = tuple[Vector, Mask]

PIECE = 1 << 16
"""Numbers worked on at a time: a quarter of a MiB of float32, half of float64."""
NARROW_DIM = 2048
"""Up to here float32 sums are right to 6e-7; longer vectors are summed in float64."""
_SAFE = {np.dtype("f4"): (1e-30, 1e37), np.dtype("f8"): (1e-280, 1e300)}
"""Squared lengths that have neither lost digits nor run over."""


@dataclass(frozen=True)
class Measure:
    """One way to compare vectors.

    Attributes:
        name: as users call it.
        dtype: of the results.
        nearest_is_least: whether a smaller number means nearer.
        compare: from rows (n, dim) and a vector (dim,) or rows (n, dim) to the results
            (n,) and the mask of those that are defined.
    """

    name: str
    dtype: pa.DataType
    nearest_is_least: bool
    compare: Callable[[Matrix, Matrix], Compared]

    def compare_each(self, left: Matrix, vectors: Sequence[Vector]) -> list[Compared]:
        """Return what `compare` does for each of several vectors, in one pass."""
        if self.compare is cosine and vectors:
            return _cosines(left, vectors)
        return [self.compare(left, vector) for vector in vectors]

    def column(self, left: Matrix, right: Matrix, there: Mask) -> pa.Array:
        """Return the results as a column, NULL where undefined or not `there`."""
        scores, defined = self.compare(left, right)
        return pa.array(scores, self.dtype, mask=~(defined & there))


def cosine(left: Matrix, right: Matrix) -> Compared:
    """Return dot / (|left| |right|), in [-1, 1], as float32.

    BLAS adds up in an order that depends on where a row stands in its batch: equal rows
    got results that differ in the last bit. einsum does not, so that ties are ties.
    """
    return _cosines(left, [right])[0]


def _cosines(left: Matrix, rights: Sequence[Matrix]) -> list[Compared]:
    """Return the same for several vectors; the lengths of `left` are computed once."""
    alike = [_alike(left, right) for right in rights]
    left = alike[0][0]
    rights = [right for _, right in alike]
    own = np.empty(len(left), left.dtype)
    dots = [np.empty(len(left), left.dtype) for _ in rights]
    others = [
        np.empty(len(left) if right.ndim == 2 else 1, left.dtype) for right in rights
    ]
    for right, other in zip(rights, others, strict=True):
        other[:] = _dots(right, right) if right.ndim == 1 else 0
    for part in _parts(left):
        rows = left[part]
        own[part] = _dots(rows, rows)
        for right, dot, other in zip(rights, dots, others, strict=True):
            beside = right if right.ndim == 1 else right[part]
            dot[part] = _dots(rows, beside)
            if right.ndim == 2:
                other[part] = _dots(beside, beside)
    each = zip(rights, dots, others, strict=True)
    return [_quotients(left, right, dot, own, other) for right, dot, other in each]


def _quotients(
    left: Matrix, right: Matrix, dots: Vector, own: Vector, other: Vector
) -> Compared:
    low, high = _SAFE[left.dtype]
    safe = (own > low) & (own < high) & (other > low) & (other < high)
    with np.errstate(all="ignore"):
        scores = dots / (np.sqrt(own.astype("f8")) * np.sqrt(other.astype("f8")))
    defined = safe
    if not safe.all():
        hard = np.flatnonzero(~safe)
        beside = right if right.ndim == 1 else right[hard]
        scores[hard], hard_defined = _scaled_cosine(left[hard], beside)
        defined = safe.copy()
        defined[hard] = hard_defined
    return np.clip(scores, -1, 1).astype("f4"), defined


def _scaled_cosine(left: Matrix, right: Matrix) -> Compared:
    """Return the same for vectors that are very long, very short or not finite."""
    left, left_defined = _scaled(left.astype("f8"))
    right, right_defined = _scaled(right.astype("f8"))
    lengths = _dots(left, left) * _dots(right, right)
    with np.errstate(all="ignore"):
        scores = _dots(left, right) / np.sqrt(lengths)
    return scores, left_defined & right_defined


def _scaled(rows: Matrix) -> tuple[Matrix, Mask]:
    """Return the rows with 1 as their greatest number, zeros where there is none."""
    greatest = np.abs(rows).max(axis=-1, initial=0)
    defined = np.isfinite(greatest) & (greatest > 0)
    divisor = np.where(defined, greatest, 1)[..., None]
    return np.where(defined[..., None], rows, 0) / divisor, defined


def distance(left: Matrix, right: Matrix) -> Compared:
    """Return the Euclidean distance, as float64."""
    squares = np.empty(len(left))
    with np.errstate(all="ignore"):
        for part in _parts(left):
            beside = right if right.ndim == 1 else right[part]
            apart = left[part].astype("f8")
            apart -= beside
            squares[part] = _dots(apart, apart)
        found = np.sqrt(squares)
        low, high = _SAFE[squares.dtype]
        safe = (squares > low) & (squares < high)
        hard = np.flatnonzero(~(safe | _equal(squares, left, right)))
        beside = right if right.ndim == 1 else right[hard]
        apart = left[hard].astype("f8") - beside
        greatest = np.abs(apart).max(axis=-1, initial=0)
        apart /= np.where(greatest > 0, greatest, 1)[:, None]
        found[hard] = greatest * np.sqrt(_dots(apart, apart))
        found[hard[np.isinf(greatest)]] = np.inf
    return found, _defined(found, left, right)


def inner(left: Matrix, right: Matrix) -> Compared:
    """Return the inner product, as float64."""
    found = np.empty(len(left))
    for part in _parts(left):
        beside = right if right.ndim == 1 else right[part]
        found[part] = _dots(left[part].astype("f8"), beside.astype("f8"))
    return found, _defined(found, left, right)


def _defined(found: Vector, left: Matrix, right: Matrix) -> Mask:
    """Return where the vectors are finite; of such the result may be infinite."""
    defined = np.isfinite(found)
    strange = np.flatnonzero(~defined)
    if len(strange):
        beside = right if right.ndim == 1 else right[strange]
        finite = np.isfinite(left[strange]).all(axis=-1) & np.isfinite(beside).all(-1)
        defined[strange] = finite & ~np.isnan(found[strange])
    return defined


def _equal(squares: Vector, left: Matrix, right: Matrix) -> Mask:
    """Return where a sum of squares is 0 because the vectors are equal."""
    equal = squares == 0
    zeros = np.flatnonzero(equal)
    if len(zeros):
        beside = right if right.ndim == 1 else right[zeros]
        equal[zeros] = (left[zeros] == beside).all(axis=-1)
    return np.asarray(equal)


def _alike(left: Matrix, right: Matrix) -> tuple[Matrix, Matrix]:
    """Return both in the type to add up in.

    One vector takes the type of the rows: rounding it costs 6e-8, and scaling keeps
    what float32 cannot hold.
    """
    if right.ndim == 1 and left.dtype == np.float32:
        greatest = float(np.abs(right).max(initial=0))
        if np.isfinite(greatest) and not 1e-10 < greatest < 1e10:
            right = _scaled(right.astype("f8"))[0]
        right = right.astype("f4")
    if left.dtype == right.dtype and left.shape[-1] <= NARROW_DIM:
        return left, right
    return left.astype("f8"), right.astype("f8")


def _dots(left: Matrix, right: Matrix) -> Vector:
    dots: Vector = np.einsum("...j,...j->...", left, right)
    return dots


def _parts(rows: Matrix) -> Iterator[slice]:
    step = max(1, PIECE // max(1, rows.shape[-1]))
    return (slice(start, start + step) for start in range(0, len(rows), step))


COSINE = Measure("cosine_similarity", pa.float32(), False, cosine)
DISTANCE = Measure("l2_distance", pa.float64(), True, distance)
INNER = Measure("inner_product", pa.float64(), False, inner)
MEASURES = {measure.name: measure for measure in (COSINE, DISTANCE, INNER)}
