import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.search.vectors import as_matrix, dim_of, is_vector_type


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


def test_nulls_keep_their_place_and_are_not_usable():
    vectors = column([[1, 1, 1], None, [3, 3, 3]])
    matrix, usable = as_matrix(vectors, 3)
    assert matrix.tolist() == [[1, 1, 1], [0, 0, 0], [3, 3, 3]]
    assert usable.tolist() == [True, False, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_with_numbers_that_are_none_are_not_usable(bad):
    matrix, usable = as_matrix(column([[1, 2, 3], [1, bad, 3]]), 3)
    assert usable.tolist() == [True, False]
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize(
    "dtype",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float64(), 2),
    ],
)
def test_other_lists_of_floats_can_be_searched(dtype):
    matrix, usable = as_matrix(column([[1, 2], None, [3, 4]], dtype=dtype), 2)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[1, 2], [0, 0], [3, 4]]
    assert usable.tolist() == [True, False, True]


def test_rows_of_another_length_are_not_usable():
    vectors = column([[1, 2], [1], [1, None], [3, 4]], dtype=pa.list_(pa.float32()))
    assert as_matrix(vectors, 2)[1].tolist() == [True, False, False, True]


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
