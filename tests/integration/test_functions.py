"""Functions in SQL: embeddings and their comparison, against numpy and SEARCH."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import thanosql
from tests.integration.conftest import SCENES

RED = "embed_text('demo_clip', 'a red circle')"
VECTOR = "demo_clip_clipen"

SETTINGS = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
numbers = st.floats(-1e6, 1e6, width=32)


def exact(function, left, right):
    """A slow, obvious reference in float64."""
    a, b = np.array(left, "f8"), np.array(right, "f8")
    if function == "l2_distance":
        return float(np.linalg.norm(a - b))
    if function == "inner_product":
        return float(a @ b)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths else None


def near(value, function, left, right):
    """What `function` should give, to 1e-6 of what it adds up."""
    size = 1.0
    if function == "inner_product":
        size = 1 + float(np.abs(np.array(left, "f8")) @ np.abs(np.array(right, "f8")))
    if function == "l2_distance":
        size = 1 + value
    return None if value is None else pytest.approx(value, abs=1e-6 * size)


@pytest.mark.parametrize(
    "function", ["cosine_similarity", "l2_distance", "inner_product"]
)
@SETTINGS
@given(data=st.data())
def test_comparisons_equal_brute_force(empty_cursor, tmp_path, function, data):
    """Rows against a parameter, a literal and each other, in any mix of types."""
    dim = data.draw(st.integers(1, 9))
    types = [
        pa.list_(pa.float32(), dim),
        pa.list_(pa.float64(), dim),
        pa.list_(pa.float32()),
        pa.large_list(pa.float64()),
    ]
    vector = st.lists(numbers, min_size=dim, max_size=dim)
    rows = data.draw(st.lists(st.tuples(vector, vector), min_size=1, max_size=12))
    query = data.draw(vector)
    table = pa.table(
        {
            "id": range(len(rows)),
            "a": pa.array([a for a, _ in rows], data.draw(st.sampled_from(types))),
            "b": pa.array([b for _, b in rows], data.draw(st.sampled_from(types))),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    empty_cursor.execute("COPY t OPTIONS (if_exists='replace') FROM 't.parquet'")
    literal = f"[{', '.join(map(repr, query))}]"
    found = empty_cursor.execute(
        f"SELECT id, {function}(a, ?), {function}({literal}, b), {function}(a, b) "
        "FROM t ORDER BY id",
        (query,),
    ).fetchall()
    for (_, first, second, third), (a, b) in zip(found, rows, strict=True):
        for value, (left, right) in zip(
            (first, second, third), ((a, query), (b, query), (a, b)), strict=True
        ):
            expected = exact(function, left, right)
            if function == "cosine_similarity" and expected is None:
                assert value is None
            else:
                assert value == near(expected, function, left, right)


def test_a_call_gives_the_bits_of_a_search(scenes):
    scenes.execute(
        f"SELECT demo_clip_clipen_similarity1, cosine_similarity({VECTOR}, {RED}), "
        f"cosine_similarity({RED}, {VECTOR}) FROM (SEARCH IMAGE text='a red circle' "
        "USING demo_clip AS SELECT * FROM scenes)"
    )
    search, call, turned = scenes.fetch_arrow_table().columns
    assert search == call == turned
    assert search.type == pa.float32()
    assert search.null_count == 0


@pytest.mark.parametrize(
    ("order", "k"),
    [
        (f"cosine_similarity({VECTOR}, {RED}) DESC", 7),
        (f"1 - cosine_similarity({RED}, {VECTOR})", 7),
        (f"l2_distance({VECTOR}, {RED})", 7),
        (f"-inner_product({VECTOR}, {RED})", 7),
    ],
)
def test_sorting_by_a_call_is_a_search(scenes, order, k):
    scenes.execute(f"SELECT image_path FROM scenes ORDER BY {order} LIMIT {k}")
    found = [path for (path,) in scenes.fetchall()]
    scenes.execute(
        "SELECT image_path FROM (SEARCH IMAGE text='a red circle' USING demo_clip "
        f"AS SELECT * FROM scenes) ORDER BY demo_clip_clipen_similarity1 DESC LIMIT {k}"
    )
    assert found == [path for (path,) in scenes.fetchall()]


def test_conditions_keep_what_they_say(scenes):
    scores = scenes.execute(
        f"SELECT cosine_similarity({VECTOR}, {RED}) AS s FROM scenes ORDER BY s DESC"
    ).fetchall()
    bound = scores[5][0]
    found = scenes.execute(
        f"SELECT s FROM (SELECT cosine_similarity({VECTOR}, {RED}) AS s FROM scenes) "
        "WHERE s > ? ORDER BY s DESC LIMIT 10",
        (bound,),
    ).fetchall()
    assert found == scores[:5]


def test_calls_stand_in_joins_groups_ctes_and_windows(scenes):
    alike = f"cosine_similarity(a.{VECTOR}, b.{VECTOR}) > 0.999999"
    rows = scenes.execute(
        f"SELECT count(*) FROM scenes a JOIN scenes b ON {alike}"
    ).fetchall()
    assert rows == [(SCENES,)]
    rows = scenes.execute(
        f"WITH s AS (SELECT cosine_similarity({VECTOR}, {RED}) > 0.3 AS c FROM scenes) "
        "SELECT c, count(*) FROM s GROUP BY c ORDER BY c"
    ).fetchall()
    assert [c for c, _ in rows] == [False, True]
    assert sum(count for _, count in rows) == SCENES
    rows = scenes.execute(
        f"SELECT round(inner_product({VECTOR}, {VECTOR}), 5), count(*) FROM scenes "
        f"GROUP BY round(inner_product({VECTOR}, {VECTOR}), 5)"
    ).fetchall()
    assert rows == [(1.0, SCENES)]
    rows = scenes.execute(
        f"SELECT rank() OVER (ORDER BY l2_distance({VECTOR}, {RED})) AS r FROM scenes "
        "ORDER BY r LIMIT 1"
    ).fetchall()
    assert rows == [(1,)]


def test_embeddings_of_columns_are_those_of_constants(scenes):
    scenes.execute(
        "SELECT photo_description, embed_text('demo_clip', photo_description) AS e "
        "FROM scenes LIMIT 5"
    )
    for text, vector in scenes.fetchall():
        [(alone, dim)] = scenes.execute(
            "SELECT embed_text('demo_clip', ?), "
            "array_length(embed_text('demo_clip', 'x')) ",
            (text,),
        ).fetchall()
        np.testing.assert_allclose(vector, alone, atol=1e-5)
        assert dim == len(vector) == 128
    [(distance,)] = scenes.execute(
        f"SELECT max(l2_distance({VECTOR}, embed_image('demo_clip', image_path))) "
        "FROM scenes"
    ).fetchall()
    assert distance < 1e-5


def test_pictures_that_cannot_be_read_are_null_and_counted(scenes):
    rows = scenes.execute(
        "SELECT embed_image('demo_clip', p) IS NULL FROM "
        "(VALUES ('nothing.jpg'), (NULL)) AS t(p)"
    ).fetchall()
    assert rows == [(True,), (True,)]
    assert scenes.warnings == [
        "1 of 1 pictures could not be read and have no embedding: "
        "'nothing.jpg' (no such file)"
    ]


def test_null_in_gives_null(scenes):
    [row] = scenes.execute(
        "SELECT embed_text('demo_clip', NULL), embed_text('demo_clip', ?), "
        f"cosine_similarity({RED}, NULL), l2_distance(NULL, NULL), "
        f"inner_product(?, {RED}), inner_product(make_array(1.0, NULL), [1, 2]), "
        "cosine_similarity([0, 0], [1, 2]), l2_distance([0, 0], [3, 4])",
        (None, None),
    ).fetchall()
    assert row == (*[None] * 7, 5.0)


def test_numbers_that_are_none_give_null_and_too_great_ones_are_infinite(empty_cursor):
    [row] = empty_cursor.execute(
        "SELECT l2_distance(?, [1]), inner_product([1e200], [1e200]), "
        "cosine_similarity([1e200, 0], [1e200, 1e200]), "
        "cosine_similarity([1e-200, 0], [3, 3]), "
        "inner_product(make_array('NaN'::double), [1]), "
        "l2_distance(make_array('inf'::double), [1])",
        ([float("inf")],),
    ).fetchall()
    half = pytest.approx(0.5**0.5, abs=1e-6)
    assert row == (None, float("inf"), half, half, None, None)


def test_a_table_keeps_embeddings_that_sql_made(scenes):
    scenes.execute(
        "CREATE TABLE captions AS SELECT photo_description AS text, "
        "embed_text('demo_clip', photo_description) AS e FROM scenes"
    )
    scenes.execute(f"INSERT INTO captions VALUES ('red', {RED}), ('', NULL)")
    scenes.execute(
        "INSERT INTO captions SELECT 'p', embed_text('demo_clip', $1)", ["p"]
    )
    best = scenes.execute(
        f"SELECT text FROM captions ORDER BY l2_distance(e, {RED}) LIMIT 1"
    ).fetchall()
    assert best == [("red",)]
    scenes.execute("DROP TABLE captions")


def test_a_plan_shows_the_names_and_what_is_compared(scenes):
    scenes.execute(
        f"EXPLAIN SELECT 1 FROM scenes WHERE cosine_similarity({VECTOR}, {RED}) > 0.1"
    )
    plan = dict(scenes.fetchall())["logical_plan"]
    assert 'cosine_similarity_1(scenes.demo_clip_clipen, Utf8("a red circle"))' in plan


def test_columns_and_aliases_may_have_the_names_of_functions(scenes):
    rows = scenes.execute(
        "SELECT embed_text, s.l2_distance AS inner_product FROM "
        "(SELECT 1 AS embed_text, 2 AS l2_distance) AS s ORDER BY embed_text"
    ).fetchall()
    assert rows == [(1, 2)]


def test_a_call_names_its_column_as_it_is_written(scenes):
    scenes.execute(f"SELECT l2_distance( {VECTOR},{RED} ) FROM scenes LIMIT 1")
    [(name, *_)] = scenes.description
    assert name == (
        "l2_distance(demo_clip_clipen,embed_text('demo_clip', 'a red circle'))"
    )


def test_models_may_be_parameters(scenes):
    rows = scenes.execute(
        f"SELECT cosine_similarity(embed_text(?, ?), {RED}), "
        "array_length(embed_text(?, photo_description)) FROM scenes LIMIT 1",
        ("demo_clip", "a red circle", "demo_clip"),
    ).fetchall()
    assert rows == [(pytest.approx(1, abs=1e-6), 128)]


def test_two_clauses_are_joined_without_aliases(scenes):
    scenes.execute(
        "SELECT * FROM (SEARCH IMAGE text='a red circle' USING demo_clip AS "
        "SELECT image_path, demo_clip_clipen FROM scenes) "
        "JOIN (CONVERT USING demo_clip AS SELECT image_path FROM scenes LIMIT 2) "
        "USING (image_path)"
    )
    found = scenes.fetch_arrow_table()
    assert found.num_rows == 2
    np.testing.assert_allclose(
        found.column(1).combine_chunks().flatten(),
        found.column(3).combine_chunks().flatten(),
        atol=1e-5,
    )


VALUES = [
    ("embed_text('demo_clip', ?)", 3, "embed_text takes a text, not 3"),
    ("embed_text('demo_clip', ?)", "", "the text to embed is empty"),
    ("embed_text('demo_clip', ?)", " \n", "the text to embed is empty"),
    ("embed_text(?, 'x')", 3, "embed_text takes the name of a model first, not 3"),
    ("embed_text(?, 'x')", None, "embed_text takes the name of a model first, not"),
    ("l2_distance([1], ?)", "a", "lists of numbers, and this is 'a'"),
    ("l2_distance([1], ?)", ["a"], "lists of numbers, and this is ['a']"),
    ("l2_distance([1], ?)", [], "a vector has at least one number"),
]


@pytest.mark.parametrize(("call", "value", "sentence"), VALUES)
def test_values_of_parameters_are_checked(scenes, call, value, sentence):
    with pytest.raises(thanosql.DataError) as caught:
        scenes.execute(f"SELECT {call}", (value,))
    assert sentence in str(caught.value)
    assert caught.value.sqlstate == "22023"
    assert caught.value.position == (1, 8 + call.index("(") + 1 + _offset(call))


def _offset(call):
    inside = call[call.index("(") + 1 :]
    return inside.index("?")


def test_a_text_of_ten_thousand_characters_is_cut_at_the_model_length(scenes):
    long = " ".join(itertools.islice(itertools.cycle(["red", "circle"]), 1700))
    [(alike,)] = scenes.execute(
        "SELECT cosine_similarity(embed_text('demo_clip', ?), "
        "embed_text('demo_clip', ?))",
        (long, long[: len(long) // 2]),
    ).fetchall()
    assert len(long) > 9_000
    assert alike == pytest.approx(1, abs=1e-6)
