"""What the demo says in SQL: pictures found by a text, then by another picture."""

from __future__ import annotations

TEXT = "a small red circle above a small blue triangle"
TEXT_SIMILARITY = "demo_clip_clipen_similarity1"
MODEL = "my_image_search_model"
SIMILARITY = f"{MODEL}_simclr_similarity1"

TEXT_STATEMENTS = (
    "GET THANOSQL DATASET scenes_data\nOPTIONS (overwrite=True)",
    "GET THANOSQL MODEL demo_clip\nOPTIONS (overwrite=True)",
    """COPY scenes
OPTIONS (overwrite=True)
FROM 'thanosql-dataset/scenes_data/scenes.csv'""",
    "SELECT image_path, photo_description\nFROM scenes\nLIMIT 5",
    """CONVERT USING demo_clip
OPTIONS (
    table_name="scenes",
    image_col="image_path"
    )
AS
SELECT *
FROM scenes""",
)
"""From nothing to a table of pictures with embeddings, by a model that ships."""

TEXT_PRINT = f"""PRINT IMAGE
AS (
    SELECT image_path, photo_description, {TEXT_SIMILARITY}
    FROM (
        SEARCH IMAGE text="{TEXT}"
        USING demo_clip
        AS
        SELECT *
        FROM scenes
        )
    ORDER BY {TEXT_SIMILARITY} DESC
    LIMIT 4
    )"""

DIGITS = "GET THANOSQL DATASET digits_data\nOPTIONS (overwrite=True)"
DIGITS_FOLDER = "thanosql-dataset/digits_data"


def query_picture(folder: str) -> str:
    """Return the path of the picture that the tutorial searches for, an 8."""
    return f"{folder}/test/923.jpg"


def picture_statements(folder: str, epochs: int = 10) -> tuple[str, ...]:
    """Return the tutorial of searching by a picture, up to the search itself.

    Args:
        folder: path in the workspace of `mnist_train.csv`, `mnist_test.csv` and what
            they list.
        epochs: of the training; the tutorial prints 1, after which other digits are
            among the nearest four.
    """
    return (
        f'COPY mnist_train\nOPTIONS (overwrite=True)\nFROM "{folder}/mnist_train.csv"',
        f'COPY mnist_test\nOPTIONS (overwrite=True)\nFROM "{folder}/mnist_test.csv"',
        "SELECT *\nFROM mnist_train\nLIMIT 5",
        f"""BUILD MODEL {MODEL}
USING SimCLR
OPTIONS (
    image_col="image_path",
    max_epochs={epochs},
    overwrite=True
    )
AS
SELECT *
FROM mnist_train""",
        f"""CONVERT USING {MODEL}
OPTIONS (
    table_name= "mnist_test",
    image_col="image_path"
    )
AS
SELECT *
FROM mnist_test""",
        f"""SEARCH IMAGE images='{query_picture(folder)}'
USING {MODEL}
AS
SELECT *
FROM mnist_test""",
    )


def picture_print(folder: str) -> str:
    """Return the statement that shows the four pictures nearest to the query."""
    return f"""PRINT IMAGE
AS (
    SELECT image_path, {SIMILARITY}
    FROM (
        SEARCH IMAGE images='{query_picture(folder)}'
        USING {MODEL}
        AS
        SELECT *
        FROM mnist_test
        )
    ORDER BY {SIMILARITY} DESC
    LIMIT 4
    )"""
