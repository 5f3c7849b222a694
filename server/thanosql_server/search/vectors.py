"""Arrow columns of vectors as numpy matrices, without copies where it can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
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
    """Return a column of vectors as a matrix and the mask of its usable rows.

    Args:
        column: n rows of fixed-size lists (or lists) of floats.
        dim: numbers per row.

    Returns:
        A float32 matrix (n, dim), zeros where unusable, and a boolean mask (n,): a row
        is unusable when it is NULL, has another length, or holds a NULL, NaN or
        infinite number. Fixed-size lists of float32 without such rows are not copied.
    """
    if pa.types.is_fixed_size_list(column.type) and column.type.list_size == dim:
        matrix = _view(column, dim)
        usable = ~_nulls(column)
    else:
        matrix, usable = _gather(column, dim)
    finite = np.isfinite(matrix.sum(axis=1, dtype=np.float64))
    usable &= finite
    if not usable.all():
        matrix = np.where(usable[:, None], matrix, np.float32(0))
    return matrix, usable


def _nulls(column: pa.Array) -> Mask:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _view(column: pa.Array, dim: int) -> Matrix:
    """Return the values below a fixed-size list, its slice offset respected.

    `flatten()` drops the values of NULL rows and `values` ignores the offset, so the
    rows are cut out of `values` by position.
    """
    values = column.values.slice(column.offset * dim, len(column) * dim)
    flat = values.to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), dim)


def _gather(column: pa.Array, dim: int) -> tuple[Matrix, Mask]:
    """Copy a column of variable-length lists row by row."""
    matrix = np.zeros((len(column), dim), dtype=np.float32)
    usable = np.zeros(len(column), dtype=np.bool_)
    for row, value in enumerate(column):
        numbers: Any = value.values if value.is_valid else None
        if numbers is not None and len(numbers) == dim and not numbers.null_count:
            matrix[row] = numbers.to_numpy(zero_copy_only=False)
            usable[row] = True
    return matrix, usable
