"""ThanoSQL's dialect of sqlglot, by which Superset judges and rewrites statements.

Superset has a sqlglot of its own (28); tests/compat/run_superset.py runs against that.
"""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from sqlalchemy_thanosql.superset_sql import Change, Clause, Explain, ThanoSQL

SEARCH = "SEARCH IMAGE text='a red circle' USING m AS SELECT * FROM t"
# What Superset counts as a change; see its SQLStatement.is_mutating.
CHANGES = (
    *(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop),
    *(exp.TruncateTable, exp.Alter),
)


def parsed(sql):
    (node,) = sqlglot.parse(sql, dialect=ThanoSQL)
    return node


def written(node):
    return ThanoSQL().generate(node, copy=True)


def changes(node):
    return any(node.find(kind) for kind in CHANGES)


def tables(node):
    return {
        source.name
        for scope in traverse_scope(node)
        for source in scope.sources.values()
        if isinstance(source, exp.Table)
    }


@pytest.mark.parametrize(
    "sql",
    [
        SEARCH,
        f"SELECT a FROM ({SEARCH} ORDER BY b LIMIT 3) AS s WHERE a > 1 LIMIT 5",
        f"WITH x AS ({SEARCH}) SELECT * FROM x",
        f"{SEARCH} UNION ALL SELECT * FROM u",
        "SEARCH TEXT texts=['a', 'b'] USING m OPTIONS (x=1, y=[1,2]) AS (SELECT 1)",
        "PRINT IMAGE OPTIONS (image_col='p') AS SELECT p FROM t LIMIT 4",
        "CONVERT USING m AS SELECT * FROM t",
        "LIST MODEL",
        "SELECT name FROM (LIST MODEL) WHERE name LIKE 'a%'",
        "EXPLAIN ANALYZE SELECT * FROM t",
        "DESCRIBE t",
        "SHOW TABLES",
        "SELECT date_bin(INTERVAL '5 MINUTES', at), date_part('year', at) FROM t",
        "SELECT image_html(p, 100), [0.1, 0.2], position('a' IN b), x ~ 'y' FROM t",
        "SELECT * EXCEPT (a) FROM t QUALIFY row_number() OVER (ORDER BY b) = 1",
        "SELECT t.a FROM t LEFT SEMI JOIN u ON t.a = u.a",
        "SELECT count(DISTINCT a) FILTER(WHERE b), array_agg(a ORDER BY b) FROM t",
        "SELECT TRY_CAST(a AS INT), CAST(b AS REAL[]), arrow_cast(c, 'Int8') FROM t",
        "SELECT copy, get, comment, search, name FROM search",
    ],
)
def test_what_reads_is_kept_as_it_is_and_reads(sql):
    node = parsed(sql)
    assert written(node) == sql
    assert not changes(node)


@pytest.mark.parametrize(
    "sql",
    [
        "CONVERT USING m OPTIONS (table_name='t') AS SELECT * FROM t",
        "BUILD MODEL m USING CLIP OPTIONS (a='b') AS SELECT * FROM t",
        "COPY t OPTIONS (overwrite=True) FROM 'a.csv'",
        "CREATE TABLE t USING m FROM 'folder'",
        "CREATE TABLE t (a REAL[512] NOT NULL, b VARCHAR DEFAULT 'x' COMMENT 'y')",
        f"CREATE TABLE x AS {SEARCH}",
        f"INSERT INTO t {SEARCH}",
        "EXPLAIN ANALYZE DELETE FROM t",
        "GET THANOSQL DATASET mnist_data",
        "DELETE MODEL m",
        "DELETE FROM t WHERE a = 1",
        "COMMENT ON TABLE t IS 'x'",
        "ALTER TABLE t RENAME TO u",
        "DROP TABLE IF EXISTS t, u CASCADE",
        "TRUNCATE t",
        "VACUUM t",
    ],
)
def test_what_changes_is_kept_as_it_is_and_changes(sql):
    node = parsed(sql)
    assert written(node) == sql
    assert changes(node)


def test_the_tables_behind_a_clause_are_seen():
    assert tables(parsed(f"SELECT * FROM ({SEARCH}) AS s JOIN u USING (a)")) == {
        "t",
        "u",
    }
    assert tables(parsed(f"CREATE TABLE x AS {SEARCH}")) == {"t"}
    built = "BUILD MODEL m USING CLIP AS SELECT * FROM secret"
    assert tables(parsed(built)) == {"secret"}


def test_a_limit_goes_around_a_clause_and_into_a_print():
    limit = exp.Limit(expression=exp.Literal.number(7))
    for sql, wanted in (
        (SEARCH, f"SELECT * FROM ({SEARCH}) LIMIT 7"),
        ("LIST MODEL", "SELECT * FROM (LIST MODEL) LIMIT 7"),
        ("EXPLAIN SELECT 1", "EXPLAIN SELECT 1"),
        (
            "PRINT IMAGE AS SELECT p FROM t",
            "PRINT IMAGE AS SELECT * FROM (SELECT p FROM t) AS printed LIMIT 7",
        ),
        (f"SELECT a FROM ({SEARCH})", f"SELECT a FROM ({SEARCH}) LIMIT 7"),
    ):
        node = parsed(sql)
        node.args["limit"] = limit.copy()  # as Superset does it
        assert written(node) == wanted


def test_kinds_are_those_that_superset_looks_for():
    assert isinstance(parsed(SEARCH), exp.Select)
    assert isinstance(parsed(SEARCH), Clause)
    assert isinstance(parsed("EXPLAIN SELECT 1"), Explain)
    assert isinstance(parsed("DROP TABLE t"), Change)
    first, second = sqlglot.parse(f"SELECT 1; {SEARCH}", dialect=ThanoSQL)
    assert isinstance(second, Clause)
    assert written(first) == "SELECT 1"


def test_conditions_of_rows_reach_the_body_of_a_clause():
    def only_mine(node):
        if isinstance(node, exp.Table) and node.name == "t":
            return exp.select("*").from_("t").where("mine").subquery("t")
        return node

    assert written(parsed(SEARCH).transform(only_mine)) == (
        "SEARCH IMAGE text='a red circle' USING m AS "
        "SELECT * FROM (SELECT * FROM t WHERE mine) AS t"
    )


@pytest.mark.parametrize(
    "sql", ["SEARCH IMAGE text='a' USING m", "SEARCH IMAGE text='a' USING m AS"]
)
def test_a_clause_without_a_query_is_refused(sql):
    with pytest.raises(sqlglot.ParseError, match="Expected"):
        parsed(sql)
