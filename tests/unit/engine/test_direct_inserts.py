"""INSERT without planning: the same rows and the same errors as with it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from thanosql_server.engine import direct_inserts
from thanosql_server.errors import NotNullViolation, ThanoSQLError
from thanosql_server.storage.newest import NEWEST

COLUMNS = {
    "i8": "TINYINT",
    "i32": "INTEGER",
    "i64": "BIGINT",
    "u32": "INTEGER UNSIGNED",
    "f32": "REAL",
    "f64": "DOUBLE",
    "s": "VARCHAR(20)",
    "b": "BOOLEAN",
    "d": "DATE",
    "ts": "TIMESTAMP",
    "dec": "DECIMAL(10, 2)",
    "bin": "BYTEA",
    "v": "FLOAT[2]",
}

LITERALS = [
    "0", "-1", "+7", "127", "128", "300", "2147483648", "9223372036854775807",
    "999999999999999999", "1.5", "-0.1", "16777217", "0.1", "1e3", "'a'", "''", "'1'",
    "'it''s'", "'back\\slash'", "'한글'", "NULL", "null", "TRUE", "false", "1 + 1",
    "'2024-02-29'", "'nonsense'", "DATE '2024-02-29'", "now() - now()", "[1.0, 2.0]",
    "'two\nlines'", "- 1", "DEFAULT",
]  # fmt: skip

VALUES = [
    0, -1, 127, 300, 1 << 40, (1 << 53) + 1, 1.5, 0.1, 1e300, float("nan"), "a", "",
    "12", True, None, b"\x00", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3),
    Decimal("1.25"), [1.0, 2.0],
]  # fmt: skip


@pytest.fixture
def used(monkeypatch):
    """Note for each INSERT whether it was carried out directly."""
    seen = []
    plan = direct_inserts.plan

    def noted(*arguments):
        found = plan(*arguments)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(direct_inserts, "plan", noted)
    return seen


def compare(run, monkeypatch, kind, inserts):
    """Insert in two tables, directly where it can be and planned; compare all."""
    found = []
    for name in ("direct", "planned"):
        run(f"CREATE TABLE {name} (id BIGINT, x {kind} DEFAULT NULL)")
        errors = {}
        with monkeypatch.context() as patch:
            if name == "planned":
                patch.setattr(direct_inserts, "plan", lambda *arguments: None)
            for number, (value, parameters) in enumerate(inserts):
                try:
                    sql = f"INSERT INTO {name} VALUES ({number}, {value})"
                    run(sql, *parameters)
                except ThanoSQLError as error:
                    text = str(error).replace(name, "t").partition(" at line")[0]
                    errors[number] = (type(error), text)
        found.append((errors, run(f"SELECT * FROM {name} ORDER BY id")))
    (errors, direct), (expected_errors, planned) = found
    assert errors == expected_errors
    assert direct.schema == planned.schema
    if pa.types.is_floating(direct.schema.field("x").type):
        direct, planned = repr(direct.to_pylist()), repr(planned.to_pylist())  # NaN
    assert direct == planned


@pytest.mark.parametrize("column", COLUMNS)
def test_literals_mean_what_they_mean_when_planned(run, monkeypatch, used, column):
    inserts = [(literal, ()) for literal in LITERALS]
    compare(run, monkeypatch, COLUMNS[column], inserts)
    assert True in used
    assert False in used


@pytest.mark.parametrize("column", COLUMNS)
def test_parameters_mean_what_they_mean_when_planned(run, monkeypatch, used, column):
    inserts = [("?", (value,)) for value in VALUES]
    compare(run, monkeypatch, COLUMNS[column], inserts)
    assert True in used


PLAIN = [
    ("INSERT INTO t VALUES (1, 'a', 0.5)", ()),
    ("INSERT INTO t VALUES (?, ?, ?);", (1, "a", 0.5)),
    ("INSERT INTO t VALUES ($3, $2, $1)", (0.5, "a", 1)),
    ("INSERT INTO t (ID, s, F) VALUES (1, ?, 0.5)", ("a",)),
    ("insert into public.t (s, id) values ('a', 1) -- f is 0.5\n", ()),
    ("INSERT INTO t /* here */ VALUES\n(1,\n'a' , 0.5\n)\n", ()),
]


@pytest.mark.parametrize(("sql", "parameters"), PLAIN)
def test_ways_to_say_it(run, used, sql, parameters):
    run("CREATE TABLE t (id INTEGER NOT NULL, s VARCHAR, f DOUBLE DEFAULT 0.5)")
    run(sql, *parameters)
    assert run.rows("SELECT * FROM t") == [(1, "a", 0.5)]
    expected = "--" not in sql  # a comment behind it is looked at by the planner
    assert used == [expected]


PLANNED = [
    "INSERT INTO t SELECT 1, 'a', 0.5",
    "INSERT INTO t VALUES (1, lower('A'), 0.5)",
    "INSERT INTO t VALUES (1, 'a', 0.5), (2, 'b', 1 / 2.0)",
    "INSERT INTO t (id, s, g) VALUES (1, 'a', now())",
]


@pytest.mark.parametrize("sql", PLANNED)
def test_all_else_is_planned(run, used, sql):
    run(
        "CREATE TABLE t (id INTEGER, s VARCHAR, f DOUBLE DEFAULT 0.5, "
        "g TIMESTAMP DEFAULT now())"
    )
    sql = sql.replace("INTO t ", "INTO t (id, s, f) ", "(id, s, g)" not in sql)
    run(sql)
    assert used == [False]
    assert run.rows("SELECT id, s, f FROM t")[0] == (1, "a", 0.5)


def test_more_rows_at_once(run, used):
    run("CREATE TABLE t (id INTEGER, s VARCHAR)")
    rows = ", ".join(f"({n}, 'x{n}')" for n in range(direct_inserts.MOST_ROWS))
    run(f"INSERT INTO t VALUES {rows}")
    run(f"INSERT INTO t VALUES {rows}, (100, ?)", "y")
    assert used == [True, False]
    assert run.rows("SELECT count(*), max(id), count(s) FROM t") == [(201, 100, 201)]


def test_a_null_that_is_not_allowed(run, used):
    run("CREATE TABLE t (id INTEGER NOT NULL, s VARCHAR)")
    for sql in ("INSERT INTO t VALUES (NULL, 'a')", "INSERT INTO t (s) VALUES ('a')"):
        with pytest.raises(NotNullViolation, match="column 'id' is NOT NULL"):
            run(sql)
    assert used == [True, True]
    assert run.rows("SELECT * FROM t") == []


def test_a_column_of_which_more_is_declared_is_planned(run, used):
    """Whoever adds a kind of column has to say here what its values are."""
    schema = pa.schema([pa.field("a", pa.int64(), metadata={"thanosql:new": "x"})])
    run.workspace.tables.define("t", schema)
    run("INSERT INTO t VALUES (1)")
    assert used == [False]


def test_each_is_a_commit_that_others_see(run, used):
    run("CREATE TABLE t (id INTEGER)")
    for n in range(5):
        run("INSERT INTO t VALUES (?)", n)
        assert run.rows("SELECT count(*), max(id) FROM t") == [(n + 1, n)]
    assert run.rows("SELECT count(*) FROM t VERSION AS OF 3") == [(2,)]
    assert NEWEST.is_known(run.workspace.tables.folder_of("t"))
    assert used == [True] * 5
