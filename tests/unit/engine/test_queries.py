"""Queries through the engine: order, settings, catalog, memory, errors."""

import threading

import pyarrow as pa
import pytest

from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    DamagedTable,
    DuplicateObject,
    InvalidData,
    InvalidStatement,
    NotSupported,
    Position,
    SyntaxError_,
    UndefinedColumn,
    UndefinedObject,
    UndefinedTable,
)

from .conftest import ROWS


def test_rows_come_in_table_order_through_filters_and_functions(numbers):
    sql = "SELECT id, upper(name) AS n FROM t WHERE name LIKE 'n%' AND id % 2 = 0"
    assert numbers(sql).column("id").to_pylist() == list(range(0, ROWS, 2))


def test_a_limit_gives_the_first_rows(numbers):
    assert numbers.rows("SELECT id FROM t LIMIT 3") == [(0,), (1,), (2,)]
    assert numbers.rows("SELECT id FROM t WHERE cat = 2 LIMIT 2 OFFSET 1") == [
        (9,),
        (16,),
    ]


@pytest.mark.parametrize("direction", ["", "DESC"])
def test_nulls_come_last_in_every_order(run, direction):
    sql = f"SELECT * FROM (VALUES (1), (NULL), (2)) t(a) ORDER BY a {direction}"
    assert run.rows(sql)[-1] == (None,)


def test_new_tables_appear_at_once(run):
    assert run.rows("LIST TABLE") == []
    run("CREATE TABLE b AS SELECT 1 AS x")
    assert run.rows("LIST TABLE") == [("b",)]
    assert run.rows("SELECT x FROM b") == [(1,)]
    shown = run("SHOW TABLES").to_pylist()
    assert ("public", "b") in {(r["table_schema"], r["table_name"]) for r in shown}
    columns = run.rows(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'b'"
    )
    assert columns == [("x", "Int64")]
    assert run.rows("DESCRIBE b") == [("x", "Int64", "YES")] or run.rows(
        "DESCRIBE b"
    ) == [("x", "Int64", "NO")]


def test_lists_may_be_empty(run):
    assert run.rows("LIST MODEL") == []
    assert run("LIST MODEL").schema.names == ["name", "class_name", "last_updated_utc"]
    assert run.rows("SELECT count(*) FROM thanosql.models") == [(0,)]
    assert run.rows("LIST TABLE") == []


def test_a_table_with_a_strange_name_is_just_a_table(run):
    run('CREATE TABLE "a""; DROP TABLE t" AS SELECT 1 AS x')
    assert run.rows('SELECT * FROM "a""; DROP TABLE t"') == [(1,)]
    assert run.rows("LIST TABLE") == [('a"; DROP TABLE t',)]


def test_planning_twice_changes_nothing(run):
    plan = run.engine.plan("CREATE TABLE b AS SELECT 1 AS x")
    run.engine.plan("CREATE TABLE b AS SELECT 1 AS x")
    assert run.rows("LIST TABLE") == []
    assert not plan.returns_rows
    control = Control()
    assert set(plan.run(control)) <= {None}
    assert control.rows_affected == 1


def test_parameters_have_types_before_they_have_values(numbers):
    plan = numbers.engine.plan("SELECT id FROM t WHERE name = ? AND id > ?")
    assert plan.parameters.types == [pa.string(), pa.int64()]
    assert plan.schema.names == ["id"]
    found = numbers.rows("SELECT id FROM t WHERE name = ? AND id > ?", "n3", 900)
    assert found == [(903,), (953,)]


def test_the_wrong_number_of_values_is_refused(numbers):
    with pytest.raises(InvalidStatement, match="has 1 parameter, but 2 values"):
        numbers("SELECT * FROM t WHERE id = ?", 1, 2)


def test_a_join_that_does_not_fit_in_memory_is_sorted_instead(run):
    """5 million rows on the build side of a hash join need more than 256 MB."""
    sql = (
        "SELECT count(*) AS n FROM generate_series(1, 5000000) a(x) "
        "JOIN generate_series(1, 5000000) b(y) ON a.x = b.y"
    )
    small = type(run)(run.config.workspace / "small")
    small.config = type(run.config)(
        workspace=run.config.workspace / "small", memory_limit=48 << 20
    )
    small.engine = type(run.engine)(small.config)
    assert small.rows(sql) == [(5000000,)]


def test_a_cancelled_query_says_so(run):
    control = Control()
    timer = threading.Timer(0.2, control.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        run(
            "SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 7 = 3",
            control=control,
        )


ERRORS = [
    ("SELECT * FROM nope", UndefinedTable, "there is no table 'nope'", (1, 15)),
    ("SELECT * FROM tt", UndefinedTable, "did you mean 't'", (1, 15)),
    ("SELECT nam FROM t", UndefinedColumn, "did you mean 'name'", (1, 8)),
    ("SELECT\n  zzz\nFROM t", UndefinedColumn, "there are id, cat, name, e", (2, 3)),
    ("SELECT foo(1)", UndefinedObject, "there is no function 'foo'", (1, 8)),
    ("SELECT 1 +", SyntaxError_, "", None),
    ("SELECT (1", SyntaxError_, "", None),
    ("SELECT 1 / 0", InvalidData, "divide by zero", None),
    ("SELECT CAST('x' AS INT)", InvalidData, "cannot cast string 'x'", None),
    ("SELECT id + name FROM t", InvalidStatement, "cannot coerce", None),
    ("SELECT name FROM t GROUP BY cat", InvalidStatement, "GROUP BY", None),
    ("FROM t", InvalidStatement, "the query has no columns", None),
    ("SELECT 1 AS a INTO b", NotSupported, "CREATE TABLE ... AS SELECT", None),
    ("CREATE TABLE t AS SELECT 1", DuplicateObject, "OR REPLACE", (1, 14)),
    (
        "SET datafusion.execution.batch_size = 1",
        UndefinedObject,
        "there is no setting 'datafusion.execution.batch_size'",
        (1, 5),
    ),
    (
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        NotSupported,
        "",
        None,
    ),
    ("SELECT * FROM '/etc/passwd'", UndefinedTable, "there is no table", None),
    ("DROP TABLE thanosql.models", UndefinedObject, "they live in 'public'", (1, 12)),
]


@pytest.mark.parametrize(("sql", "kind", "text", "place"), ERRORS)
def test_errors_say_what_and_where(numbers, sql, kind, text, place):
    with pytest.raises(kind) as caught:
        numbers(sql)
    assert text.lower() in caught.value.message.lower()
    assert "\n" not in caught.value.message
    if place:
        assert caught.value.position == Position(*place)
    assert numbers.rows("SELECT count(*) FROM t") == [(ROWS,)]


def test_a_position_in_rewritten_text_is_the_users(numbers):
    sql = "SELECT *\nFROM (LIST TABLE)\nWHERE = 1"
    with pytest.raises(SyntaxError_) as caught:
        numbers(sql)
    assert caught.value.position == Position(3, 7)


def test_a_damaged_table_says_so_and_leaves_the_others_alone(numbers):
    numbers("CREATE TABLE b AS SELECT 1 AS x")
    folder = numbers.config.workspace / ".thanosql" / "tables" / "b.lance"
    for file in (folder / "_versions").iterdir():
        file.write_bytes(b"not a manifest")
    with pytest.raises(DamagedTable, match="table 'b'"):
        numbers("SELECT * FROM b")
    assert numbers.rows("SELECT count(*) FROM t") == [(ROWS,)]
    assert ("t",) in numbers.rows("LIST TABLE")
