"""`thanosql demo`: from an empty folder to pictures found by text and by picture.

Sends statements through the driver, as any program would. The pictures are drawn on
the spot and the models come with the server or are trained here: no network is needed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql import Error, connect
from thanosql.table import format_table
from thanosql_server.demo_sheet import Row, sheet
from thanosql_server.demo_statements import (
    DIGITS,
    DIGITS_FOLDER,
    SIMILARITY,
    TEXT,
    TEXT_PRINT,
    TEXT_SIMILARITY,
    TEXT_STATEMENTS,
    picture_print,
    picture_statements,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql import Connection
    from thanosql.result import Progress

RESULT = "demo-result.png"
BAR = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    try:
        with connect(str(options.workspace.resolve())) as connection:
            rows = [
                Row(TEXT, _by_text(connection), TEXT_SIMILARITY),
                Row(None, _by_picture(connection), SIMILARITY),
            ]
    except Error as error:
        print(f"\nthanosql demo: {error}", file=sys.stderr)
        return 1
    picture = options.workspace / RESULT
    sheet(rows).save(picture)
    print(f"the queries and what they found: {picture}")
    print(f"all of it took {time.monotonic() - started:.0f} s")
    return 0


def _by_text(connection: Connection) -> pa.Table:
    """Search drawn scenes by a text and return what was found."""
    return _last(connection, (*TEXT_STATEMENTS, TEXT_PRINT))


def _by_picture(connection: Connection) -> pa.Table:
    """Train a model on drawn digits, search by a picture, return what was found."""
    folder = DIGITS_FOLDER
    statements = (DIGITS, *picture_statements(folder), picture_print(folder))
    return _last(connection, statements)


def _last(connection: Connection, statements: Sequence[str]) -> pa.Table:
    """Run the statements, show their results and return the last one."""
    for statement in statements:
        result = _run(connection, statement)
        print(format_table(result, max_rows=5), "\n")
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thanosql demo",
        description="Find drawn pictures by text and by picture, all in SQL.",
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path("demo-workspace"),
        help="folder for the pictures and the tables (default: ./demo-workspace)",
    )
    return parser


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
    """Draw a bar where somebody looks at a terminal."""
    if not progress.total or not sys.stdout.isatty():
        return
    share = progress.done / progress.total
    bar = "█" * round(share * BAR)
    line = f"{progress.phase} {bar:·<{BAR}} {share:4.0%} {progress.message}"
    _replace_line(line)


def _replace_line(text: str) -> None:
    """Print over the progress bar, if there is one."""
    clear = "\r\x1b[2K" if sys.stdout.isatty() else ""
    print(f"{clear}{text}", end="", flush=True)
