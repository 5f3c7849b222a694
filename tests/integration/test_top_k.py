"""Top-k through SQL finds what a comparison with every row finds."""

from __future__ import annotations

import numpy as np
import pytest

QUERY = "tutorial_data/mnist_data/test/923.jpg"
SCORE = "m_simclr_similarity1"


@pytest.fixture(scope="module")
def connection(searchable_connection):
    return searchable_connection


def searched(table="test", where="true"):
    return (
        f"SEARCH IMAGE images='{QUERY}' USING m AS SELECT * FROM {table} WHERE {where}"
    )


def cosine(vectors, query):
    query = np.asarray(query, np.float64)
    matrix = np.asarray(vectors, np.float64).reshape(-1, len(query))
    return matrix @ query / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(query))


def brute_force(rows, query):
    """Pairs of id and similarity, best first, those without a similarity behind."""
    known = [(row_id, vector) for row_id, vector in rows if vector is not None]
    scores = cosine([vector for _, vector in known], query)
    best = [(known[i][0], scores[i]) for i in np.argsort(-scores)]
    return best + [(row_id, None) for row_id, vector in rows if vector is None]


@pytest.fixture(scope="module")
def query_vector(connection):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m_simclr FROM test WHERE image_path = '{QUERY}'")
        return cursor.fetchone()[0]


FILTERS = (
    "true",
    "label = 3",
    "label <> 3 AND id % 2 = 0",
    "filename LIKE '10%5.jpg'",
    "label IN (1, 8) OR filename IS NULL",
    "id > 100000",
    "m_simclr IS NULL",
)


@pytest.mark.parametrize("k", [1, 7, 500])
@pytest.mark.parametrize("where", FILTERS)
def test_top_k_is_what_brute_force_finds(where, k, rows, query_vector):
    found = rows(
        f"SELECT id, {SCORE} FROM ({searched('many', where)}) "
        f"ORDER BY {SCORE} DESC LIMIT {k}"
    )
    stored = rows(f"SELECT id, m_simclr FROM many WHERE {where}")
    expected = brute_force(stored, query_vector)
    assert len(found) == min(k, len(expected))
    assert len({row_id for row_id, _ in found}) == len(found)
    for (row_id, score), (_, right) in zip(found, expected, strict=False):
        assert score == (None if right is None else pytest.approx(right, abs=1e-5))
        own = dict(expected)[row_id]
        assert score == (None if own is None else pytest.approx(own, abs=1e-5))


def test_a_filter_outside_the_search_counts_before_the_limit(rows, query_vector):
    found = rows(
        f"SELECT id FROM ({searched('many')}) "
        f"WHERE label = 5 ORDER BY {SCORE} DESC LIMIT 5"
    )
    stored = rows("SELECT id, m_simclr FROM many WHERE label = 5")
    scores = dict(brute_force(stored, query_vector))
    assert len(found) == 5
    worst = min(scores[row_id] for (row_id,) in found)
    assert sum(score > worst + 1e-5 for score in scores.values()) < 5


def test_an_offset_goes_on_where_the_limit_ended(rows):
    ordered = f"SELECT id, {SCORE} FROM ({searched('many')}) "
    ordered += f"ORDER BY {SCORE} DESC"
    whole = rows(f"{ordered} LIMIT 20")
    assert rows(f"{ordered} LIMIT 12 OFFSET 8") == whole[8:]


def test_rows_without_an_embedding_come_last(rows):
    found = rows(f"SELECT {SCORE} FROM ({searched()}) ORDER BY {SCORE} DESC")
    assert [score is None for (score,) in found] == [False] * 30 + [True] * 2
    found = rows(f"SELECT {SCORE} FROM ({searched()}) ORDER BY {SCORE}")
    assert [score is None for (score,) in found] == [False] * 30 + [True] * 2


def test_the_best_first_or_the_worst_first(rows):
    best = rows(f"SELECT {SCORE} FROM ({searched()}) ORDER BY {SCORE} DESC LIMIT 30")
    worst = rows(f"SELECT {SCORE} FROM ({searched()}) ORDER BY {SCORE} ASC LIMIT 30")
    assert [score for (score,) in best] == pytest.approx(
        [score for (score,) in worst[::-1]], abs=1e-5
    )


@pytest.fixture(scope="module")
def large(connection):
    """The table `large`: more rows than are compared as they are read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE large AS SELECT row_number() OVER () AS n, many.* FROM many "
            "CROSS JOIN generate_series(1, 20) AS v(copy)"
        )
    return "large"


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize("k", [1, 7, 500])
def test_a_search_by_codes_is_what_brute_force_finds(large, where, k, rows):
    ordered = f"FROM ({searched(large, where)}) ORDER BY {SCORE} DESC"
    found = rows(f"SELECT n, {SCORE} {ordered} LIMIT {k}")
    # A second sort key makes every row be compared.
    every = rows(f"SELECT n, {SCORE} {ordered}, n")
    assert [score for _, score in found] == [score for _, score in every[:k]]
    assert len(dict(found)) == len(found)
    assert dict(found).items() <= dict(every).items()


def explained(rows, sql):
    return dict(rows(f"EXPLAIN {sql}")).get("thanosql")


def test_explain_shows_how_a_search_goes(large, rows):
    def ordered(table):
        return f"SELECT n FROM ({searched(table)}) ORDER BY {SCORE} DESC LIMIT 5"

    assert explained(rows, ordered("large")) == "TopK exact int8 k=5"
    few = f"SELECT id FROM ({searched('many')}) ORDER BY {SCORE} DESC LIMIT 5"
    assert explained(rows, few).startswith("TopK full scan k=5 (the table has fewer")
    for qualified in ("public.large", "thanosql.public.large"):
        assert explained(rows, ordered(qualified)) == "TopK exact int8 k=5"
    every = explained(rows, f"SELECT n, {SCORE} FROM ({searched('large')})")
    assert every.startswith("full scan: every row is compared")
    assert explained(rows, "SELECT n FROM large LIMIT 5") is None
