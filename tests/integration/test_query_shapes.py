"""Queries of random shape find what a comparison of all rows finds, in its order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thanosql

ROWS, DIM = 2500, 12
NULLS, ZEROS = range(5, 400, 40), range(6, 400, 60)
CLOSE = 1e-6
"""Similarities closer than this may come in either order in float32."""


@pytest.fixture(scope="module")
def matrix():
    random = np.random.default_rng(0)
    matrix = random.standard_normal((ROWS, DIM)).astype("f4")
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix[list(ZEROS)] = 0
    return matrix


@pytest.fixture(scope="module")
def connection(tmp_path_factory, matrix):
    folder = tmp_path_factory.mktemp("shapes")
    mask = pa.array(np.isin(np.arange(ROWS), list(NULLS)))
    flat = pa.array(matrix.ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, DIM, mask=mask)
    ids = np.arange(ROWS)
    table = pa.table({"id": ids, "cat": ids % 17, "w": ids * 7919 % 1000, "e": column})
    pa.parquet.write_table(table, folder / "t.parquet")
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute("COPY raw FROM 't.parquet'")
        dtype = f"FixedSizeList({DIM}, Float32)"
        cursor.execute(
            f"CREATE TABLE t AS SELECT id, cat, w, arrow_cast(e, '{dtype}') AS e "
            "FROM raw"
        )
        cursor.execute("CREATE TABLE names AS SELECT DISTINCT cat, cat * 2 d FROM t")
        cursor.execute("CREATE VIEW v AS SELECT * FROM t")
        cursor.execute("CREATE VIEW few AS SELECT * FROM v WHERE cat <> 3")
        cursor.execute("CREATE VIEW other (a, b, c, x) AS SELECT * FROM t")
        yield connection


def everything(rows):
    return np.full(len(rows), fill_value=True)


SOURCES = {
    "t": everything,
    "v": everything,
    "few": lambda rows: rows % 17 != 3,
    "(SELECT a AS id, b AS cat, c AS w, x AS e FROM other)": everything,
    "(SELECT id, cat, w, e FROM (SELECT * FROM few) WHERE id > 100)": (
        lambda rows: (rows % 17 != 3) & (rows > 100)
    ),
}
CONDITIONS = {
    "true": everything,
    "cat < 9": lambda rows: rows % 17 < 9,
    "(cat IN (1, 4, 12) OR w > 900)": (
        lambda rows: np.isin(rows % 17, (1, 4, 12)) | (rows * 7919 % 1000 > 900)
    ),
    "id % 3 = 1 AND w IS NOT NULL": lambda rows: rows % 3 == 1,
    "id BETWEEN 700 AND 720": lambda rows: (rows >= 700) & (rows <= 720),
    "id < 0": lambda rows: rows < 0,
}
SCORES = {
    "cosine_similarity(e, {q})": 1,
    "inner_product(e, {q})": 1,
    "1 - cosine_similarity(e, {q})": -1,
    "l2_distance(e, {q})": -1,
    "-3 * cosine_similarity(e, {q}) + 2": -1,
}
SHAPES = (
    "SELECT id, {score} AS s{more} FROM {source} WHERE {where}{bound} "
    "ORDER BY {by} {way} LIMIT {k}",
    "SELECT * FROM (SELECT id, {score} AS s{more} FROM {source} WHERE {where}) AS y "
    "WHERE true{outer} ORDER BY {by} {way} LIMIT {k}",
    "WITH y AS (SELECT *, {score} AS s FROM {source}) SELECT id AS i, s AS z{more} "
    "FROM y WHERE {where}{outer} ORDER BY {alias} {way} LIMIT {k}",
    "SELECT id, s FROM (SELECT id, cat, s FROM (SELECT id, cat, {score} AS s{more} "
    "FROM {source} WHERE {where}{bound}) ORDER BY s {way} LIMIT {k}) AS best "
    "JOIN names USING (cat) ORDER BY s {way}",
    "SELECT id, s FROM (SELECT id, {score} AS s{more} FROM {source} "
    "WHERE {where}{bound} ORDER BY s {way} LIMIT {k}) ORDER BY 2 {way}",
)


def vector(values):
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"


def scores_of(text, matrix, query):
    """Return the scores in float64, and which are defined."""
    exact, query = matrix.astype("f8"), query.astype("f8")
    lengths = np.linalg.norm(exact, axis=1)
    known = ~np.isin(np.arange(ROWS), list(NULLS))
    dots = exact @ query
    cosines = dots / np.where(lengths > 0, lengths, 1) / np.linalg.norm(query)
    if "inner_product" in text:
        return dots, known
    if "l2_distance" in text:
        return np.linalg.norm(exact - query, axis=1), known
    known &= lengths > 0
    if text.startswith("1 -"):
        return 1 - cosines, known
    return (2 - 3 * cosines if text.startswith("-3") else cosines), known


@given(data=st.data())
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_query_of_any_shape_finds_what_brute_force_finds(connection, matrix, data):
    draw = data.draw
    source, where = (
        draw(st.sampled_from(list(SOURCES))),
        draw(st.sampled_from(list(CONDITIONS))),
    )
    score, shape = draw(st.sampled_from(list(SCORES))), draw(st.sampled_from(SHAPES))
    k, seed = draw(st.sampled_from((1, 5, 40, 3000))), draw(st.integers(0, 50))
    query = np.random.default_rng(seed).standard_normal(DIM).astype("f4")
    scores, known = scores_of(score, matrix, query)
    rows = np.arange(ROWS)
    kept = SOURCES[source](rows) & CONDITIONS[where](rows)
    sign, bound, outer = SCORES[score], "", ""
    text = score.format(q=vector(query))
    if draw(st.booleans()):
        least = float(np.quantile(scores[known], 0.5 - sign * 0.3))
        operator = ">" if sign > 0 else "<"
        bound, outer = f" AND {text} {operator} {least}", f" AND s {operator} {least}"
        kept &= known & (sign * scores > sign * least)
    more = draw(st.sampled_from(("", ", w + 1", ", cosine_similarity(e, {o}) AS s2")))
    sql = shape.format(
        score=text,
        source=source,
        where=where,
        bound=bound,
        outer=outer,
        more=more.format(o=vector(query[::-1])),
        by=draw(st.sampled_from(("s", "2", text if " AS y" not in shape else "s"))),
        alias=draw(st.sampled_from(("z", "2", "s"))),
        way="DESC" if sign > 0 else "ASC",
        k=k,
    )
    with connection.cursor() as cursor:
        found = [row[:2] for row in cursor.execute(sql).fetchall()]
    compared = rows[kept & known]
    order = compared[np.argsort(-sign * scores[compared], kind="stable")]
    assert len(found) == min(k, int(kept.sum())), sql
    assert len({row for row, _ in found}) == len(found)
    given_ids = [row for row, s in found if s is not None]
    assert len(given_ids) == min(k, len(order))
    np.testing.assert_allclose(
        [s for _, s in found[: len(given_ids)]], scores[order[:k]], atol=3 * CLOSE
    )
    for row, right in zip(given_ids, order, strict=False):
        assert row == right or abs(scores[row] - scores[right]) < 3 * CLOSE, sql
    assert all(not known[row] for row, s in found if s is None)


def explained(connection, sql):
    with connection.cursor() as cursor:
        plan = cursor.execute(f"EXPLAIN {sql}").fetchall()
    return [text for kind, text in plan if kind == "thanosql"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("source", SOURCES)
def test_each_shape_is_recognised(connection, shape, source):
    score = f"cosine_similarity(e, {vector(np.ones(DIM))})"
    sql = shape.format(
        score=score, source=source, where="cat < 9", bound=f" AND {score} > 0.1",
        outer=" AND s > 0.1", more=", w", by="s", alias="s", way="DESC", k=5,
    )  # fmt: skip
    assert explained(connection, sql) == ["TopK exact int8 k=5"]


def test_a_table_read_twice_is_compared_whole(connection, matrix):
    """Of two readings of one table it cannot be told which the k rows are for."""
    score = f"cosine_similarity(e, {vector(matrix[1])})"
    with connection.cursor() as cursor:
        rows = cursor.execute(
            f"SELECT id FROM t WHERE w < (SELECT max(w) FROM t) ORDER BY {score} DESC "
            "LIMIT 5"
        ).fetchall()
        counted = cursor.execute(
            "SELECT count(*), count(a.s) FROM t CROSS JOIN (SELECT "
            f"{score} AS s FROM t ORDER BY s DESC LIMIT 2) AS a"
        ).fetchall()
    order = np.argsort(-(matrix @ matrix[1]), kind="stable")
    best = [row for row in order if row * 7919 % 1000 < 999 and row not in NULLS][:5]
    assert [row for (row,) in rows] == best
    assert counted == [(2 * ROWS, 2 * ROWS)]


def test_each_part_of_a_union_is_searched(connection, matrix):
    score = f"cosine_similarity(e, {vector(matrix[1])})"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE TABLE copied AS SELECT * FROM t WHERE cat > 3"
        )
    best = "(SELECT id, {s} AS s FROM {t} ORDER BY s DESC LIMIT {k})"
    sql = " UNION ALL ".join(
        best.format(s=score, t=table, k=k) for table, k in (("t", 3), ("copied", 2))
    )
    assert sorted(explained(connection, f"SELECT * FROM ({sql})")) == [
        "TopK exact int8 k=2",
        "TopK exact int8 k=3",
    ]
    with connection.cursor() as cursor:
        rows = cursor.execute(f"SELECT id FROM ({sql}) ORDER BY id").fetchall()
    known = [row for row in range(ROWS) if row not in NULLS]
    order = sorted(known, key=lambda row: -float(matrix[row] @ matrix[1]))
    some = [row for row in order if row % 17 > 3]
    assert [row for (row,) in rows] == sorted(order[:3] + some[:2])


@pytest.mark.parametrize("rows", [60, 3000])
def test_rows_that_are_equally_near_come_in_table_order(connection, rows):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE TABLE ties AS SELECT v AS id, arrow_cast([1.0, v % 3], "
            f"'FixedSizeList(2, Float32)') AS e FROM generate_series(1, {rows}) AS g(v)"
        )
        for sql in (
            "SELECT id, {} AS s FROM ties ORDER BY s DESC LIMIT 7",
            "SELECT i FROM (SELECT id AS i, {} AS s FROM ties WHERE id > 0) "
            "ORDER BY s DESC LIMIT 5 OFFSET 2",
        ):
            sql = sql.format("cosine_similarity(e, [1.0, 0.0])")
            found = [row[0] for row in cursor.execute(sql).fetchall()]
            assert found == [3, 6, 9, 12, 15, 18, 21][7 - len(found) :]
