"""Tables defined column by column, their defaults, and who refuses NULLs."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

import thanosql

TYPES = [
    ("TINYINT", "int8", 1),
    ("SMALLINT", "int16", 1),
    ("INT", "int32", 1),
    ("BIGINT", "int64", 1),
    ("INT UNSIGNED", "uint32", 1),
    ("UBIGINT", "uint64", 2**62),
    ("REAL", "float", 1.5),
    ("FLOAT(53)", "double", 1.5),
    ("DOUBLE PRECISION", "double", 1.5),
    ("DECIMAL(10, 2)", "decimal128(10, 2)", Decimal("1.50")),
    ("DECIMAL(50, 2)", "decimal256(50, 2)", Decimal("1.50")),
    ("BOOLEAN", "bool", True),
    ("VARCHAR(3)", "string", "longer"),
    ("CHARACTER VARYING(3)", "string", "x"),
    ("IMAGE", "string", "a.jpg"),
    ("BYTEA", "binary", b"x"),
    ("VARBINARY(5)", "binary", b"x"),
    ("DATE", "date32[day]", datetime.date(9999, 12, 31)),
    ("TIME", "time64[ns]", datetime.time(1, 2, 3)),
    ("TIME(2)", "time32[ms]", datetime.time(1, 2, 3)),
    ("TIME(4)", "time64[us]", datetime.time(1, 2, 3)),
    ("TIMESTAMP", "timestamp[us]", datetime.datetime(9999, 12, 31, 1, 2, 3, 4)),
    ("TIMESTAMP(3)", "timestamp[ms]", datetime.datetime(2024, 1, 2)),
    ("TIMESTAMP(0)", "timestamp[s]", datetime.datetime(2024, 1, 2)),
    ("TIMESTAMP(5)", "timestamp[us]", datetime.datetime(2024, 1, 2)),
    ("TIMESTAMP(7) WITHOUT TIME ZONE", "timestamp[ns]", datetime.datetime(2024, 1, 2)),
    ("TIMESTAMPTZ", "timestamp[us, tz=UTC]",
     datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)),
    ("TIMESTAMP WITH TIME ZONE[]", "list<item: timestamp[us, tz=UTC]>",
     [datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)]),
    ("INT[]", "list<item: int32>", [1, 2]),
    ("TEXT[][]", "list<item: list<item: string>>", [["a"], []]),
    ("VECTOR(3)", "fixed_size_list<item: float>[3]", [1.0, 2.0, 3.0]),
    ("FLOAT[2]", "fixed_size_list<item: float>[2]", [1.0, 2.0]),
    ("STRUCT<a INT, b TEXT[]>", "struct<a: int32, b: list<item: string>>",
     {"a": 1, "b": ["x"]}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "stored", "value"), TYPES)
def test_a_column_of_every_type_holds_its_values(empty_cursor, written, stored, value):
    cursor = empty_cursor
    cursor.execute(f"CREATE TABLE t (n INT, c {written})")
    cursor.execute("INSERT INTO t VALUES (1, ?)", [value])
    cursor.execute("INSERT INTO t (n) VALUES (2)")
    cursor.execute("SELECT c FROM t ORDER BY n")
    table = cursor.fetch_arrow_table()
    assert str(table.schema.field("c").type) == stored
    assert table.column("c").to_pylist() == [value, None]
    cursor.execute("UPDATE t SET c = ? WHERE n = 2", [value])
    cursor.execute("SELECT DISTINCT n FROM t WHERE c IS NOT NULL ORDER BY n")
    assert cursor.fetchall() == [(1,), (2,)]


@pytest.fixture
def declared(empty_cursor):
    empty_cursor.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x' || 'y' "
        "COMMENT 'what it is called', price DECIMAL(5, 2) DEFAULT 1.5, file IMAGE) "
        "COMMENT 'things'"
    )
    assert empty_cursor.rowcount == 0
    return empty_cursor


def test_what_is_not_given_has_its_default(declared):
    declared.execute("INSERT INTO t (id) VALUES (1), (2)")
    declared.execute("INSERT INTO t VALUES (?, DEFAULT, 2.555, default)", ["3"])
    declared.execute("INSERT INTO t (file, ID) SELECT 'a.jpg', 4")
    declared.execute("INSERT INTO t VALUES (5, 'n', NULL, NULL)")
    rows = declared.execute("SELECT * FROM t").fetchall()
    assert rows == [
        (1, "xy", Decimal("1.50"), None),
        (2, "xy", Decimal("1.50"), None),
        (3, "xy", Decimal("2.56"), None),
        (4, "xy", Decimal("1.50"), "a.jpg"),
        (5, "n", None, None),
    ]
    declared.execute("UPDATE t SET name = DEFAULT, price = DEFAULT WHERE id = 5")
    declared.execute("SELECT name, price FROM t WHERE id = 5")
    assert declared.fetchall() == [("xy", Decimal("1.50"))]


def test_a_copy_that_appends_gives_defaults(declared, write_csv):
    name = write_csv("more.csv", [["id", "file"], ["1", "a.jpg"], ["2", ""]])
    declared.execute(f"COPY t OPTIONS (if_exists='append') FROM '{name}'")
    assert declared.rowcount == 2
    rows = declared.execute("SELECT * FROM t").fetchall()
    price = Decimal("1.50")
    assert rows == [(1, "xy", price, "a.jpg"), (2, "xy", price, None)]


def test_a_default_is_computed_for_each_row(empty_cursor):
    empty_cursor.execute("CREATE TABLE t (a INT, u TEXT DEFAULT uuid())")
    empty_cursor.execute("INSERT INTO t (a) SELECT * FROM generate_series(1, 100)")
    empty_cursor.execute("SELECT count(DISTINCT u) FROM t")
    assert empty_cursor.fetchall() == [(100,)]
    empty_cursor.execute("INSERT INTO t DEFAULT VALUES")
    empty_cursor.execute("SELECT count(u) FROM t WHERE a IS NULL")
    assert empty_cursor.fetchall() == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (name) VALUES ('x')",
        "INSERT INTO t VALUES (NULL, 'x', 1, NULL)",
        "INSERT INTO t (id, name) VALUES (7, NULL)",
        "INSERT INTO t (id) SELECT NULL",
        "INSERT INTO t DEFAULT VALUES",
        "UPDATE t SET id = NULL",
        "UPDATE t SET name = nullif(name, 'xy')",
        "COPY t OPTIONS (if_exists='append') FROM 'nulls.csv'",
        "COPY t OPTIONS (if_exists='append') FROM 'lacking.csv'",
    ],
)
def test_a_null_is_refused_where_none_is_allowed(declared, write_csv, sql):
    write_csv("nulls.csv", [["id", "name"], ["8", ""]])
    write_csv("lacking.csv", [["name"], ["x"]])
    declared.execute("INSERT INTO t (id) VALUES (1)")
    with pytest.raises(thanosql.IntegrityError, match="is NOT NULL, and a row") as e:
        declared.execute(sql)
    assert e.value.sqlstate == "23502"
    declared.execute("SELECT id, name FROM t")
    assert declared.fetchall() == [(1, "xy")]


def test_what_is_declared_is_listed(declared):
    declared.execute("COMMENT ON COLUMN t.ID IS 'number'")
    declared.execute("COMMENT ON COLUMN t.name IS NULL")
    declared.execute(
        "SELECT * EXCLUDE (table_schema, table_name, data_type, "
        "declared_type) FROM thanosql.columns"
    )
    assert declared.fetchall() == [
        ("id", 1, False, None, 1, None, "number", "NEVER", None),
        ("name", 2, False, "'x' || 'y'", None, None, None, "NEVER", None),
        ("price", 3, True, "1.5", None, None, None, "NEVER", None),
        ("file", 4, True, None, None, "image", None, "NEVER", None),
    ]
    declared.execute("SELECT is_nullable FROM information_schema.columns "
                     "WHERE table_name = 't' ORDER BY ordinal_position")  # fmt: skip
    assert declared.fetchall() == [("NO",), ("NO",), ("YES",), ("YES",)]


def test_a_table_made_of_another_has_its_columns_and_no_more(declared):
    declared.execute("INSERT INTO t (id) VALUES (1)")
    declared.execute("CREATE TABLE u AS SELECT * FROM t")
    declared.execute("INSERT INTO u (file) VALUES (NULL)")
    declared.execute("SELECT id, name, price FROM u WHERE id IS NULL")
    assert declared.fetchall() == [(None, None, None)]


def test_a_table_is_replaced_or_left(declared):
    declared.execute("CREATE TABLE IF NOT EXISTS t (a INT)")
    declared.execute("INSERT INTO t (id) VALUES (1)")
    declared.execute("CREATE OR REPLACE TABLE t (a INT DEFAULT 3)")
    declared.execute("SELECT * FROM t")
    assert [one[0] for one in declared.description] == ["a"]
    assert declared.fetchall() == []
    declared.execute("INSERT INTO t DEFAULT VALUES")
    assert declared.execute("SELECT * FROM t").fetchall() == [(3,)]


def test_schemas_of_tools_are_accepted(empty_cursor):
    empty_cursor.execute("CREATE SCHEMA IF NOT EXISTS public")
    empty_cursor.execute("DROP SCHEMA IF EXISTS other CASCADE")
