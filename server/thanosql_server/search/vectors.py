"""Arrow columns of vectors as numpy matrices, without copies where it can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32] | NDArray[np.float64]
    Mask = NDArray[np.bool_]


def is_vector_type(dtype: pa.DataType) -> bool:
    """Return whether `dtype` holds one vector of numbers per row."""
    return dim_of(dtype) is not None or (
        (pa.types.is_list(dtype) or pa.types.is_large_list(dtype))
        and pa.types.is_floating(dtype.value_type)
    )


def dim_of(dtype: pa.DataType) -> int | None:
    """Return the numbers per row of a fixed-size list of floats, else None."""
    if pa.types.is_fixed_size_list(dtype) and pa.types.is_floating(dtype.value_type):
        return int(dtype.list_size)
    return None


def as_matrix(column: pa.Array, dim: int) -> tuple[Matrix, Mask]:
    """Return a column of vectors as a matrix and the mask of its vectors.

    Args:
        column: n rows of fixed-size lists (or lists) of numbers.
        dim: numbers per row.

    Returns:
        A matrix (n, dim) of float32, or of float64 for anything wider, and a boolean
        mask (n,): a row that is NULL or has another length is no vector, and its
        numbers mean nothing. A NULL among the numbers is NaN. Fixed-size lists of
        float32 are not copied.
    """
    if pa.types.is_fixed_size_list(column.type) and column.type.list_size == dim:
        return _view(column, dim), _valid(column)
    return _gather(column, dim)


def lengths(column: pa.Array) -> NDArray[np.int64]:
    """Return the numbers of each row, -1 for NULL."""
    found = pc.list_value_length(column).cast(pa.int64()).fill_null(-1)
    counts: NDArray[np.int64] = found.to_numpy(zero_copy_only=False)
    return counts


def _valid(column: pa.Array) -> Mask:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _view(column: pa.Array, dim: int) -> Matrix:
    """Return the values below a fixed-size list, its slice offset respected.

    `flatten()` drops the values of NULL rows and `values` ignores the offset, so the
    rows are cut out of `values` by position.
    """
    values = column.values.slice(column.offset * dim, len(column) * dim)
    matrix: Matrix = _numbers(values).reshape(len(column), dim)
    return matrix


def _gather(column: pa.Array, dim: int) -> tuple[Matrix, Mask]:
    """Copy those rows of variable-length lists that have `dim` numbers."""
    counts = lengths(column)
    there = counts == dim
    values = _numbers(column.flatten())  # without those of NULL rows
    if there.all():
        return values.reshape(len(column), dim), there
    ends = np.cumsum(np.maximum(counts, 0))
    matrix = np.zeros((len(column), dim), dtype=values.dtype)
    matrix[there] = values[(ends[there] - dim)[:, None] + np.arange(dim)]
    return matrix, there


def _numbers(values: pa.Array) -> Any:
    """Return numbers as float32 where that holds them, else as float64."""
    narrow = pa.types.is_float32(values.type) or pa.types.is_float16(values.type)
    plain = values.to_numpy(zero_copy_only=False)
    return np.asarray(plain, dtype=np.float32 if narrow else np.float64)
