"""Queries of constants: planned once; and rows that are in the plan already."""

import time

import pyarrow as pa
import pytest

from thanosql_server.callers import Caller, Role
from thanosql_server.control import Control
from thanosql_server.engine import constants
from thanosql_server.engine.executor import stream
from thanosql_server.engine.literals import literal_row
from thanosql_server.engine.planning import Planning
from thanosql_server.errors import Cancelled, InvalidData, InvalidStatement
from thanosql_server.sql.parser import parse

EXPRESSIONS = [
    "1",
    "1 + 2 * 3",
    "-7 AS n",
    "'a' || 'b'",
    "'\u20ac\U0001d11e'",
    "''",
    "NULL",
    "CAST(NULL AS double)",
    "true",
    "1e3, -0.0, CAST('-inf' AS double)",
    "CAST(1 AS tinyint), CAST(2 AS bigint unsigned), CAST(1.25 AS real)",
    "CAST(1.5 AS decimal(10, 2)), CAST(1 AS decimal(60, 5))",
    "date '2020-01-01', time '12:30:01', interval '1 day'",
    "timestamp '2020-01-01 00:00:00.123456789'",
    "arrow_cast(1, 'Timestamp(Second, Some(\"Europe/Berlin\"))')",
    "x'00ff', arrow_cast('a', 'LargeUtf8'), arrow_cast('a', 'Utf8View')",
    "arrow_cast('a', 'Dictionary(Int32, Utf8)')",
    "[1, 2, NULL], [[1], [2, 3]], CAST(NULL AS int[]), []",
    "{'a': 1, 'b': [1]}, MAP {'a': 1}",
    "arrow_cast([1.0, 2.0], 'FixedSizeList(2, Float32)')",
]


def frame_of(run, sql):
    statement = parse(sql)
    planning = Planning(run.engine._environment, statement, None)
    return planning.frame(statement.query)


def known(run):
    return set(run.engine._environment.constants._known)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_row_in_the_plan_is_the_row_that_running_it_gives(run, expression):
    frame = frame_of(run, f"SELECT {expression}")
    row = literal_row(frame.optimized_logical_plan(), frame.schema())
    [ran] = [b for b in stream(frame, frame.schema(), Control()) if b is not None]
    assert row is not None
    assert row.schema.equals(ran.schema, check_metadata=True)
    assert row.equals(ran)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 WHERE false",
        "SELECT 1 LIMIT 0",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT random()",
        "SELECT count(*) FROM (VALUES (1), (2))",
        "SELECT (SELECT 1)",
        "SELECT unnest([1, 2])",
        "EXPLAIN SELECT 1",
    ],
)
def test_other_plans_are_run(run, sql):
    frame = frame_of(run, sql)
    plan = frame.optimized_logical_plan()
    row = literal_row(plan, frame.schema())
    table = run(sql)
    assert row is None or pa.Table.from_batches([row]) == table


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_known_text_gives_the_same_again(run, expression):
    first = run(f"SELECT {expression}")
    for _ in range(2):
        assert run(f"SELECT {expression}") == first
        assert run(f"SELECT {expression}").schema.equals(first.schema)


def test_only_texts_of_constants_are_known(run):
    run("CREATE TABLE t AS SELECT 1 AS a")
    run("CREATE VIEW v AS SELECT 1 AS a")
    others = [
        "SELECT now()",
        "SELECT 1, now()",
        "SELECT random()",
        "SELECT CAST(random() AS int) + 1",
        "SELECT uuid()",
        "SELECT (SELECT 1)",
        "SELECT (SELECT max(a) FROM t)",
        "SELECT 1 FROM t",
        "SELECT 1 FROM v",
        "SELECT * FROM v",
        "SELECT a FROM t",
        "SELECT value FROM thanosql.settings",
        "SELECT table_name FROM information_schema.tables",
        "SELECT count(*)",
        "SELECT 1 / 0 WHERE false",
        "SHOW ALL",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "LIST TABLE",
    ]
    for sql in others:
        run(sql)
    assert known(run) == set()
    run("SELECT 1")
    assert known(run) == {"SELECT 1"}


def test_a_view_that_is_replaced_shows_at_once(run):
    for value in (1, 2):
        run(f"CREATE OR REPLACE VIEW v AS SELECT {value} AS a")
        assert run.rows("SELECT a FROM v") == [(value,)]


def test_now_and_random_are_of_each_run(run):
    def moments():
        time.sleep(0.001)
        return run.rows("SELECT now(), random(), uuid()")[0]

    some = [moments() for _ in range(4)]
    assert all(len(set(column)) == 4 for column in zip(*some, strict=True))


def test_a_plan_that_waits_tells_the_time_of_its_statement(run):
    one, other = (run.engine.plan("SELECT now()") for _ in range(2))
    assert list(one.run(Control())) != list(other.run(Control()))


def test_errors_of_constants_come_each_time(run):
    for _ in range(2):
        with pytest.raises(InvalidData, match="ivide by zero"):
            run("SELECT 1 / 0")
        with pytest.raises(InvalidData):
            run("SELECT CAST('x' AS int)")
    assert known(run) == set()


def test_values_for_a_known_text_without_parameters_are_refused(run):
    run("SELECT 1")
    with pytest.raises(InvalidStatement, match="0 parameters, but 1 value was"):
        run("SELECT 1", 5)


def test_a_known_text_obeys_its_control(run):
    run("SELECT 1")
    control = Control()
    plan = run.engine.plan("SELECT 1", None, control)
    control.cancel()
    with pytest.raises(Cancelled):
        list(plan.run(control))


def test_readers_may_run_a_known_text(run):
    run("SELECT 1")
    control = Control(caller=Caller("eve", Role.READER))
    plan = run.engine.plan("SELECT 1", None, control)
    assert [batch.to_pylist() for batch in plan.run(control)] == [[{"Int64(1)": 1}]]


def test_texts_are_forgotten_by_and_by(run, monkeypatch):
    monkeypatch.setattr(constants, "MOST_KNOWN", 3)
    for number in range(5):
        assert list(run(f"SELECT {number} AS n").column("n")) == [pa.scalar(number)]
    assert known(run) == {f"SELECT {number} AS n" for number in (2, 3, 4)}
    run(f"SELECT '{'x' * constants.LONGEST}'")
    assert known(run) == {f"SELECT {number} AS n" for number in (2, 3, 4)}


def test_tables_about_the_server_are_read_anew(run):
    run("CREATE TABLE t AS SELECT 1 AS a")
    run("CREATE VIEW v AS SELECT * FROM thanosql.settings")
    lasts = {
        sql: run.engine.plan(sql).lasts
        for sql in (
            "SELECT a FROM t",
            "SELECT name FROM thanosql.settings",
            "SELECT * FROM v",
            "SELECT * FROM t WHERE a IN (SELECT rows FROM thanosql.statements)",
            "INSERT INTO t VALUES (2)",
        )
    }
    assert lasts == dict.fromkeys(lasts, False) | {"SELECT a FROM t": True}


def test_a_plan_that_waited_reads_the_version_that_it_described(run):
    run("CREATE TABLE t AS SELECT 1 AS a")
    plan = run.engine.plan("SELECT * FROM t")
    run("INSERT INTO t VALUES (2)")
    run("ALTER TABLE t ADD COLUMN b int")
    assert pa.Table.from_batches(
        [b for b in plan.run(Control()) if b is not None], plan.schema
    ).to_pydict() == {"a": [1]}
