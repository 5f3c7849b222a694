"""Results have the types that were announced, and those are the right ones."""

from __future__ import annotations

import pyarrow as pa
import pytest

from thanosql_server.engine.result_columns import decoded

CASES = {
    "SELECT a FROM n UNION ALL SELECT b FROM n": [("1",), ("600",), ("one",), ("two",)],
    "SELECT CASE WHEN a > 500 THEN a ELSE 'small' END FROM n": [("600",), ("small",)],
    "SELECT NULL AS x UNION ALL SELECT 11": [(11,), (None,)],
    "SELECT arrow_cast('x', 'Dictionary(Int32, Utf8)')": [("x",)],
    "SELECT array_agg(arrow_cast(b, 'Dictionary(Int32, Utf8)') ORDER BY b) FROM n": [
        (["one", "two"],)
    ],
    "SELECT named_struct('d', arrow_cast(b, 'Dictionary(Int8, Utf8)')) FROM n": [
        ({"d": "one"},),
        ({"d": "two"},),
    ],
    "SELECT l FROM n WHERE l = [1, 2]": [([1, 2],)],
    "SELECT a FROM n WHERE l < [3] AND a > 0": [(1,)],
    "SELECT n.a FROM n INNER JOIN m ON NULL RIGHT JOIN k ON TRUE": [(None,)],
}


@pytest.fixture
def some(run):
    run("CREATE TABLE n (a BIGINT, b TEXT, l BIGINT[])")
    run("INSERT INTO n VALUES (1, 'one', [1, 2]), (600, 'two', [4])")
    run("CREATE TABLE m AS SELECT 1 AS c")
    run("CREATE TABLE k AS SELECT 2 AS d")
    return run


@pytest.mark.parametrize("sql", CASES)
def test_values_come_whole(sql, some):
    assert sorted(some.rows(sql), key=str) == CASES[sql]


def test_a_decimal_is_rounded_to_its_digits(run):
    assert str(run.rows("SELECT round(2.345::decimal(10, 3), 2::int)")[0][0]) == "2.35"


def test_a_table_made_of_a_union_has_the_common_type(some):
    some("CREATE TABLE u AS SELECT a FROM n UNION ALL SELECT b FROM n")
    assert some("SELECT * FROM u").schema.types == [pa.string()]


def test_a_query_that_can_never_run_has_columns_all_the_same(run):
    assert run.engine.plan("SELECT 1 / 0 AS x").schema.names == ["x"]


def test_runs_and_dictionaries_stand_for_their_values():
    runs = pa.run_end_encoded(pa.int32(), pa.dictionary(pa.int8(), pa.string()))
    assert decoded(runs) == pa.string()
    assert decoded(pa.large_list(runs)) == pa.large_list(pa.string())
    assert decoded(pa.list_(pa.float32(), 4)) == pa.list_(pa.float32(), 4)
