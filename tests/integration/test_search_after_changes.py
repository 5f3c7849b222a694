"""A search in memory follows every kind of change of its table."""

import numpy as np
import pytest

ROWS, DIM = 3000, 16
BEST = "SELECT id FROM t ORDER BY cosine_similarity(v, {}) DESC LIMIT 3"


def unit(rng, count):
    vectors = rng.standard_normal((count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def table(empty_cursor):
    """A cursor, and the vectors by id of the table t (id, v) that it serves."""
    vectors = dict(enumerate(unit(np.random.default_rng(0), ROWS)))
    empty_cursor.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}))")
    rows = [(key, vector.tolist()) for key, vector in vectors.items()]
    empty_cursor.executemany("INSERT INTO t VALUES (?, ?)", rows)
    return empty_cursor, vectors


def check(table, query):
    cursor, vectors = table
    listed = [float(number) for number in query]
    found = [key for (key,) in cursor.execute(BEST.format(listed)).fetchall()]
    scores = {key: float(vector @ query) for key, vector in vectors.items()}
    assert found == sorted(scores, key=scores.get, reverse=True)[:3]


def test_a_search_follows_updates_deletes_and_inserts(table):
    cursor, vectors = table
    query = unit(np.random.default_rng(1), 1)[0]
    listed = [float(number) for number in query]
    cursor.execute("EXPLAIN " + BEST.format(listed))
    assert ("thanosql", "TopK exact int8 k=3") in cursor.fetchall()
    check(table, query)

    cursor.execute("UPDATE t SET v = ? WHERE id = 1700", [query.tolist()])
    vectors[1700] = query
    check(table, query)

    cursor.execute("DELETE FROM t WHERE id = 1700")
    del vectors[1700]
    check(table, query)

    near = query + unit(np.random.default_rng(2), 1)[0] * np.float32(0.1)
    near /= np.linalg.norm(near)
    cursor.execute("INSERT INTO t VALUES (5000, ?)", [near.tolist()])
    vectors[5000] = near
    check(table, query)

    cursor.execute("ALTER TABLE t ADD COLUMN note VARCHAR DEFAULT 'n'")
    check(table, query)
    cursor.execute("ALTER TABLE t RENAME COLUMN v TO w")
    cursor.execute("ALTER TABLE t RENAME COLUMN w TO v")
    check(table, query)

    cursor.execute("TRUNCATE t")
    vectors.clear()
    check(table, query)


def test_a_search_follows_columns_that_change_their_names(empty_cursor):
    """Both columns lie in one file, which stays what it is."""
    rng = np.random.default_rng(0)
    first, second = unit(rng, ROWS), unit(rng, ROWS)
    empty_cursor.execute(f"CREATE TABLE t (id INT, v VECTOR({DIM}), w VECTOR({DIM}))")
    rows = zip(range(ROWS), first.tolist(), second.tolist(), strict=True)
    empty_cursor.executemany("INSERT INTO t VALUES (?, ?, ?)", list(rows))
    check((empty_cursor, dict(enumerate(first))), first[7])
    for old, new in (("v", "x"), ("w", "v")):
        empty_cursor.execute(f"ALTER TABLE t RENAME COLUMN {old} TO {new}")
    check((empty_cursor, dict(enumerate(second))), first[7])
