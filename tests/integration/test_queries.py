"""Clauses as queries: nested anywhere, with parameters, names, order and top-k."""

from __future__ import annotations

import numpy as np
import pytest

QUERY = "tutorial_data/mnist_data/test/923.jpg"
OTHER = "tutorial_data/mnist_data/test/1003.jpg"
SEARCH = f"SEARCH IMAGE images='{QUERY}' USING m AS SELECT * FROM test"
SCORE = "m_simclr_similarity1"


@pytest.fixture(scope="module")
def connection(searchable_connection):
    return searchable_connection


def close(found, expected):
    """Whether rows of a text and a similarity agree.

    How float32 sums are rounded depends on how many rows are multiplied at a time.
    """
    return [row[0] for row in found] == [row[0] for row in expected] and np.allclose(
        [row[1] for row in found], [row[1] for row in expected], atol=1e-5
    )


# ---- Nesting ---------------------------------------------------------------

BEST = f"FROM ({SEARCH}) ORDER BY {SCORE} DESC LIMIT 3"

NESTED = {
    "a derived table": f"SELECT filename {BEST}",
    "with an alias": (
        f"SELECT s.filename FROM ({SEARCH}) AS s ORDER BY s.{SCORE} DESC LIMIT 3"
    ),
    "a common table expression": (
        f"WITH s AS ({SEARCH}) SELECT filename FROM s ORDER BY {SCORE} DESC LIMIT 3"
    ),
    "two levels": (
        f"SELECT filename FROM (SELECT * FROM ({SEARCH}) WHERE label >= 0) "
        f"ORDER BY {SCORE} DESC LIMIT 3"
    ),
    "a join": (
        f"SELECT s.filename FROM ({SEARCH}) s JOIN test t "
        f"ON s.image_path = t.image_path ORDER BY s.{SCORE} DESC LIMIT 3"
    ),
    "a condition": (
        f"SELECT filename FROM ({SEARCH}) WHERE filename IN "
        f"(SELECT filename FROM ({SEARCH}) ORDER BY {SCORE} DESC LIMIT 3) "
        f"ORDER BY {SCORE} DESC"
    ),
    "parentheses around the body": (
        f"SELECT filename FROM (SEARCH IMAGE images='{QUERY}' USING m "
        f"AS (SELECT * FROM test)) ORDER BY {SCORE} DESC LIMIT 3"
    ),
    "an embedding made in passing": (
        f"SELECT filename FROM (SEARCH IMAGE images='{QUERY}' USING m AS "
        "(CONVERT USING m AS (SELECT image_path, filename FROM test))) "
        f"ORDER BY {SCORE} DESC LIMIT 3"
    ),
    "names in other case and the former column name": (
        f"Select FileName From (search image IMAGES='{QUERY}' using M as "
        "select * from TEST) order by Similarity_Image1 desc limit 3"
    ),
    "comments at every end": (
        f"SELECT filename -- one\nFROM ({SEARCH} -- two\n) /* three */ "
        f"ORDER BY {SCORE} DESC LIMIT 3 -- four"
    ),
}


@pytest.mark.parametrize("form", NESTED)
def test_a_search_may_stand_wherever_a_query_may(form, rows):
    expected = rows(f"SELECT filename {BEST}")
    assert expected[0] == ("923.jpg",)
    assert len(set(expected)) == 3
    assert rows(NESTED[form]) == expected


def test_searches_can_be_united(rows):
    first = f"SELECT filename, {SCORE} {BEST}"
    second = first.replace(QUERY, OTHER)
    both = rows(f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({second})")
    assert close(sorted(both), sorted(rows(first) + rows(second)))


def test_two_searches_in_one_statement_keep_their_queries_apart(rows):
    [(first, second)] = rows(
        f"SELECT a.{SCORE}, b.{SCORE} FROM ({SEARCH}) a JOIN "
        f"({SEARCH.replace(QUERY, OTHER)}) b USING (image_path) "
        f"WHERE a.image_path = '{QUERY}'"
    )
    assert first == pytest.approx(1, abs=1e-5)
    assert second < 0.9999


def test_the_former_column_names_still_work_and_name_the_result(cursor):
    cursor.execute(f"SELECT image, similarity_image1 FROM ({SEARCH}) LIMIT 1")
    assert [column[0] for column in cursor.description] == [
        "image",
        "similarity_image1",
    ]


def test_a_search_keeps_every_row_in_the_order_of_the_table(table):
    stored = table("SELECT * FROM test")
    found = table(SEARCH)
    assert found.schema.names == [*stored.schema.names, SCORE]
    assert found.select(stored.schema.names) == stored


def test_an_explained_search_shows_a_plan(rows):
    plan = dict(rows(f"EXPLAIN {SEARCH}"))
    assert f'cosine_similarity_1(__s.m_simclr, Utf8("{QUERY}"))' in plan["logical_plan"]
    assert "nowhere" not in plan["physical_plan"]


def test_an_aggregate_over_a_search(rows):
    [(count, scored, best)] = rows(
        f"SELECT count(*), count({SCORE}), max({SCORE}) FROM ({SEARCH})"
    )
    assert (count, scored) == (32, 30)
    assert best == pytest.approx(1, abs=1e-5)


def test_each_query_image_gets_a_column_in_the_order_given(table):
    found = table(
        f"SEARCH IMAGE images=['{QUERY}', '{OTHER}'] USING m AS SELECT * FROM test"
    )
    assert found.schema.names[-2:] == ["m_simclr_similarity1", "m_simclr_similarity2"]
    for path, name in zip((QUERY, OTHER), found.schema.names[-2:], strict=True):
        scores = dict(
            zip(
                found.column("image_path").to_pylist(),
                found.column(name).to_pylist(),
                strict=True,
            )
        )
        assert scores[path] == pytest.approx(1, abs=1e-5)
        assert max(s for s in scores.values() if s is not None) == scores[path]


def test_the_newer_form_sorts_and_keeps_the_top_k(table):
    found = table(
        f"SEARCH IMAGE USING m OPTIONS (search_by='image', search_input='{QUERY}', "
        "emb_col='m_simclr', result_col='score', top_k=4) AS SELECT * FROM test"
    )
    best = table(f"SELECT * FROM ({SEARCH}) ORDER BY {SCORE} DESC LIMIT 4")
    assert found.schema.names == [*best.schema.names[:-1], "score"]
    columns = ["filename", "score"], ["filename", SCORE]
    pairs = [
        list(zip(*t.select(names).to_pydict().values(), strict=True))
        for t, names in zip((found, best), columns, strict=True)
    ]
    assert close(*pairs)


# ---- Parameters -------------------------------------------------------------


def test_parameters_inside_and_outside_of_clauses(rows):
    found = rows(
        "SELECT ? AS mark, filename FROM (SEARCH IMAGE images=? USING m AS "
        f"SELECT * FROM test WHERE label = ?) ORDER BY {SCORE} DESC LIMIT ?",
        ["x", QUERY, 8, 2],
    )
    expected = rows(
        f"SELECT 'x', filename FROM (SEARCH IMAGE images='{QUERY}' USING m AS "
        f"SELECT * FROM test WHERE label = 8) ORDER BY {SCORE} DESC LIMIT 2"
    )
    assert found == expected
    assert found[0] == ("x", "923.jpg")


def test_parameters_in_lists_and_options(cursor):
    cursor.execute(
        "SEARCH IMAGE images=[?, ?] USING m OPTIONS (result_col=?) AS "
        "SELECT image_path, m_simclr FROM test",
        [QUERY, OTHER, "score"],
    )
    names = [column[0] for column in cursor.description]
    assert names == ["image_path", "m_simclr", "score", "score2"]


def test_a_parameter_is_a_value_and_never_sql(rows):
    assert rows("SELECT ?", ["1; DROP TABLE test --"]) == [("1; DROP TABLE test --",)]
    assert rows("SELECT count(*) FROM test WHERE filename = ?", ["' OR 1=1 --"]) == [
        (0,)
    ]


# ---- Looking around ---------------------------------------------------------


def test_tables_and_columns_are_described(rows):
    named = [row[2] for row in rows("SHOW TABLES") if row[1] == "public"]
    assert named == ["many", "test", "train"]
    assert rows("LIST TABLE") == [("many",), ("test",), ("train",)]
    assert [row[:2] for row in rows("DESCRIBE train")] == [
        ("image_path", "Utf8"),
        ("filename", "Utf8"),
        ("label", "Int64"),
    ]
    columns = rows(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'test' ORDER BY ordinal_position"
    )
    assert columns == [("image_path",), ("filename",), ("label",), ("m_simclr",)]


def test_the_models_are_listed(cursor):
    cursor.execute("LIST MODEL")
    names = [column[0] for column in cursor.description]
    assert names == ["name", "class_name", "last_updated_utc"]
    [(name, family, _)] = cursor.fetchall()
    assert (name, family) == ("m", "SimCLR")
    cursor.execute("SELECT dim, pictures, epochs FROM thanosql.models WHERE name = 'm'")
    [(dim, pictures, epochs)] = cursor.fetchall()
    assert (pictures, epochs) == (60, 1)
    cursor.execute("SELECT array_length(m_simclr) FROM test LIMIT 1")
    assert cursor.fetchall() == [(dim,)]


def test_a_picture_is_printed_as_its_file(cursor, searchable_workspace):
    cursor.execute("PRINT IMAGE AS SELECT image_path FROM test LIMIT 2")
    shown = cursor.fetch_arrow_table()
    assert shown.schema.field("picture").metadata == {
        b"thanosql:media": b"image",
        b"thanosql:path": b"image_path",
    }
    for path, picture in zip(*shown.to_pydict().values(), strict=True):
        assert picture == (searchable_workspace / path).read_bytes()
