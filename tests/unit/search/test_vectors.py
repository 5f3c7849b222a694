import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.search.vectors import (
    as_matrix,
    dim_of,
    is_vector_type,
    lengths,
)


def column(rows, dim=3, dtype=None):
    return pa.array(rows, dtype or pa.list_(pa.float32(), dim))


def test_fixed_size_lists_are_not_copied():
    vectors = column([[1, 2, 3], [4, 5, 6]])
    matrix, usable = as_matrix(vectors, 3)
    assert matrix.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert usable.all()
    assert matrix.ctypes.data == vectors.values.buffers()[1].address


def test_a_slice_keeps_its_own_rows():
    vectors = column([[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]]).slice(1, 2)
    assert as_matrix(vectors, 3)[0].tolist() == [[2, 2, 2], [3, 3, 3]]


def test_nulls_keep_their_place_and_are_no_vectors():
    vectors = column([[1, 1, 1], None, [3, 3, 3]])
    matrix, there = as_matrix(vectors, 3)
    assert matrix[[0, 2]].tolist() == [[1, 1, 1], [3, 3, 3]]
    assert there.tolist() == [True, False, True]


def test_a_null_among_the_numbers_is_nan():
    for dtype in (pa.list_(pa.float32(), 2), pa.list_(pa.int64())):
        matrix, there = as_matrix(column([[1, None], [2, 3]], dtype=dtype), 2)
        assert there.all()
        assert np.isnan(matrix).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    "dtype",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float64(), 2),
        pa.list_(pa.float16(), 2),
        pa.list_(pa.int32()),
    ],
)
def test_other_lists_of_numbers_can_be_compared(dtype):
    rows = [[9, 9], [1, 2], None, [3, 4], [9]]
    rows = [
        row and [dtype.value_type.to_pandas_dtype()(n) for n in row] for row in rows
    ]
    length = 4 if pa.types.is_fixed_size_list(dtype) else 5
    vectors = column(rows[:length], dtype=dtype).slice(1, 3)
    matrix, there = as_matrix(vectors, 2)
    narrow = pa.types.is_float32(dtype.value_type) or pa.types.is_float16(
        dtype.value_type
    )
    assert matrix.dtype == (np.float32 if narrow else np.float64)
    assert matrix[[0, 2]].tolist() == [[1, 2], [3, 4]]
    assert there.tolist() == [True, False, True]
    assert lengths(vectors).tolist() == [2, -1, 2]


def test_rows_of_another_length_are_no_vectors():
    vectors = column([[1, 2], [1], None, [], [3, 4]], dtype=pa.list_(pa.float32()))
    matrix, there = as_matrix(vectors, 2)
    assert there.tolist() == [True, False, False, False, True]
    assert matrix[there].tolist() == [[1, 2], [3, 4]]
    assert not as_matrix(column([[1, 2, 3]]), 2)[1].any()


def test_no_rows_give_an_empty_matrix():
    matrix, usable = as_matrix(column([]), 3)
    assert matrix.shape == (0, 3)
    assert usable.shape == (0,)


def test_only_lists_of_floats_are_vectors():
    assert is_vector_type(pa.list_(pa.float32(), 4))
    assert is_vector_type(pa.list_(pa.float64()))
    assert not is_vector_type(pa.string())
    assert not is_vector_type(pa.list_(pa.int32()))
    assert dim_of(pa.list_(pa.float32(), 4)) == 4
    assert dim_of(pa.list_(pa.float32())) is None
