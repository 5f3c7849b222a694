"""`thanosql demo`: a picture tutorial from empty folder to search result.

Draws digits into a workspace and sends the statements of the image search tutorial
through the driver, as any program would.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from thanosql import Error, connect
from thanosql.table import format_table
from thanosql_server.digits import write_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql import Connection
    from thanosql.result import Progress

FOLDER = "tutorial_data/mnist_data"
MODEL = "my_image_search_model"
QUERY = f"{FOLDER}/test/923.jpg"
SIMILARITY = f"{MODEL}_simclr_similarity1"
RESULT = "demo-result.png"
BAR = 24
TRAINING_PICTURES = 600
TEST_PICTURES = 200

STATEMENTS = (
    f'COPY mnist_train\nOPTIONS(overwrite=True)\nFROM "{FOLDER}/mnist_train.csv"',
    f'COPY mnist_test\nOPTIONS(overwrite=True)\nFROM "{FOLDER}/mnist_test.csv"',
    "SELECT *\nFROM mnist_train\nLIMIT 5",
    f"""BUILD MODEL {MODEL}
USING SimCLR
OPTIONS (
    image_col="image_path",
    max_epochs=10,
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
    f"""SEARCH IMAGE images='{QUERY}'
USING {MODEL}
AS
SELECT *
FROM mnist_test""",
)

PRINT = f"""PRINT IMAGE
AS (
    SELECT image_path, {SIMILARITY}
    FROM (
        SEARCH IMAGE images='{QUERY}'
        USING {MODEL}
        AS
        SELECT *
        FROM mnist_test
        )
    ORDER BY {SIMILARITY} DESC
    LIMIT 4
    )"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    try:
        with connect(_prepared(options.workspace)) as connection:
            for statement in STATEMENTS:
                print(format_table(_run(connection, statement), max_rows=5), "\n")
            found = _run(connection, PRINT)
    except Error as error:
        print(f"\nthanosql demo: {error}", file=sys.stderr)
        return 1
    print(format_table(found), "\n")
    picture = options.workspace / RESULT
    result_picture(found).save(picture)
    print(f"the query and its nearest pictures: {picture}")
    print(f"all of it took {time.monotonic() - started:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thanosql demo",
        description="Draw digits, train a model on them and search, all in SQL.",
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path("demo-workspace"),
        help="folder for the pictures and the tables (default: ./demo-workspace)",
    )
    return parser


def _prepared(workspace: Path) -> str:
    """Draw the pictures into the workspace and return its path for the driver."""
    folder = workspace / FOLDER
    write_digits(folder, FOLDER, "train", TRAINING_PICTURES, seed=0)
    write_digits(folder, FOLDER, "test", TEST_PICTURES, seed=1_000_000)
    count = TRAINING_PICTURES + TEST_PICTURES
    print(f"drew {count} pictures of digits in {folder}\n")
    return str(workspace.resolve())


def _run(connection: Connection, statement: str) -> pa.Table:
    """Print a statement, run it under a progress bar, print its time."""
    print("\n".join(f"thanosql> {line}" for line in statement.splitlines()))
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(statement, progress=_show_progress)
        table = _success() if cursor.description is None else cursor.fetch_arrow_table()
    _replace_line(f"{time.monotonic() - started:.2f} s\n")
    return table


def _success() -> pa.Table:
    return pa.table({"result": ["Success"]})


def _show_progress(progress: Progress) -> None:
    if not progress.total:
        return
    share = progress.done / progress.total
    bar = "█" * round(share * BAR)
    line = f"{progress.phase} {bar:·<{BAR}} {share:4.0%} {progress.message}"
    _replace_line(line)


def _replace_line(text: str) -> None:
    """Print over the progress bar; where nobody looks at a terminal, on a new line."""
    clear = "\r\x1b[2K" if sys.stdout.isatty() else "\r"
    print(f"{clear}{text}", end="", flush=True)


def result_picture(found: pa.Table, query_label: str = "query") -> Image.Image:
    """Return the query beside the found pictures, each under its similarity.

    Args:
        found: rows of PRINT IMAGE: a path, a similarity and the picture's bytes, the
            best first; the query is the first of them when it is in the table.
        query_label: what stands over the query.
    """
    side, gap, head = 140, 16, 28
    files = found.column("picture").to_pylist()
    labels = [query_label, *(f"{s.as_py():.3f}" for s in found.column(SIMILARITY))]
    tiles = [Image.open(io.BytesIO(file)).convert("RGB") for file in files[:1] + files]
    width = gap + (side + gap) * len(tiles) + gap
    canvas = Image.new("RGB", (width, side + head + gap), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(16)
    for i, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        x = gap + (side + gap) * i + (gap if i else 0)
        draw.text((x + side / 2, head / 2), label, "black", font, anchor="mm")
        canvas.paste(tile.resize((side, side), Image.Resampling.NEAREST), (x, head))
    return canvas
