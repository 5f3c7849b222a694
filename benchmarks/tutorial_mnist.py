"""The image search tutorial on real MNIST pictures, through the driver.

Runs the statements as the tutorial prints them (one epoch) on a workspace with the
1,000 training and 200 test pictures, and compares with what the tutorial shows: row
counts, column names, and that the picture most similar to the query is itself.

    python benchmarks/tutorial_mnist.py [--quick] [--data ../shared/data/mnist]
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import thanosql
from thanosql_server.demo_statements import (
    SIMILARITY,
    picture_print,
    picture_statements,
    query_picture,
)

FOLDER = "tutorial_data/mnist_data"
QUERY = query_picture(FOLDER)
EMBEDDING = SIMILARITY.removesuffix("_similarity1")
TABLE = ["image_path", "filename", "label"]


def run(cursor, statement):
    started = time.monotonic()
    cursor.execute(statement)
    table = cursor.fetch_arrow_table() if cursor.description else None
    shape = f"{table.num_rows} x {table.num_columns}" if table else cursor.rowcount
    first_line = statement.splitlines()[0]
    print(f"{time.monotonic() - started:7.2f} s  {first_line:60.60}  {shape}")
    return cursor.rowcount if table is None else table


def bar(name, value, limit):
    print(f"bar {name}: {value} (limit {limit}) {'ok' if value >= limit else 'short'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same; it is short")
    default = Path(__file__).parents[2] / "shared" / "data" / "mnist"
    parser.add_argument("--data", type=Path, default=default)
    data = parser.parse_args().data
    if not (data / "mnist_train.csv").exists():
        sys.exit(f"no MNIST pictures at {data}; give their folder with --data")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(data, Path(folder) / FOLDER)
        with thanosql.connect(folder) as connection, connection.cursor() as cursor:
            train, test, _, _, converted, searched = (
                run(cursor, statement)
                for statement in picture_statements(FOLDER, epochs=1)
            )
            shown = run(cursor, picture_print(FOLDER))
    paths = shown.column("image_path").to_pylist()
    known = (converted.column(name).to_pylist() for name in ("image_path", "label"))
    labels = dict(zip(*known, strict=True))
    same = sum(labels[path] == labels[QUERY] for path in paths)
    for path, similarity in zip(paths, shown.column(SIMILARITY), strict=True):
        print(f"  {similarity.as_py():.4f}  {path}")
    bar("rows_copied_to_mnist_train", train, 1000)
    bar("rows_copied_to_mnist_test", test, 200)
    bar("convert_is_as_printed", int(_is(converted, [*TABLE, EMBEDDING])), 1)
    bar("search_is_as_printed", int(_is(searched, [*TABLE, EMBEDDING, SIMILARITY])), 1)
    bar("first_of_four_is_the_query", int(paths[0] == QUERY and len(paths) == 4), 1)
    bar("eights_among_the_four", same, 1)


def _is(table, names):
    return table.num_rows == 200 and table.schema.names == names


if __name__ == "__main__":
    main()
