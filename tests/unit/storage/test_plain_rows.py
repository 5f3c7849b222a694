"""Vectors are read by their place where they lie as they are, and nowhere else."""

import numpy as np
import pyarrow as pa
import pytest

ROWS = 20_000


def vectors(dim, dtype="f4", missing=()):
    matrix = np.random.default_rng(dim).standard_normal((ROWS, dim)).astype(dtype)
    mask = np.isin(np.arange(ROWS), list(missing))
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(matrix.ravel()), dim, mask=pa.array(mask) if len(missing) else None
    )
    return matrix, column


def located(tables, column, dim, name="t"):
    """Return where the vectors lie; they stand between two other columns."""
    ids = pa.array(range(ROWS))
    rows = pa.table({"id": ids, "e": column, "text": ids.cast(pa.string())})
    tables.create(name, rows.to_reader(3000))
    table = tables.open(name)
    (fragment,) = table.fragments("e")
    return table.plain_rows(fragment, dim)


@pytest.mark.parametrize("dim", [96, 512])
def test_rows_are_read_by_their_place(tables, dim):
    matrix, column = vectors(dim)
    plain = located(tables, column, dim)
    assert plain is not None
    random = np.random.default_rng(0)
    for rows in (
        np.arange(ROWS),
        np.sort(random.choice(ROWS, 60, replace=False)),
        np.array([0, 1, 2, 8191, 8192, ROWS - 1]),
        np.array([ROWS - 1]),
        np.array([], np.intp),
    ):
        found = plain.read(rows)
        assert found.dtype == np.float32
        assert found.tobytes() == matrix[rows].tobytes()
        assert plain.holds(rows, matrix[rows])


def test_another_bit_is_noticed(tables):
    matrix, column = vectors(96)
    plain, rows = located(tables, column, 96), np.arange(50, 60)
    other = matrix[rows]
    other[3, 7] = np.nextafter(other[3, 7], np.float32(9))
    assert not plain.holds(rows, other)
    assert not plain.holds(rows + 1, matrix[rows])


def test_bits_of_nan_count(tables):
    matrix = np.full((ROWS, 96), np.nan, np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), 96)
    plain = located(tables, column, 96)
    assert plain.holds(np.arange(9), matrix[:9])


@pytest.mark.parametrize(
    ("dim", "dtype", "missing"),
    [(2, "f4", ()), (96, "f4", (5, 9000)), (96, "f2", ()), (96, "f8", ())],
    ids=["short", "with NULLs", "float16", "float64"],
)
def test_what_lies_otherwise_is_not_read(tables, dim, dtype, missing):
    assert located(tables, vectors(dim, dtype, missing)[1], dim) is None


def test_a_column_without_values_lies_nowhere(tables):
    _, column = vectors(96)
    located(tables, column, 96)
    field = pa.field("later", pa.list_(pa.float32(), 96))
    tables.open("t").add_column(field, iter([pa.nulls(ROWS, field.type)]))
    table = tables.open("t")
    (fragment,) = table.fragments("later")
    assert table.plain_rows(fragment, 96) is None


def test_an_added_column_is_read_from_its_own_file(tables):
    located(tables, vectors(96)[1], 96)
    matrix, column = vectors(128)
    field = pa.field("later", column.type)
    tables.open("t").add_column(field, iter([column]))
    table = tables.open("t")
    (fragment,) = table.fragments("later")
    plain = table.plain_rows(fragment, 128)
    assert plain.read(np.array([7, 19_000])).tobytes() == matrix[[7, 19_000]].tobytes()


def test_a_file_that_is_gone_or_shorter_is_an_error(tables):
    matrix, column = vectors(96)
    plain = located(tables, column, 96)
    with open(plain.file, "r+b") as file:
        file.truncate(int(plain.places[-1]) + 10)
    with pytest.raises(OSError, match="shorter"):
        plain.read(np.array([ROWS - 1]))
    assert not plain.holds(np.array([ROWS - 1]), matrix[-1:])
    plain.file.unlink()
    with pytest.raises(FileNotFoundError):
        plain.read(np.array([0]))
    assert not plain.holds(np.array([0]), matrix[:1])
