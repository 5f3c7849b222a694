"""Searching by text: the model that ships, on scenes that it has never seen."""

import pytest

import thanosql
from tests.integration.conftest import SCENES


def best(cursor, text, k=3):
    cursor.execute(
        "SELECT photo_description, demo_clip_clipen_similarity1 AS s FROM ("
        "SEARCH IMAGE text=? USING demo_clip AS SELECT * FROM scenes) "
        f"ORDER BY s DESC LIMIT {k}",
        (text,),
    )
    return [row[0] for row in cursor.fetchall()]


def test_a_text_finds_its_picture(scenes):
    captions = scenes.execute("SELECT photo_description FROM scenes").fetchall()
    found = [caption in best(scenes, caption) for (caption,) in captions]
    assert sum(found) >= 0.9 * SCENES


def test_several_texts_and_pictures_give_one_column_each(scenes):
    path = scenes.execute("SELECT image_path FROM scenes LIMIT 1").fetchone()[0]
    scenes.execute(
        "SEARCH IMAGE text=['a red circle', 'a blue square'] USING demo_clip "
        "AS SELECT image_path, demo_clip_clipen FROM scenes"
    )
    table = scenes.fetch_arrow_table()
    assert table.schema.names[2:] == [
        "demo_clip_clipen_similarity1",
        "demo_clip_clipen_similarity2",
    ]
    assert table.num_rows == SCENES
    rows = scenes.execute(
        "SELECT image_path, demo_clip_clipen_similarity1 AS s FROM (SEARCH IMAGE "
        "image=? USING demo_clip AS SELECT * FROM scenes) ORDER BY s DESC LIMIT 1",
        (path,),
    ).fetchall()
    assert rows[0][0] == path
    assert rows[0][1] == pytest.approx(1, abs=1e-4)


def test_the_later_form_sorts_and_cuts(scenes):
    table = scenes.execute(
        "SEARCH IMAGE USING demo_clip OPTIONS (search_by='text', "
        "search_input='a red circle', emb_col='demo_clip_clipen', "
        "result_col='score', top_k=5) AS SELECT * FROM scenes"
    ).fetch_arrow_table()
    scores = table.column("score").to_pylist()
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text to search for is empty"),
        ("  ", "the text to search for is empty"),
    ],
)
def test_an_empty_text_is_refused(scenes, text, message):
    with pytest.raises(thanosql.DataError, match=message):
        best(scenes, text)


def test_a_long_text_is_cut_as_clip_does(scenes):
    assert len(best(scenes, "a red circle " * 1000)) == 3


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ("text_col='nothing'", "ProgrammingError", "no column 'nothing' of texts"),
        ("init='nobody'", "ProgrammingError", "there is no model 'nobody'"),
        ("max_epoch=1", "ProgrammingError", "did you mean 'max_epochs'?"),
    ],
)
def test_training_says_at_once_what_cannot_work(scenes, options, kind, message):
    with pytest.raises(getattr(thanosql, kind)) as caught:
        scenes.execute(
            f"BUILD MODEL c USING CLIP OPTIONS ({options}) AS "
            "SELECT image_path, photo_description AS caption FROM scenes"
        )
    assert message in str(caught.value)


def test_a_model_starts_from_another_one(scenes):
    scenes.execute(
        "BUILD MODEL tuned USING CLIP OPTIONS (init='demo_clip', max_epochs=1, "
        "batch_size=16, text_col='photo_description') AS SELECT * FROM scenes"
    )
    listed = scenes.execute("LIST MODEL").fetchall()
    assert [row[:2] for row in listed] == [("demo_clip", "CLIP"), ("tuned", "CLIP")]
    scenes.execute("DELETE MODEL tuned")
