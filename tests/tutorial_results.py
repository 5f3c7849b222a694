"""What each statement of the five tutorials gives, by the rules of docs/sql.

    python -m tests.tutorial_results      runs them all and prints one line for each

Row counts follow the data that `thanosql_server.tutorials` draws.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import thanosql
from tests import seeds
from thanosql_server import tutorials

PHOTOS, TRAIN = 75, 80
TEST = TRAIN // 5

OLD = f"/data/{tutorials.OLD_MNIST}"
BEFORE = {
    0: (
        "GET THANOSQL MODEL clip_en",
        "COPY photos FROM '/data/tutorial/unsplash_data/unsplash.csv'",
        "CREATE TABLE unsplash_data AS SELECT photo_id, image_path AS filepath, "
        "photo_image_url, photo_description, ai_description FROM photos",
    ),
    1: (),
    2: (),
    3: (f"COPY mnist_dataset FROM '{OLD}/mnist_train_data.csv'",),
    4: ("GET THANOSQL MODEL tutorial_search_clip",),
}
"""Tutorial -> statements that make what it finds made."""


@dataclass(frozen=True)
class Rows:
    """Rows with these columns; `printed` if a PRINT adds a column of pictures."""

    columns: list[str]
    count: int
    printed: bool = False

    def __str__(self):
        what = " pictures" if self.printed else ""
        return f"{self.count} x {len(self.columns)}{what}: {', '.join(self.columns)}"


SUCCESS = "Success"
"""What is said of a statement without rows."""


def _of_photos(path, embedding, similarity, searches, shown_path):
    """Return the results from the first SELECT to the last PRINT of a text search."""
    first = ["photo_id", path, "photo_image_url", "photo_description", "ai_description"]
    embedded = [*first, embedding]
    scored = [*embedded, f"{embedding}_similarity1"]
    best = [shown_path, similarity]
    return {
        "select": Rows(first, 5),
        "print": Rows([shown_path], 5, printed=True),
        "convert": Rows(embedded, PHOTOS),
        "embedded": Rows(embedded, 5),
        "search": Rows(scored, PHOTOS),
        "best": Rows(best, 5),
        "found": [Rows(best, 5, printed=True)] * searches,
    }


_A = _of_photos(
    "filepath", "clip_en_clipen", "clip_en_CLIPEn_similarity1", 5, shown_path="image"
)
_CLIP = "tutorial_search_clip_clipen"
_B = _of_photos("image_path", _CLIP, f"{_CLIP}_similarity1", 4, "image_path")
_DIGITS = ["image_path", "filename", "label"]
_SIMCLR = "my_image_search_model_simclr"
_FOLDER = [*_DIGITS, "mnist_model_simclr"]

RESULTS = {
    0: [
        *(_A["select"], _A["print"], _A["convert"], _A["embedded"], _A["search"]),
        *(_A["best"], *_A["found"]),
    ],
    1: [
        *(SUCCESS, SUCCESS, SUCCESS),
        *(_B["select"], _B["print"], _B["convert"], _B["embedded"], _B["search"]),
        *(_B["best"], *_B["found"]),
    ],
    2: [
        *(SUCCESS, SUCCESS, Rows(_DIGITS, 5), SUCCESS),
        Rows([*_DIGITS, _SIMCLR], TEST),
        Rows([*_DIGITS, _SIMCLR, f"{_SIMCLR}_similarity1"], TEST),
        Rows(["image_path", f"{_SIMCLR}_similarity1"], 4, printed=True),
    ],
    3: [
        *(Rows(["img_path", "filename", "label"], 5), SUCCESS, SUCCESS),
        Rows(_FOLDER, 5),
        Rows(["img_path", "filename", "label", "mnist_model_simclr"], TRAIN),
        Rows([*_FOLDER, "mnist_model_simclr_similarity1"], TRAIN),
        Rows(["image", "similarity_image1"], 4, printed=True),
    ],
    4: [
        *(SUCCESS, _B["select"], _B["print"], _B["convert"], _B["search"]),
        *(_B["best"], *_B["found"]),
    ],
}
"""Tutorial -> the result of each statement, in order."""


def prepared(folder):
    """Draw the data of the tutorials; return the settings of the server."""
    return tutorials.prepare(folder, photos=PHOTOS, digits=TRAIN)


def run(cursor, statement):
    """Run a statement; return its result and its rows, an Arrow table or None."""
    cursor.execute(statement)
    if cursor.description is None:
        return SUCCESS, None
    table = cursor.fetch_arrow_table()
    media = [(f.metadata or {}).get(b"thanosql:media") for f in table.schema]
    printed = media[-1] == b"image"
    names = table.schema.names[: -1 if printed else None]
    return Rows(names, table.num_rows, printed), table


def main():
    """Print the table: tutorial, number, first words, result."""
    if not seeds.is_there():
        sys.exit(seeds.MISSING)
    for number in seeds.NUMBERS:
        with tempfile.TemporaryDirectory() as folder:
            settings = prepared(Path(folder))
            with thanosql.connect(folder, **settings) as connection:
                _print_all(connection.cursor(), number)


def _print_all(cursor, number):
    for statement in BEFORE[number]:
        cursor.execute(statement)
    for cell in seeds.cells(number):
        # A magic of a line is the notebook's own affair.
        result = "-" if cell.statement is None else run(cursor, cell.statement)[0]
        line = f"{number:03} | {cell.place:2} | {cell.words:.60} | {result}\n"
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
