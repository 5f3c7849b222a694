"""Texts as rows: CONVERT through the text tower and SEARCH TEXT."""

import numpy as np
import pytest

import thanosql

TEXT = "demo_clip_clipen_text"


@pytest.fixture(scope="module")
def captions(scenes):
    """A cursor on a table `captions` whose texts have embeddings, but for two."""
    scenes.execute(
        "CREATE TABLE captions AS SELECT row_number() OVER () AS id, "
        "photo_description AS text FROM scenes"
    )
    scenes.execute("INSERT INTO captions VALUES (41, ''), (42, NULL)")
    scenes.execute(
        "CONVERT USING demo_clip OPTIONS (convert_type='text', table_name='captions', "
        "batch_size=7) AS SELECT * FROM captions"
    )
    scenes.fetchall()
    assert scenes.warnings == ["1 of 41 texts are empty and have no embedding"]
    return scenes


def test_a_conversion_adds_a_column_of_its_own(captions):
    table = captions.execute("SELECT * FROM captions").fetch_arrow_table()
    assert table.schema.names == ["id", "text", TEXT]
    assert table.column(TEXT).null_count == 2
    vectors = table.column(TEXT).drop_null().combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(vectors), -1)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)


def test_texts_and_pictures_of_one_model_stand_in_one_table(scenes):
    scenes.execute("CREATE TABLE both AS SELECT * FROM scenes")
    scenes.execute(
        "CONVERT USING demo_clip OPTIONS (convert_type='text', table_name='both', "
        "text_col='photo_description') AS SELECT * FROM both"
    )
    names = scenes.fetch_arrow_table().schema.names
    assert names[-2:] == ["demo_clip_clipen", TEXT]
    [(alike,)] = scenes.execute(
        f"SELECT avg(cosine_similarity(demo_clip_clipen, {TEXT})) FROM both"
    ).fetchall()
    assert alike > 0.8
    scenes.execute("DROP TABLE both")


def test_without_a_table_nothing_is_stored(captions):
    found = captions.execute(
        "CONVERT USING demo_clip OPTIONS (convert_type='text', result_col='e') AS "
        "SELECT id, text FROM captions ORDER BY id"
    ).fetch_arrow_table()
    stored = captions.execute(f"SELECT {TEXT} FROM captions ORDER BY id")
    for now, before in zip(
        found.column("e").to_pylist(),
        stored.fetch_arrow_table().column(0).to_pylist(),
        strict=True,
    ):
        if before is None:
            assert now is None
        else:
            np.testing.assert_allclose(now, before, atol=1e-5)


def test_a_text_finds_itself_among_texts(captions):
    rows = captions.execute("SELECT text FROM captions WHERE id <= 20").fetchall()
    for (text,) in rows:
        [(best, score)] = captions.execute(
            f"SELECT text, {TEXT}_similarity1 AS s FROM (SEARCH TEXT text=? "
            "USING demo_clip AS SELECT * FROM captions) ORDER BY s DESC LIMIT 1",
            (text,),
        ).fetchall()
        assert best == text
        assert score == pytest.approx(1, abs=1e-5)


def test_a_picture_finds_its_caption(captions):
    pairs = captions.execute(
        "SELECT image_path, photo_description FROM scenes LIMIT 10"
    ).fetchall()
    hits = 0
    for path, caption in pairs:
        rows = captions.execute(
            "SELECT text FROM (SEARCH TEXT USING demo_clip OPTIONS (search_by='image', "
            "search_input=?, top_k=3) AS SELECT * FROM captions)",
            (path,),
        ).fetchall()
        hits += (caption,) in rows
    assert hits >= 8


def test_the_later_form_sorts_cuts_and_names_as_its_time_did(captions):
    found = captions.execute(
        "SEARCH TEXT USING demo_clip OPTIONS (search_by='text', "
        "search_input=['a red circle', 'a blue square']) AS SELECT * FROM captions"
    ).fetch_arrow_table()
    assert found.schema.names[-2:] == ["search_result", "search_result2"]
    scores = found.column("search_result").to_pylist()
    assert len(scores) == 42
    assert scores[:40] == sorted(scores[:40], reverse=True)
    assert scores[40:] == [None, None]


def test_all_rows_are_sorted_when_none_is_cut(captions):
    found = captions.execute(
        "SEARCH TEXT USING demo_clip OPTIONS (search_by='text', "
        "search_input='a red circle', top_k=None) AS "
        "SELECT * FROM captions WHERE id <= 40"
    ).fetch_arrow_table()
    scores = found.column("search_result").to_pylist()
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 40


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ("", f"{TEXT}_similarity1"),
        (f"OPTIONS (emb_col='{TEXT}')", "search_result"),
        ("OPTIONS (emb_col='convert_result')", "search_result"),
        ("OPTIONS (column_name='score')", "score"),
        ("OPTIONS (result_col='text')", "text"),
    ],
)
def test_the_similarity_is_named_by_form_or_option(captions, options, column):
    found = captions.execute(
        f"SEARCH TEXT text='a red circle' USING demo_clip {options} AS "
        "SELECT * FROM captions"
    ).fetch_arrow_table()
    assert found.schema.names[-1] == column
    assert len(set(found.schema.names)) == len(found.schema.names)
    if column != "score":
        for name in ("similarity_image1", "search_result"):
            if column != "text":
                again = captions.execute(
                    f"SELECT {name} FROM (SEARCH TEXT text='a red circle' USING "
                    f"demo_clip {options} AS SELECT * FROM captions)"
                ).fetch_arrow_table()
                assert again.column(0) == found.column(column)


def test_a_search_of_a_stored_search_replaces_its_column(captions):
    search = "SEARCH TEXT text=? USING demo_clip AS SELECT * FROM"
    captions.execute(f"CREATE TABLE once AS {search} captions", ("a red circle",))
    found = captions.execute(f"{search} once", ("a blue square",)).fetch_arrow_table()
    right = captions.execute(f"{search} captions", ("a blue square",))
    assert found == right.fetch_arrow_table()
    captions.execute("DROP TABLE once")


def test_the_column_of_pictures_is_searched_where_there_is_no_other(scenes):
    found = scenes.execute(
        "SEARCH TEXT text='a red circle' USING demo_clip AS SELECT * FROM scenes"
    ).fetch_arrow_table()
    assert found.schema.names[-1] == "demo_clip_clipen_similarity1"


REFUSED = [
    (
        "SEARCH TEXT text='a' USING demo_clip AS SELECT photo_id FROM scenes",
        "42703",
        (1, 28),
        "no embedding column 'demo_clip_clipen_text'; "
        "CONVERT USING demo_clip OPTIONS(convert_type='text', ...) makes it",
    ),
    (
        "CONVERT USING demo_clip OPTIONS (convert_type='text') AS SELECT * FROM scenes",
        "42703",
        (1, 34),
        "the rows have no column of texts (text, caption); "
        "name it with OPTIONS(text_col='...')",
    ),
    (
        "CONVERT USING demo_clip OPTIONS (convert_type='text', text_col='id') "
        "AS SELECT id FROM captions",
        "42000",
        (1, 55),
        "column 'id' holds uint64, not texts",
    ),
    ("SEARCH TEXT text=' ' USING demo_clip AS SELECT * FROM captions", "22023", None,
     "the text to search for is empty"),
    ("SEARCH TEXT text=[] USING demo_clip AS SELECT * FROM captions", "42601", None,
     "the list of what to search for is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "sqlstate", "position", "sentence"), REFUSED)
def test_what_cannot_work_is_refused(captions, sql, sqlstate, position, sentence):
    with pytest.raises(thanosql.Error) as caught:
        captions.execute(sql).fetchall()
    assert sentence in str(caught.value)
    assert caught.value.sqlstate == sqlstate
    assert position is None or caught.value.position == position
