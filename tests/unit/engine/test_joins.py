"""Joins: DataFusion knows how many rows a table has, and answers stay the same."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.engine import joins
from thanosql_server.engine.joins import FEWEST_ROWS

ROWS, FEW = FEWEST_ROWS + 500, 50
QUERIES = [
    "SELECT name, count(*), sum(n) FROM fact JOIN few ON fact.f = few.id GROUP BY name",
    "SELECT name, n FROM fact, few WHERE f = id AND name LIKE '%7' AND n < 900",
    "SELECT few.id, n FROM few LEFT JOIN fact ON f = few.id AND n < 7",
    "SELECT n, name FROM fact LEFT JOIN few ON f = id AND id < 3 WHERE n < 90",
    "SELECT a.n, b.n FROM fact a JOIN fact b ON a.n = b.n + 1 WHERE a.n < 40",
    "SELECT n FROM fact WHERE f IN (SELECT id FROM few WHERE name = 'few 3')",
    "SELECT n FROM fact WHERE NOT EXISTS (SELECT 1 FROM few WHERE id = f)",
    "SELECT name, best FROM few JOIN (SELECT f, max(n) AS best FROM fact GROUP BY f) "
    "ON f = id",
    "SELECT * FROM seen JOIN few USING (id) WHERE total > 10",
    "SELECT n, text FROM fact JOIN wide ON n = w WHERE text > '99'",
    "SELECT n FROM fact FULL JOIN few ON f = id + 40",
]


@pytest.fixture
def star(run):
    """The engine with a table `fact` of many rows, `few` of some, and a view."""
    n = np.arange(ROWS)
    fact = pa.table({"n": n, "f": n * 7919 % (FEW + 9)})
    few = pa.table({"id": np.arange(FEW), "name": [f"few {i}" for i in range(FEW)]})
    texts = np.random.default_rng(0).bytes(300 * 2000).hex()  # hardly compressible
    parts = [texts[start : start + 600] for start in range(0, len(texts), 600)]
    wide = pa.table({"w": n[:2000], "text": parts})
    for name, rows in {"fact": fact, "few": few, "wide": wide}.items():
        run.workspace.tables.create(name, rows.to_reader(max_chunksize=5000))
    run("CREATE VIEW seen AS SELECT f AS id, count(*) AS total FROM fact GROUP BY f")
    return run


def plan(run, sql):
    """Return the physical plan of a query."""
    return run(f"EXPLAIN {sql}").column("plan").to_pylist()[-1]


@pytest.mark.parametrize("sql", QUERIES)
def test_answers_do_not_change(sql, star, monkeypatch):
    known = star.rows(sql)
    assert "GlobalLimitExec" in plan(star, sql)
    monkeypatch.setattr(joins, "FEWEST_ROWS", 10**9)
    assert "GlobalLimitExec" not in plan(star, sql)
    assert sorted(map(str, known)) == sorted(map(str, star.rows(sql)))
    assert known


def test_the_hash_table_is_made_of_the_side_with_fewer_rows(star):
    text = plan(star, QUERIES[0])
    assert "HashJoinExec: mode=CollectLeft" in text
    below = text[text.index("HashJoinExec") :]
    assert re.findall(r"GlobalLimitExec: skip=0, fetch=(\d+)", below) == [
        str(FEW),
        str(ROWS),
    ]


def test_a_filter_on_wide_rows_stays_in_the_scan(star):
    text = plan(star, QUERIES[9])
    assert f"fetch={ROWS}" in text
    assert "fetch=2000" not in text


def test_few_rows_and_lone_tables_are_planned_once(star):
    assert "GlobalLimitExec" not in plan(star, "SELECT count(*) FROM fact WHERE n > 3")
    joined = "SELECT a.id FROM few a JOIN few b ON a.id = b.id"
    assert "GlobalLimitExec" not in plan(star, joined)


def test_parameters_and_deleted_rows(star):
    star("DELETE FROM fact WHERE n < 20000")
    sql = "SELECT count(*) FROM fact JOIN few ON f = id WHERE n < $1 OR id = $2"
    assert star.rows(sql, 20010, 3) == star.rows(
        "SELECT count(*) FROM (SELECT * FROM fact) JOIN few ON f = id "
        "WHERE n < 20010 OR id = 3"
    )
