"""ON CONFLICT means what it means in SQLite: the same rows and counts after each."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thanosql

COLUMNS = "(id INT PRIMARY KEY, n BIGINT, name TEXT)"
KEYS = st.integers(0, 5)
NUMBERS = st.none() | st.integers(-3, 3)
NAMES = st.none() | st.sampled_from(["a", "b", ""])
ROWS = st.lists(st.tuples(KEYS, NUMBERS, NAMES), min_size=1, max_size=6)
# SQLite changes a row twice in one command, which PostgreSQL and we refuse.
ONCE = st.lists(
    st.tuples(KEYS, NUMBERS, NAMES),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)
VALUES = st.sampled_from(
    [
        "n = EXCLUDED.n",
        "n = t.n + EXCLUDED.n",
        "name = EXCLUDED.name, n = coalesce(t.n, 0) - 1",
        "n = (SELECT max(id) FROM t), name = t.name || EXCLUDED.name",
        "name = CASE WHEN EXCLUDED.n > 0 THEN 'more' ELSE t.name END",
        "n = NULL",
    ]
)
CONDITIONS = st.sampled_from(
    [
        "",
        "t.n < EXCLUDED.n",
        "t.name IS NULL",
        "EXCLUDED.n IN (1, 2)",
        "NULL",
        "t.id > 2",
    ]
)


def literal(row):
    return "(" + ", ".join("NULL" if one is None else repr(one) for one in row) + ")"


def inserted(rows, end, query):
    values = f"VALUES {', '.join(map(literal, rows))}"
    if query:
        # SQLite reads ON CONFLICT after FROM as the condition of a join, but for WHERE.
        values = f"SELECT * FROM ({values}) AS v WHERE true"
    return f"INSERT INTO t {values} ON CONFLICT {end}"


UPDATES = st.builds(
    lambda rows, sets, where, query: inserted(
        rows, f"(id) DO UPDATE SET {sets}{' WHERE ' + where if where else ''}", query
    ),
    ONCE,
    VALUES,
    CONDITIONS,
    st.booleans(),
)
SKIPS = st.builds(
    inserted, ROWS, st.sampled_from(["DO NOTHING", "(id) DO NOTHING"]), st.booleans()
)
OTHERS = st.sampled_from(["DELETE FROM t WHERE id < 2", "UPDATE t SET n = n + 1"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upserts") / "workspace"
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        yield cursor


def compare(cursor, columns, statements):
    with sqlite3.connect(":memory:") as other:
        other.execute(f"CREATE TABLE t {columns}")
        cursor.execute(f"CREATE OR REPLACE TABLE t {columns}")
        for sql in statements:
            expected = other.execute(sql).rowcount
            assert cursor.execute(sql).rowcount == expected, sql
            every = "SELECT * FROM t ORDER BY 1, 2, 3"
            ours = cursor.execute(every).fetchall()
            assert sorted(ours, key=repr) == sorted(
                other.execute(every).fetchall(), key=repr
            ), sql
    other.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(statements=st.lists(UPDATES | SKIPS | OTHERS, min_size=1, max_size=4))
def test_statements_leave_the_rows_that_sqlite_leaves(shared, statements):
    compare(shared, COLUMNS, statements)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=3))
def test_several_keys_at_once_skip_what_sqlite_skips(shared, rows):
    columns = "(id INT PRIMARY KEY, n BIGINT, name TEXT UNIQUE, UNIQUE (n, name))"
    compare(shared, columns, [inserted(one, "DO NOTHING", False) for one in rows])
