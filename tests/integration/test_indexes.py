"""An HNSW index through SQL: made, used, kept true, seen by others, dropped."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

import thanosql
from tests.integration.servers import wait_until
from tests.needs import NEEDS_HNSWLIB

pytestmark = NEEDS_HNSWLIB

ROWS, DIM = 3000, 16
BEST = "SELECT id, {function}(v, ?) AS score FROM t ORDER BY score {order} LIMIT {k}"


def some(rows, seed=0, dim=DIM):
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype("f4")


def insert(cursor, vectors, first=0, table="t"):
    rows = [(first + n, vector.tolist()) for n, vector in enumerate(vectors)]
    cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)


@pytest.fixture
def made(empty_cursor):
    """A cursor on a workspace with the table t (id, v) of 3,000 vectors."""
    empty_cursor.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}))")
    insert(empty_cursor, some(ROWS))
    return empty_cursor


def explained(cursor, sql, parameters=None):
    return dict(cursor.execute(f"EXPLAIN {sql}", parameters).fetchall())["thanosql"]


def best(k=5, function="cosine_similarity", order="DESC"):
    return BEST.format(k=k, function=function, order=order)


def state(cursor, name="i"):
    cursor.execute(
        "SELECT rows_indexed, rows_pending, state FROM thanosql.indexes "
        f"WHERE index_name = '{name}'"
    )
    found = cursor.fetchall()
    return found[0] if found else None


def check(cursor, query, k=10, where=""):
    """Compare what an index finds with a comparison of all rows."""
    sql = (
        f"SELECT id, cosine_similarity(v, ?) AS score FROM t {where} "
        f"ORDER BY score DESC"
    )
    found = cursor.execute(f"{sql} LIMIT {k}", [query.tolist()]).fetchall()
    # A second key makes every row be compared.
    right = cursor.execute(f"{sql}, id LIMIT {k}", [query.tolist()]).fetchall()
    assert len(found) == len({key for key, _ in found}) == len(right)
    assert [s for _, s in found] == pytest.approx([s for _, s in right], abs=1e-6)
    return [key for key, _ in found]


def test_an_index_is_made_used_listed_and_dropped(made):
    query = some(1, seed=1)[0].tolist()
    assert explained(made, best(), [query]) == "TopK exact int8 k=5"
    made.execute("CREATE INDEX i ON t USING HNSW (v) WITH (m=8, ef_construction=100)")
    assert made.rowcount == -1
    assert explained(made, best(), [query]) == "TopK hnsw ef=128 k=5 (index 'i')"
    check(made, some(1, seed=2)[0])
    (row,) = (
        made.execute("SELECT * FROM thanosql.indexes").fetch_arrow_table().to_pylist()
    )
    created, size = row.pop("created"), row.pop("bytes")
    assert created.year >= 2024
    assert size > ROWS * DIM * 4
    assert row == {
        "index_name": "i",
        "table_schema": "public",
        "table_name": "t",
        "column_name": "v",
        "method": "hnsw",
        "metric": "cosine_similarity",
        "parameters": "m=8, ef_construction=100",
        "rows_indexed": ROWS,
        "rows_pending": 0,
        "state": "ready",
        "table_version": 2,
    }
    shown = made.execute("SHOW INDEXES FROM t").fetchall()
    assert shown == made.execute("SHOW INDEXES").fetchall()
    assert shown[0][:3] == ("i", "t", "v")
    assert made.execute("LIST INDEX").fetchall() == [("i", "t", "v", "ready")]
    made.execute("CREATE INDEX IF NOT EXISTS i ON t USING HNSW (v)")
    made.execute("DROP INDEX i")
    made.execute("DROP INDEX IF EXISTS i, j")
    assert made.execute("SHOW INDEXES").fetchall() == []
    assert explained(made, best(), [query]) == "TopK exact int8 k=5"


def test_explain_says_why_an_index_is_not_used(made):
    query = [some(1, seed=1)[0].tolist()]
    made.execute("CREATE INDEX far ON t USING hnsw (v vector_l2_ops)")
    exact = "TopK exact int8 k=5 (index 'far' is for l2_distance)"
    assert explained(made, best(), query) == exact
    near = best(function="l2_distance", order="ASC")
    assert explained(made, near, query) == "TopK hnsw ef=128 k=5 (index 'far')"
    inner = best(function="inner_product")
    assert "is for l2_distance" in explained(made, inner, query)
    many = best(2000, "l2_distance", "ASC")
    assert "(index 'far' finds at most half of the rows)" in explained(
        made, many, query
    )
    assert len(made.execute(many, query).fetchall()) == 2000
    sorted_by = made.execute(near, query).fetchall()
    scores = np.linalg.norm(some(ROWS) - np.array(query[0], "f4"), axis=1)
    assert [score for _, score in sorted_by] == pytest.approx(np.sort(scores)[:5])


def test_two_indexes_serve_two_measures(made):
    made.execute("CREATE INDEX a ON t USING HNSW (v) OPTIONS (metric='cosine')")
    made.execute("CREATE INDEX b ON t USING HNSW (v) WITH (metric='inner_product')")
    query = [some(1, seed=1)[0].tolist()]
    assert explained(made, best(), query).endswith("(index 'a')")
    inner = best(function="inner_product")
    assert explained(made, inner, query).endswith("(index 'b')")
    scores = np.sort(some(ROWS).astype("f8") @ np.array(query[0]))[::-1][:5]
    found = [score for _, score in made.execute(inner, query).fetchall()]
    assert found == pytest.approx(scores)


def test_an_index_follows_every_change(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    query = some(1, seed=3)[0]
    check(made, query)
    insert(made, [query], first=ROWS)
    assert check(made, query)[0] == ROWS
    assert state(made) == (ROWS, 1, "ready")
    made.execute(f"DELETE FROM t WHERE id = {ROWS}")
    assert ROWS not in check(made, query)
    made.execute("UPDATE t SET v = ? WHERE id = 17", [query.tolist()])
    assert check(made, query)[0] == 17
    made.execute("ALTER TABLE t ADD COLUMN note VARCHAR DEFAULT 'n'")
    check(made, query)
    check(made, query, where="WHERE id >= 17")
    check(made, query, where="WHERE id % 100 = 17")
    made.execute("ALTER TABLE t RENAME COLUMN v TO w")
    made.execute("ALTER TABLE t RENAME COLUMN w TO v")
    check(made, query)
    made.execute("TRUNCATE t")
    assert made.execute(best(), [query.tolist()]).fetchall() == []
    made.execute("INSERT INTO t (id, v) VALUES (1, ?)", [query.tolist()])
    assert check(made, query) == [1]


def test_appended_rows_are_put_in_behind_the_scenes(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    query = some(1, seed=3)[0]
    check(made, query)
    insert(made, some(1200, seed=4), first=ROWS)
    check(made, query)
    wait_until(lambda: state(made) == (ROWS + 1200, 0, "ready"), "the index")
    check(made, query)
    made.execute("DELETE FROM t WHERE id % 2 = 0")
    wait_until(lambda: state(made) == ((ROWS + 1200) // 2, 0, "ready"), "the index")
    check(made, query)


def test_an_updated_table_gets_its_index_back(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    insert(made, some(3000, seed=4), first=ROWS)
    made.execute("UPDATE t SET v = ? WHERE id = 5", [some(1, seed=9)[0].tolist()])
    wait_until(lambda: state(made) == (2 * ROWS, 0, "ready"), "the index")
    assert check(made, some(1, seed=9)[0])[0] == 5


def test_an_index_goes_with_its_table_and_column(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    query = [some(1, seed=3)[0].tolist()]
    made.execute("ALTER TABLE t RENAME TO u")
    assert made.execute("LIST INDEX").fetchall() == [("i", "u", "v", "ready")]
    renamed = best().replace("FROM t", "FROM u")
    assert "index 'i'" in explained(made, renamed, query)
    made.execute("ALTER TABLE u RENAME COLUMN v TO w")
    assert made.execute("LIST INDEX").fetchall() == [("i", "u", "w", "ready")]
    renamed = renamed.replace("(v, ?)", "(w, ?)")
    assert "index 'i'" in explained(made, renamed, query)
    assert len(made.execute(renamed, query).fetchall()) == 5
    made.execute("ALTER TABLE u DROP COLUMN w")
    assert made.execute("LIST INDEX").fetchall() == []
    made.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}))")
    wait_until(lambda: not indexes_left(made), "the index to go")
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    made.execute("DROP TABLE t")
    assert made.execute("LIST INDEX").fetchall() == []


def indexes_left(cursor):
    try:
        cursor.execute("DROP INDEX i")
    except thanosql.ProgrammingError as error:
        return "there is no index" not in str(error)
    return False


def test_a_replaced_table_keeps_what_fits_its_index(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    made.execute("CREATE OR REPLACE TABLE t AS SELECT id + 7 AS id, v FROM t")
    query = some(1, seed=3)[0]
    check(made, query)
    wait_until(lambda: state(made) == (ROWS, 0, "ready"), "the index")
    check(made, query)
    made.execute("CREATE OR REPLACE TABLE t AS SELECT id FROM t")
    wait_until(lambda: state(made) is None, "the index to go")


def test_an_empty_table_can_have_an_index(empty_cursor):
    empty_cursor.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}))")
    empty_cursor.execute("CREATE INDEX i ON t USING HNSW (v)")
    assert state(empty_cursor) == (0, 0, "ready")
    assert empty_cursor.execute(best(), [[1.0] * DIM]).fetchall() == []
    insert(empty_cursor, some(2000))
    query = some(1, seed=3)[0]
    check(empty_cursor, query)
    wait_until(lambda: state(empty_cursor) == (2000, 0, "ready"), "the index")
    check(empty_cursor, query)


def test_making_an_index_shows_its_progress_and_can_be_cancelled(made):
    insert(made, some(12_000, seed=5), first=ROWS)
    seen = []
    under_way = threading.Event()

    def follow(progress):
        seen.append(progress)
        if progress.phase == "indexing":
            under_way.set()

    other = threading.Thread(target=lambda: under_way.wait(60) and made.cancel())
    other.start()
    sql = "CREATE INDEX i ON t USING HNSW (v) WITH (m=64, ef_construction=2000)"
    with pytest.raises(thanosql.OperationalError, match="cancelled"):
        made.execute(sql, progress=follow)
    other.join()
    assert any(one.total == ROWS + 12_000 for one in seen)
    assert made.execute("LIST INDEX").fetchall() == []
    check(made, some(1, seed=1)[0])


def test_searches_go_on_while_an_index_is_made(made, tmp_path):
    insert(made, some(12_000, seed=5), first=ROWS)
    done = threading.Event()

    def make():
        with made.connection.cursor() as cursor:
            cursor.execute("CREATE INDEX i ON t USING HNSW (v) WITH (m=32)")
        done.set()

    other = threading.Thread(target=make)
    other.start()
    searched = 0
    while not done.is_set():
        check(made, some(1, seed=searched)[0])
        searched += 1
    other.join()
    assert searched
    assert state(made) == (ROWS + 12_000, 0, "ready")
    check(made, some(1, seed=1)[0])


def test_another_server_sees_the_index_and_what_becomes_of_it(made, tmp_path):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    query = some(1, seed=3)[0]
    with thanosql.connect(tmp_path) as connection, connection.cursor() as cursor:
        assert state(cursor) == (ROWS, 0, "ready")
        check(cursor, query)
        insert(made, some(1200, seed=4), first=ROWS)
        check(cursor, query)
        wait_until(lambda: state(cursor) == (ROWS + 1200, 0, "ready"), "the index")
        check(cursor, query)
        made.execute("DROP INDEX i")
        assert state(cursor) is None
        assert explained(cursor, best(), [query.tolist()]) == "TopK exact int8 k=5"
        check(cursor, query)


@pytest.mark.parametrize("file", ["graph", "ids.npy", "manifest.json"])
def test_a_torn_index_is_made_anew(file, made, tmp_path):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    made.connection.close()
    (path,) = tmp_path.glob(f".thanosql/tables/*/_thanosql_indexes/i/g*/{file}")
    path.write_bytes(path.read_bytes()[:-100])
    with thanosql.connect(tmp_path) as connection, connection.cursor() as cursor:
        check(cursor, some(1, seed=3)[0])
        second = path.parent.with_name("g2")
        wait_until(second.exists, "a new generation")
        wait_until(lambda: state(cursor) == (ROWS, 0, "ready"), "the index")
        check(cursor, some(1, seed=3)[0])


def test_options_of_a_search_choose_how_far_it_looks(scenes):
    scenes.execute("CREATE INDEX s ON scenes USING HNSW (demo_clip_clipen)")
    sql = (
        "SELECT image_path FROM (SEARCH IMAGE text='a red circle' USING demo_clip "
        "OPTIONS({}) AS SELECT * FROM scenes) "
        "ORDER BY demo_clip_clipen_similarity1 DESC LIMIT 3"
    )
    right = scenes.execute(sql.format("exact=True")).fetchall()
    assert "is not asked" in explained(scenes, sql.format("exact=True"))
    for ef in (1, 17, 5000):
        assert f"hnsw ef={max(ef, 6)} " in explained(scenes, sql.format(f"ef={ef}"))
        assert len(scenes.execute(sql.format(f"ef={ef}")).fetchall()) == 3
    assert scenes.execute(sql.format("ef=5000")).fetchall() == right
    scenes.execute("DROP INDEX s")


def test_a_converted_column_keeps_its_index_true(cursor):
    sql = "CONVERT USING m OPTIONS (table_name='test'{}) AS SELECT * FROM test"
    cursor.execute(sql.format(""))
    cursor.execute("CREATE INDEX i ON test USING HNSW (m_simclr)")
    search = (
        "SELECT image_path FROM (SEARCH IMAGE images='{}' USING m AS SELECT * FROM "
        "test) ORDER BY m_simclr_similarity1 DESC LIMIT 3"
    )
    paths = cursor.execute("SELECT image_path FROM test LIMIT 2").fetchall()
    for _ in range(2):
        for (path,) in paths:
            found = cursor.execute(search.format(path)).fetchall()
            assert found[0] == (path,)
        assert "index 'i'" in explained(cursor, search.format(path))
        cursor.execute(sql.format(", refresh=True"))
    assert cursor.execute("LIST INDEX").fetchall()[0][:3] == ("i", "test", "m_simclr")


def test_an_index_is_copied_with_its_workspace(made, tmp_path):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / ".thanosql" / "tables", copy / ".thanosql" / "tables")
    with thanosql.connect(copy) as connection, connection.cursor() as cursor:
        assert state(cursor) == (ROWS, 0, "ready")
        check(cursor, some(1, seed=3)[0])


SHAPES = [
    "SELECT id, cosine_similarity(v, ?) AS score FROM t ORDER BY score DESC LIMIT 7",
    "SELECT id FROM t ORDER BY cosine_similarity(v, ?) DESC LIMIT 7",
    "SELECT * FROM t ORDER BY cosine_similarity(v, ?) DESC LIMIT 7",
    "SELECT id AS a, v AS b, id + 1 AS c FROM t "
    "ORDER BY cosine_similarity(v, ?) DESC LIMIT 7",
    "SELECT id, 1 - cosine_similarity(v, ?) AS far FROM t ORDER BY far LIMIT 7",
    "SELECT a, score FROM (SELECT id AS a, cosine_similarity(v, $1) AS score FROM t) "
    "AS u ORDER BY score DESC LIMIT 7",
    "SELECT id FROM t WHERE id > 5 ORDER BY cosine_similarity(v, ?) DESC LIMIT 7",
    "SELECT id FROM seen ORDER BY cosine_similarity(v, ?) DESC LIMIT 7",
    "SELECT id FROM t ORDER BY cosine_similarity(v, ?) DESC LIMIT 7 OFFSET 2",
    "SELECT v, cosine_similarity(?, v) AS v2 FROM t ORDER BY v2 DESC LIMIT 7",
]


@pytest.mark.parametrize("sql", SHAPES)
def test_a_text_that_comes_again_means_the_same(sql, indexed):
    """The second time it may be run without planning."""
    cursor, _ = indexed
    for seed in range(3):
        query = some(1, seed=seed)[0].tolist()
        found = [cursor.execute(sql, [query]).fetch_arrow_table() for _ in range(3)]
        other = cursor.execute(f"{sql} -- another text", [query]).fetch_arrow_table()
        assert found[0].num_rows == 7
        assert all(one.equals(other) for one in found)
        assert all(one.schema.equals(other.schema) for one in found)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexed")
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}))")
        insert(cursor, some(ROWS))
        cursor.execute("CREATE VIEW seen AS SELECT * FROM t")
        cursor.execute("CREATE INDEX i ON t USING HNSW (v)")
        yield cursor, folder


def test_a_text_that_comes_again_sees_what_has_changed(made):
    made.execute("CREATE INDEX i ON t USING HNSW (v)")
    sql = "SELECT id, cosine_similarity(v, ?) AS s FROM t ORDER BY s DESC LIMIT 1"
    for number in range(5):
        query = some(1, seed=100 + number)[0]
        made.execute(sql, [query.tolist()]).fetchall()
        insert(made, [query], first=ROWS + number)
        assert made.execute(sql, [query.tolist()]).fetchall()[0][0] == ROWS + number
        made.execute(f"DELETE FROM t WHERE id = {ROWS + number}")
        assert made.execute(sql, [query.tolist()]).fetchall()[0][0] < ROWS
    query = some(1)[0].tolist()
    with pytest.raises(thanosql.Error, match="16 and 2"):
        made.execute(sql, [[1.0, 2.0]]).fetchall()
    assert made.execute(sql, [[0.0] * DIM]).fetchall()[0][1] is None
    made.execute("ALTER TABLE t RENAME COLUMN id TO number")
    with pytest.raises(thanosql.ProgrammingError, match="id"):
        made.execute(sql, [query]).fetchall()
    made.execute("ALTER TABLE t RENAME COLUMN number TO id")
    assert made.execute(sql, [query]).fetchall()[0][0] == 0
    made.execute("DROP TABLE t")
    with pytest.raises(thanosql.ProgrammingError, match="there is no table 't'"):
        made.execute(sql, [query]).fetchall()
    made.execute(f"CREATE TABLE t (id VARCHAR, v VECTOR({DIM}))")
    made.execute("INSERT INTO t VALUES ('x', ?)", [query])
    assert made.execute(sql, [query]).fetchall()[0][0] == "x"
