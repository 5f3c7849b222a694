"""Queries that show columns of one table as they are, read without DataFusion."""

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.control import Control
from thanosql_server.engine.executor import stream
from thanosql_server.engine.plain import plain
from thanosql_server.engine.planning import Planning
from thanosql_server.engine.query import hinted
from thanosql_server.errors import Cancelled, Conflict, UndefinedTable
from thanosql_server.sql.parser import parse

MOST_ROWS = 32_768

PLAIN = [
    "SELECT * FROM t",
    "SELECT name, id FROM t",
    "SELECT id AS a, id AS b, e FROM t",
    'SELECT id AS "a b", cat AS id FROM t',
    "SELECT x.id FROM public.t x",
    "SELECT * FROM (SELECT cat, id FROM t) u",
    "WITH w AS (SELECT name FROM t) SELECT * FROM w",
    "SELECT * FROM t WHERE true",
    "SELECT * FROM v",
    "SELECT b FROM v",
    "SELECT * FROM other.t",
    "SELECT * FROM empty",
]

OTHER = [
    "SELECT * FROM t WHERE id < 10",
    "SELECT id FROM t LIMIT 5",
    "SELECT id FROM t OFFSET 990",
    "SELECT id + 1 FROM t",
    "SELECT 1 FROM t",
    "SELECT count(*) FROM t",
    "SELECT CAST(id AS int) FROM t",
    "SELECT id, random() < 2 FROM t",
    "SELECT id FROM t UNION ALL SELECT id FROM t",
    "SELECT a.id FROM t a JOIN t b ON a.id = b.id",
    "SELECT DISTINCT cat FROM t",
    "SELECT id FROM t ORDER BY id",
    "SELECT name FROM thanosql.settings",
    "SELECT table_name FROM information_schema.tables",
    "SELECT * FROM (VALUES (1), (2)) AS t(id)",
    "SELECT id, (SELECT max(id) FROM t) FROM t",
]


@pytest.fixture
def some(numbers):
    numbers("CREATE VIEW v AS SELECT cat AS b, id AS a FROM t")
    numbers("CREATE SCHEMA other")
    numbers("CREATE TABLE other.t AS SELECT 7 AS id")
    numbers("CREATE TABLE empty AS SELECT * FROM t WHERE false")
    return numbers


def planned(run, sql):
    statement = parse(sql)
    planning = Planning(run.engine._environment, statement, None)
    return planning, planning.frame(statement.query)


def found(run, sql):
    planning, frame = planned(run, sql)
    tables = planning.catalog.tables.handed_out
    return plain(frame.optimized_logical_plan(), tables)


@pytest.mark.parametrize("sql", PLAIN)
def test_columns_of_one_table_are_read_as_datafusion_reads_them(some, sql):
    assert found(some, sql) is not None
    planning, frame = planned(some, sql)
    schema, control = frame.schema(), Control()
    frame = hinted(planning, frame, frame.optimized_logical_plan())
    batches = [b for b in stream(frame, schema, control) if b is not None]
    read = some(sql)
    assert read.schema.equals(schema, check_metadata=True)
    assert read == pa.Table.from_batches(batches, schema)


@pytest.mark.parametrize("sql", OTHER)
def test_everything_else_is_left_to_datafusion(some, sql):
    assert found(some, sql) is None


def test_a_former_version_is_read_as_it_was(run):
    run("CREATE TABLE t AS SELECT 1 AS a")
    run("INSERT INTO t VALUES (2)")
    [(first,)] = run.rows("SELECT min(version) FROM thanosql.versions")
    assert run.rows(f"SELECT a FROM t VERSION AS OF {first}") == [(1,)]
    assert run.rows("SELECT a FROM t") == [(1,), (2,)]
    both = f"SELECT x.a, y.a AS b FROM t x, t VERSION AS OF {first} y ORDER BY x.a"
    assert run.rows(both) == [(1, 1), (2, 1)]


def test_rows_without_embeddings_do_not_show_hidden_columns(some):
    assert some("SELECT * FROM t").column_names == ["id", "cat", "name", "e"]


def test_batches_are_large_where_their_width_is_known(run):
    rows = 3 * MOST_ROWS  # fewer than what is measured first
    ids = pa.table({"id": np.arange(rows), "v": np.random.default_rng(0).random(rows)})
    run.workspace.tables.create("ids", ids.to_reader())
    texts = ids.append_column("name", pa.array([f"n{i}" for i in range(rows)]))
    run.workspace.tables.create("texts", texts.to_reader())

    def most(sql):
        batches = run.engine.plan(sql).run(Control())
        return max(batch.num_rows for batch in batches if batch is not None)

    assert most("SELECT * FROM ids") == MOST_ROWS
    assert most("SELECT * FROM texts") == 8192
    assert run("SELECT v, id FROM ids") == ids.select(["v", "id"])


def test_a_cancel_stops_between_batches(run):
    ids = pa.table({"id": np.arange(3 * MOST_ROWS)})
    run.workspace.tables.create("ids", ids.to_reader())
    control = Control()
    batches = run.engine.plan("SELECT * FROM ids", None, control).run(control)
    assert next(batches).num_rows == MOST_ROWS
    control.cancel()
    with pytest.raises(Cancelled):
        list(batches)


def test_a_table_that_is_dropped_meanwhile_is_a_conflict(some):
    plan = some.engine.plan("SELECT * FROM other.t")
    some("DROP TABLE other.t")
    with pytest.raises((Conflict, UndefinedTable)):
        list(plan.run(Control()))
