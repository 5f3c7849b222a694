"""The image search tutorial, statement by statement, on drawn digits."""

from PIL import Image

import thanosql
from thanosql_server.demo_sheet import GAP, HEAD, SIDE, Row, sheet
from thanosql_server.demo_statements import (
    SIMILARITY,
    TEXT,
    TEXT_PRINT,
    TEXT_SIMILARITY,
    TEXT_STATEMENTS,
    picture_print,
    picture_statements,
)

FOLDER = "tutorial_data/mnist_data"


def test_the_tutorial_runs_as_printed(digits, tmp_path):
    import shutil

    workspace = tmp_path / "workspace"
    shutil.copytree(digits / "tutorial_data", workspace / "tutorial_data")
    copy_train, copy_test, select, build, convert, search = picture_statements(FOLDER)
    with thanosql.connect(str(workspace)) as connection:
        cursor = connection.cursor()
        assert cursor.execute(copy_train).description is None
        assert cursor.rowcount == 60
        assert cursor.execute(copy_test).rowcount == 30

        rows = cursor.execute(select).fetchall()
        assert [c[0] for c in cursor.description] == ["image_path", "filename", "label"]
        assert [row[2] for row in rows] == [0, 1, 2, 3, 4]

        assert cursor.execute(build).description is None

        table = cursor.execute(convert).fetch_arrow_table()
        embedding = "my_image_search_model_simclr"
        names = ["image_path", "filename", "label", embedding]
        assert (table.num_rows, table.schema.names) == (30, names)
        assert table.column(embedding).null_count == 0
        assert cursor.execute("SELECT * FROM mnist_test").fetch_arrow_table() == table

        scored = cursor.execute(search).fetch_arrow_table()
        assert scored.schema.names == [*names, SIMILARITY]
        assert scored.select(names) == table  # every row, in order

        shown = cursor.execute(picture_print(FOLDER)).fetch_arrow_table()
    assert shown.schema.names == ["image_path", SIMILARITY, "picture"]
    assert shown.num_rows == 4
    assert shown.column("image_path")[0].as_py().endswith("/923.jpg")
    assert abs(shown.column(SIMILARITY)[0].as_py() - 1) < 1e-5
    best = sorted(scored.column(SIMILARITY).to_pylist(), reverse=True)[:4]
    assert shown.column(SIMILARITY).to_pylist() == best
    assert shown.schema.field("picture").metadata == {
        b"thanosql:media": b"image",
        b"thanosql:path": b"image_path",
    }
    picture = sheet([Row(None, shown, SIMILARITY)])
    assert isinstance(picture, Image.Image)
    assert picture.width > 4 * picture.height


def test_the_demo_finds_drawn_scenes_by_text(tmp_path):
    with thanosql.connect(str(tmp_path)) as connection:
        cursor = connection.cursor()
        for statement in TEXT_STATEMENTS:
            cursor.execute(statement)
        found = cursor.execute(TEXT_PRINT).fetch_arrow_table()
    first = found.column("photo_description")[0].as_py()
    # The caption looks at the scene from its other side.
    assert first == "a small blue triangle below a small red circle" != TEXT
    assert found.column(TEXT_SIMILARITY)[0].as_py() > 0.9
    picture = sheet([Row(TEXT, found, TEXT_SIMILARITY)])
    assert picture.height == SIDE + HEAD + GAP
    query = picture.crop((GAP, HEAD, GAP + SIDE, HEAD + SIDE)).convert("L")
    assert query.getextrema()[0] < 50, "no words are drawn"
