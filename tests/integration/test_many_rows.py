"""INSERT for many rows of parameters: one commit for all of them, or none."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

import thanosql
from thanosql_server.config import Config
from thanosql_server.storage.workspace import Workspace


@pytest.fixture
def cursor(empty_cursor):
    empty_cursor.execute(
        "CREATE TABLE t (id INT NOT NULL, s TEXT DEFAULT 'd', d DECIMAL(5, 2), "
        "at TIMESTAMP, v VECTOR(2))"
    )
    return empty_cursor


@pytest.fixture
def version(tmp_path):
    def read():
        workspace = Workspace.open(Config(tmp_path))
        try:
            return workspace.tables.open("t").version
        finally:
            workspace.close()

    return read


@pytest.fixture
def rows(cursor):
    return lambda what="*": cursor.execute(f"SELECT {what} FROM t").fetchall()


def test_all_rows_are_one_commit(cursor, rows, version):
    before = version()
    many = [(n, f"s{n}") for n in range(20_000)]
    cursor.executemany("INSERT INTO t (id, s) VALUES (?, ?)", many)
    assert cursor.rowcount == 20_000
    assert version() == before + 1
    assert rows("id, s") == many


def test_values_take_the_types_of_their_columns(cursor, rows):
    moment = datetime.datetime(2024, 1, 2, 3, 4)
    given = [
        ("1", 7, Decimal("1.239"), moment, [1, 2]),
        ("2", None, None, None, None),
    ]
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", given)
    assert rows() == [
        (1, "7", Decimal("1.24"), moment, [1.0, 2.0]),
        (2, None, None, None, None),
    ]


def test_expressions_and_defaults_are_computed_for_each_row(cursor, rows):
    sql = "INSERT INTO t (d, id, s) VALUES ($2, $1 + $2 * 2, DEFAULT)"
    cursor.executemany(sql, [(1, 10), (2, 20)])
    assert rows("id, s, d") == [(21, "d", Decimal(10)), (42, "d", Decimal(20))]
    cursor.executemany("INSERT INTO t (id) VALUES (abs(?))", [(-5,), (6,)])
    assert rows("id, s")[2:] == [(5, "d"), (6, "d")]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([(1, "a"), (None, "b")], thanosql.IntegrityError, "column 'id' is NOT NULL"),
        ([("1", "a"), ("x", "b")], thanosql.DataError, "does not fit column 'id'"),
        ([(1.0, "a"), (1.5, "b")], thanosql.DataError, "does not fit column 'id'"),
    ],
)
def test_one_wrong_row_leaves_none(cursor, rows, values, error, message):
    with pytest.raises(error, match=message):
        cursor.executemany("INSERT INTO t (id, s) VALUES (?, ?)", values)
    assert rows() == []


def test_the_number_of_values_is_checked(cursor, rows):
    with pytest.raises(thanosql.ProgrammingError, match="has 2 parameters"):
        cursor.executemany("INSERT INTO t (id, s) VALUES (?, ?)", [(1,), (2,)])
    with pytest.raises(thanosql.ProgrammingError, match="column count"):
        cursor.executemany("INSERT INTO t (id) VALUES (?, ?)", [(1, 2), (2, 3)])
    assert rows() == []


def test_statements_of_other_kinds_run_once_for_each_row(cursor, rows):
    two = "INSERT INTO t (id) VALUES (?), (?)"
    cursor.executemany(two, [(1, 2), (3, 4)])
    assert cursor.rowcount == 4
    cursor.executemany("INSERT INTO t (id) SELECT ? + 10", [(1,), (2,)])
    cursor.executemany("UPDATE t SET s = ? WHERE id = ?", [("x", 1), ("y", 11)])
    assert cursor.rowcount == 2
    assert rows("id, s") == [
        (1, "x"),
        (2, "d"),
        (3, "d"),
        (4, "d"),
        (11, "y"),
        (12, "d"),
    ]
    cursor.executemany("INSERT INTO t (id) VALUES (?)", [])
    assert len(rows()) == 6
