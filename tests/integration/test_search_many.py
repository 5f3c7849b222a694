"""search_many finds for each query what a search for it alone finds."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest

import thanosql
from thanosql_server.engine import many_rows

ROWS, QUERIES, DIM = 3000, 150, 16


def vectors(rows, seed):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((30, DIM))[random.integers(0, 30, rows)]
    matrix += 0.4 * random.standard_normal((rows, DIM))
    return matrix.astype("f4")


def stored(connection, folder, name, matrix, missing=()):
    """Store a table of ids and vectors, some of them NULL."""
    mask = pa.array(np.isin(np.arange(len(matrix)), list(missing)))
    flat = pa.array(matrix.ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1], mask=mask)
    table = pa.table({"id": np.arange(len(matrix)), "e": column})
    pa.parquet.write_table(table, folder / f"{name}.parquet")
    with connection.cursor() as cursor:
        cursor.execute(f"COPY {name} FROM '{name}.parquet'")
        cursor.execute(
            f"CREATE TABLE {name}_as_f4 AS SELECT id, "
            f"arrow_cast(e, 'FixedSizeList({DIM}, Float32)') AS e FROM {name}"
        )
        cursor.execute(f"DROP TABLE {name}")
        cursor.execute(f"ALTER TABLE {name}_as_f4 RENAME TO {name}")


@pytest.fixture(scope="module")
def data():
    table, queries = vectors(ROWS, 0), vectors(QUERIES, 1)
    queries[5] = 0
    return table, queries


@pytest.fixture(scope="module")
def connection(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("many")
    with thanosql.connect(folder) as connection:
        stored(connection, folder, "t", data[0], missing=(7, 8))
        stored(connection, folder, "q", data[1], missing=(3,))
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


def best(table, query, k, keep=None):
    """Return ids and cosines of the k best rows, in float64, ties by row."""
    rows = np.setdiff1d(np.arange(len(table)), (7, 8))
    rows = rows if keep is None else rows[keep(rows)]
    exact = table[rows].astype("f8")
    scores = exact @ query / np.linalg.norm(exact, axis=1) / np.linalg.norm(query)
    order = np.argsort(-scores, kind="stable")[:k]
    return rows[order], scores[order]


@pytest.mark.parametrize("k", [1, 10, 700])
def test_each_query_finds_what_brute_force_finds(cursor, data, k):
    table, queries = data
    cursor.execute(
        "SELECT query_id, id, similarity, rank "
        "FROM search_many('t', 'e', NULL, 'q', ?)",
        (k,),
    )
    found = cursor.fetch_arrow_table().to_pandas()
    with_vector = [n for n in range(QUERIES) if n not in (3, 5)]
    assert found.query_id.tolist() == [n for n in with_vector for _ in range(k)]
    for number, own in list(found.groupby("query_id"))[:: 1 if k < 100 else 29]:
        ids, scores = best(table, queries[number].astype("f8"), k)
        assert own.id.tolist() == ids.tolist()
        assert own["rank"].tolist() == list(range(1, k + 1))
        np.testing.assert_allclose(own.similarity, scores, atol=1e-6)
    assert cursor.warnings == [
        "2 of 150 queries have no vector that can be compared, and found nothing"
    ]


def test_all_columns_of_query_and_row_come_with_similarity_and_rank(cursor, data):
    cursor.execute("SELECT * FROM search_many(t, e, NULL, (SELECT * FROM q), 2)")
    found = cursor.fetch_arrow_table()
    assert found.schema.names == [
        *("query_id", "query_e", "id", "e"),
        *("similarity", "rank"),
    ]
    table, queries = data
    rows = found.slice(0, 300).to_pylist()
    for row in rows:
        assert row["e"] == table[row["id"]].tolist()
        assert row["query_e"] == queries[row["query_id"]].tolist()


def test_a_condition_outside_counts_after_the_search(cursor, data):
    table, queries = data
    rows = cursor.execute(
        "SELECT query_id, id, similarity FROM search_many('t', 'e', NULL, 'q', 5) "
        "WHERE similarity > 0.9 AND rank > 1"
    ).fetchall()
    expected = [
        (number, int(row))
        for number in range(QUERIES)
        if number not in (3, 5)
        for row, score in list(zip(*best(table, queries[number], 5), strict=True))[1:]
        if score > 0.9
    ]
    assert [row[:2] for row in rows] == expected
    counted = "SELECT count(*) FROM search_many('t', 'e', NULL, 'q', 5)"
    assert cursor.execute(counted).fetchall() == [(148 * 5,)]


def test_duplicates_of_a_table_are_found_by_itself(cursor):
    cursor.execute(
        "CREATE TABLE doubled AS SELECT id, e FROM t WHERE id < 1500 UNION ALL "
        "SELECT id + 10000, e FROM t WHERE id < 20"
    )
    rows = cursor.execute(
        "SELECT query_id, id FROM search_many('doubled', 'e', NULL, 'doubled', 2) "
        "WHERE id <> query_id AND similarity > 0.99999 ORDER BY query_id, id"
    ).fetchall()
    pairs = [(n, n + 10000) for n in range(20) if n not in (7, 8)]
    assert rows == sorted([*pairs, *[pair[::-1] for pair in pairs]])


def test_calls_stand_beside_other_tables_and_each_other(cursor, data):
    rows = cursor.execute(
        "SELECT a.query_id, b.id, q.id FROM q, search_many('t', 'e', NULL, "
        "(SELECT * FROM q WHERE id < ?), ?) AS a JOIN search_many('t', 'e', NULL, "
        "'t', 2) b ON a.id = b.query_id AND b.rank = 2 "
        "WHERE q.id = a.query_id AND a.rank = 1 ORDER BY 1",
        (3, 4),
    ).fetchall()
    table, queries = data
    first = [best(table, queries[number], 1)[0][0] for number in range(3)]
    second = [int(best(table, table[row], 2)[0][1]) for row in first]
    assert rows == list(zip(range(3), second, range(3), strict=True))


def test_a_limit_outside_is_not_one_of_the_queries(cursor):
    """Hints for the statement are not those of its queries, of the same name or not."""
    cursor.execute("CREATE OR REPLACE VIEW asked AS SELECT * FROM q")
    for queries in ("q", "asked", "search_many"):
        if queries == "search_many":
            cursor.execute("CREATE TABLE search_many AS SELECT * FROM q")
        rows = cursor.execute(
            f"SELECT query_id FROM search_many('t', 'e', NULL, '{queries}', 1) "
            "WHERE rank = 1 AND query_id > 100 LIMIT 3"
        ).fetchall()
        assert rows == [(101,), (102,), (103,)]
    cursor.execute("DROP TABLE search_many")
    rows = cursor.execute(
        "SELECT count(*) FROM (SELECT * FROM asked LIMIT 2) AS a CROSS JOIN "
        "search_many('t', 'e', NULL, 'asked', 1)"
    ).fetchall()
    assert rows == [(2 * 148,)]


def test_what_is_found_can_be_stored_and_be_a_view(cursor):
    cursor.execute(
        "CREATE OR REPLACE TABLE pairs AS SELECT query_id, id, similarity "
        "FROM search_many('t', 'e', NULL, 'q', 3)"
    )
    cursor.execute(
        "CREATE OR REPLACE VIEW near AS SELECT query_id, id, similarity "
        "FROM search_many('t', 'e', NULL, 'q', 3)"
    )
    ordered = "ORDER BY query_id, similarity DESC, id"
    stored = cursor.execute(f"SELECT * FROM pairs {ordered}").fetchall()
    assert len(stored) == 148 * 3
    assert cursor.execute(f"SELECT * FROM near {ordered}").fetchall() == stored


@pytest.mark.parametrize(
    ("table", "queries", "k", "count"),
    [
        ("SELECT * FROM t WHERE id < 0", "SELECT * FROM q", 3, 0),
        ("SELECT * FROM t", "SELECT * FROM q WHERE id < 0", 3, 0),
        ("SELECT * FROM t", "SELECT * FROM q WHERE id = 3", 3, 0),
        ("SELECT * FROM t", "SELECT * FROM q WHERE id < 3", 0, 0),
        ("SELECT * FROM t WHERE id < 10", "SELECT * FROM q WHERE id < 3", 99, 24),
        ("SELECT * FROM t", "SELECT * FROM q WHERE id < 3", 10**9, 3 * (ROWS - 2)),
        ("SELECT id, [e[1], e[2]] AS e FROM t", "SELECT [1.0, 1.0] AS e", 3, None),
    ],
)
def test_how_many_rows_come(cursor, table, queries, k, count):
    cursor.execute(f"CREATE OR REPLACE TABLE some AS {table}")
    sql = f"SELECT * FROM search_many('some', 'e', NULL, ({queries}), {k})"
    if count is None:
        with pytest.raises(thanosql.Error, match="needs vectors of a fixed length"):
            cursor.execute(sql)
        return
    assert len(cursor.execute(sql).fetchall()) == count


def test_a_column_with_the_name_of_another_is_left_out(cursor):
    cursor.execute(
        "CREATE OR REPLACE TABLE named AS SELECT id AS rank, id AS query_id, e FROM t"
    )
    cursor.execute("SELECT * FROM search_many('named', 'e', NULL, 'q', 1)")
    assert [column[0] for column in cursor.description] == [
        *("query_id", "query_e", "e"),
        *("similarity", "rank"),
    ]


def test_explain_shows_the_way(cursor):
    plan = dict(
        cursor.execute(
            "EXPLAIN SELECT * FROM search_many('t', 'e', NULL, 'q', 4)"
        ).fetchall()
    )
    assert plan["thanosql"] == "search_many exact int8 k=4, 64 queries at a time"


def test_a_search_of_many_can_be_cancelled(cursor, monkeypatch):
    searching = threading.Event()
    searched = many_rows.ManySearches._searched

    def slow(self, block, names, control):
        searching.set()
        while not control.cancelled:
            threading.Event().wait(0.01)
        yield from searched(self, block, names, control)

    monkeypatch.setattr(many_rows.ManySearches, "_searched", slow)
    stopper = threading.Thread(target=lambda: searching.wait(60) and cursor.cancel())
    stopper.start()
    with pytest.raises(thanosql.OperationalError, match="cancelled"):
        cursor.execute(
            "SELECT count(*) FROM search_many('t', 'e', NULL, 'q', 4)"
        ).fetchall()
    stopper.join()


def test_texts_and_pictures_find_what_a_search_for_one_finds(scenes):
    scenes.execute(
        "CREATE OR REPLACE TABLE asked AS SELECT photo_description AS caption, "
        "image_path FROM scenes"
    )
    column = "demo_clip_clipen"
    for kind, name in (("text", "caption"), ("image", "image_path")):
        found = scenes.execute(
            f"SELECT query_{name}, image_path, similarity FROM search_many('scenes', "
            f"'{column}', 'demo_clip', 'asked', 3, {kind}='{name}')"
        ).fetchall()
        assert len(found) == 3 * len({row[0] for row in found})
        alone = scenes.execute(
            f"SELECT image_path, {column}_similarity1 FROM (SEARCH IMAGE {kind}=? "
            "USING demo_clip AS SELECT * FROM scenes) ORDER BY 2 DESC LIMIT 3",
            (found[0][0],),
        ).fetchall()
        assert [row[1] for row in found[:3]] == [row[0] for row in alone]
        near = [row[1] for row in alone]
        assert [row[2] for row in found[:3]] == pytest.approx(near, abs=1e-5)
    usual = scenes.execute(
        f"SELECT query_caption FROM search_many(scenes, {column}, demo_clip, asked, 1)"
    ).fetchall()
    captions = scenes.execute("SELECT caption FROM asked").fetchall()
    assert usual == captions


def test_pictures_that_cannot_be_read_are_told(scenes):
    scenes.execute(
        "SELECT * FROM search_many(scenes, demo_clip_clipen, demo_clip, "
        "(SELECT 'nowhere.jpg' AS image_path), 1)"
    )
    assert scenes.fetchall() == []
    assert any("nothing" in warning for warning in scenes.warnings)
