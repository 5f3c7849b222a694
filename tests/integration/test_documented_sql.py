"""The examples of every page of docs/sql run as they are printed, in order.

Each page begins with a copy of one workspace, which has what the pages speak of.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thanosql
import thanosql_server
from tests.excel import write_xlsx
from tests.fix_workspace import DIGITS
from tests.media_files import write_wav
from tests.sql_pages import PAGES, examples

NEEDS = {"prices.xlsx": "python_calamine", "USING HNSW": "hnswlib"}
"""Packages that examples need, by a piece of their text; without, a page ends there."""

PARAMETERS = {
    "search_input=?": [f"{DIGITS}/test/923.jpg"],
    "VALUES (?, ?, DEFAULT)": [3, "c.jpg"],
}
"""Values for examples with parameters, by a piece of their text."""

TABLES = [
    f"COPY mnist_train FROM '{DIGITS}/mnist_train.csv'",
    f"COPY mnist_test FROM '{DIGITS}/mnist_test.csv'",
    "CONVERT USING my_image_search_model OPTIONS (table_name='mnist_test') "
    "AS SELECT * FROM mnist_test",
    "COPY scenes FROM 'scenes/scenes.csv'",
    "INSERT INTO scenes (image_path, photo_description) SELECT 'scenes/1.jpg', "
    "photo_description FROM scenes ORDER BY image_path LIMIT 1",
    "CONVERT USING demo_clip OPTIONS (table_name='scenes') AS SELECT * FROM scenes",
    "CREATE TABLE photos (id BIGINT, file IMAGE NOT NULL, taken TIMESTAMP)",
    "CREATE TABLE calls AS SELECT 'recordings/1.wav' AS recording",
    "CREATE TABLE corrections AS SELECT filename, 8 AS label FROM mnist_test LIMIT 2",
]
TAKEN = {
    "create_table": ("photos",),
    "get_thanosql": ("mnist_train",),
}
"""Tables that the examples of a page make anew."""


@pytest.fixture(scope="module")
def template(scenes_folder, digits, tmp_path_factory):
    """A workspace with the tables, models and files of the pages."""
    folder = tmp_path_factory.mktemp("pages") / "workspace"
    shutil.copytree(scenes_folder, folder)
    shutil.copytree(digits / DIGITS, folder / DIGITS)
    simclr = Path(thanosql_server.__file__).parent / "tutorial_search_simclr"
    models = folder / ".thanosql" / "models"
    shutil.copytree(simclr, models / "my_image_search_model" / "v1")
    (folder / "recordings").mkdir()
    write_wav(folder / "recordings" / "1.wav")
    write_sales(folder)
    rows = [["day", "price"], [date(2026, 3, 1), 2.5], [date(2026, 3, 2), 3]]
    write_xlsx(folder / "prices.xlsx", {"February": rows[:1], "March": rows})
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        for sql in TABLES:
            cursor.execute(sql)
            assert cursor.warnings == []
    return folder


def write_sales(folder):
    """Write several files of one table, of three kinds."""
    months = folder / "sales" / "2026"
    months.mkdir(parents=True)
    (folder / "events").mkdir()
    for number, month in enumerate(("june", "may")):
        (folder / "sales" / f"{month}.csv").write_text(f"id,cost\n{number},2.5\n")
        (folder / "events" / f"{month}.jsonl").write_text(f'{{"id": {number}}}\n')
        pq.write_table(pa.table({"id": [number]}), months / f"part-{number}.parquet")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_run(template, tmp_path, page):
    folder = tmp_path / "workspace"
    shutil.copytree(template, folder)
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        for table in TAKEN.get(page.stem, ()):
            cursor.execute(f"DROP TABLE {table}")
        for sql in examples(page):
            for piece, package in NEEDS.items():
                if piece in sql:
                    pytest.importorskip(package)
            given = [PARAMETERS[piece] for piece in PARAMETERS if piece in sql]
            cursor.execute(sql, *given)
            if cursor.description:
                assert cursor.fetch_arrow_table().num_rows, sql
            assert cursor.warnings == [], sql
