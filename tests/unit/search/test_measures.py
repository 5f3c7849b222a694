"""Comparisons against float64, of vectors of any size and kind."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql_server.errors import InvalidData
from thanosql_server.search.exact import Comparison, compare_rows
from thanosql_server.search.measures import COSINE, DISTANCE, INNER, MEASURES

ALL = list(MEASURES.values())
finite = st.floats(allow_nan=False, allow_infinity=False)


def reference(measure, left, right):
    """The result in exact arithmetic as far as `math` has it, None if undefined."""
    if not all(map(math.isfinite, (*left, *right))):
        return None
    if measure is DISTANCE:
        return math.dist(left, right)
    if measure is INNER:
        return sum(a * b for a, b in zip(left, right, strict=True))
    if not any(left) or not any(right):
        return None
    left, right = scaled(left), scaled(right)
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return dot / math.hypot(*left) / math.hypot(*right)


def scaled(vector):
    greatest = max(map(abs, vector))
    return [number / greatest for number in vector]


@given(data=st.data(), measure=st.sampled_from(ALL), dim=st.integers(1, 6))
def test_any_numbers_compare_as_in_float64(data, measure, dim):
    number = st.one_of(finite, st.sampled_from([0.0, math.nan, math.inf, -math.inf]))
    vector = st.lists(number, min_size=dim, max_size=dim)
    left, right = data.draw(vector), data.draw(vector)
    expected = reference(measure, left, right)
    column = pa.array([left], pa.list_(pa.float64()))
    query = np.array(right)
    [found] = Comparison(lambda: query, measure).scores(column).to_pylist()
    [paired] = compare_rows(column, pa.array([right]), measure).to_pylist()
    for value in (found, paired):
        if expected is None or math.isnan(expected):
            assert value is None
        elif measure is INNER:
            size = sum(abs(a * b) for a, b in zip(left, right, strict=True))
            assert value == pytest.approx(expected, abs=1e-9 * size, rel=1e-9)
        else:
            assert value == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_lengths_whose_product_is_no_float_are_compared():
    for size in (1e77, 1e-139):
        column = pa.array([[size, 0.0]])
        found = Comparison(lambda size=size: np.array([size, size])).scores(column)
        assert found.to_pylist() == [pytest.approx(0.5**0.5, abs=1e-6)]


@pytest.mark.parametrize("measure", ALL, ids=lambda one: one.name)
def test_narrow_and_wide_columns_agree(measure):
    rng = np.random.default_rng(0)
    rows, query = rng.standard_normal((50, 700)), rng.standard_normal(700)
    expected = [reference(measure, row, query) for row in rows.tolist()]
    narrow = pa.array(rows.astype("f4").tolist(), pa.list_(pa.float32(), 700))
    wide = pa.array(rows.tolist(), pa.list_(pa.float64(), 700))
    for column in (narrow, wide):
        found = Comparison(lambda: query, measure).scores(column).to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


def test_very_long_vectors_are_compared_as_exactly():
    rng = np.random.default_rng(0)
    rows = np.abs(rng.standard_normal((5, 20_000))).astype("f4")
    expected = [reference(COSINE, row, rows[0].tolist()) for row in rows.tolist()]
    column = pa.array(rows.tolist(), pa.list_(pa.float32(), 20_000))
    found = Comparison(lambda: rows[0]).scores(column).to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("measure", ALL, ids=lambda one: one.name)
def test_equal_rows_compare_equally_wherever_they_stand(measure):
    rng = np.random.default_rng(1)
    row, query = rng.standard_normal((2, 512)).astype("f4")
    rows = np.repeat(row[None], 600, axis=0)
    many, _ = measure.compare(rows, query)
    several, _ = measure.compare(rows[:7], np.repeat(query[None], 7, axis=0))
    assert len({*many.tolist(), *several.tolist()}) == 1


def test_rows_of_several_lengths_are_compared_among_themselves():
    left = pa.array([[1.0], [3.0, 4.0], None, [2.0], [1.0]])
    right = pa.array([[1.0], [0.0, 0.0], [1.0], None, [3.0]])
    found = compare_rows(left, right, DISTANCE)
    assert found.to_pylist() == [0, 5, None, None, 2]
    nothing = compare_rows(left.slice(2, 1), right.slice(2, 1), DISTANCE)
    assert nothing.to_pylist() == [None]
    assert compare_rows(left[:0], right[:0], COSINE).to_pylist() == []


def test_other_lengths_are_an_error_or_have_no_result():
    column = pa.array([[1.0, 0.0], None, [1.0]])
    query = np.array([1.0, 0.0])
    assert Comparison(lambda: query).scores(column).to_pylist() == [1, None, None]
    sentence = "compares vectors of one length, and these have 1 and 2"
    with pytest.raises(InvalidData, match=sentence):
        Comparison(lambda: query, strict=True).scores(column)
    with pytest.raises(InvalidData, match="these have 2 and 1"):
        compare_rows(column, pa.array([[1.0], [1.0], [1.0]]), INNER)


def test_the_nearest_by_distance_come_first():
    column = pa.array([[5.0], [1.0], None, [2.0], [1.5]])
    batch = pa.record_batch([column, pa.array(range(5), pa.uint64())], ["v", "id"])
    comparison = Comparison(lambda: np.array([1.4]), DISTANCE)
    assert comparison.nearest([batch], "v", "id", 3) == [4, 1, 3]
    assert comparison.nearest([batch], "v", "id", 9) == [4, 1, 3, 0, 2]
