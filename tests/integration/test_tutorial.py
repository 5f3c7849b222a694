"""The image search tutorial, statement by statement, on drawn digits."""

from PIL import Image

import thanosql
from thanosql_server.demo import PRINT, SIMILARITY, STATEMENTS, result_picture


def test_the_tutorial_runs_as_printed(digits, tmp_path):
    import shutil

    workspace = tmp_path / "workspace"
    shutil.copytree(digits / "tutorial_data", workspace / "tutorial_data")
    copy_train, copy_test, select, build, convert, search = STATEMENTS
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

        shown = cursor.execute(PRINT).fetch_arrow_table()
    assert shown.schema.names == ["image_path", SIMILARITY, "picture"]
    assert shown.num_rows == 4
    assert shown.column("image_path")[0].as_py().endswith("/923.jpg")
    assert abs(shown.column(SIMILARITY)[0].as_py() - 1) < 1e-5
    best = sorted(scored.column(SIMILARITY).to_pylist(), reverse=True)[:4]
    assert shown.column(SIMILARITY).to_pylist() == best
    assert shown.schema.field("picture").metadata == {b"thanosql:media": b"image"}
    picture = result_picture(shown)
    assert isinstance(picture, Image.Image)
    assert picture.width > 4 * picture.height
