"""The command line: `thanosql serve | demo | sql`.

`serve` and `demo` belong to the server; everything after the word is handed to it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql import _version, embedded, errors
from thanosql.connection import connect
from thanosql.table import format_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thanosql.cursor import Cursor
    from thanosql.result import Progress

SERVER_COMMANDS = ("serve", "demo")
INTERRUPTED = 130
"""What shells report after Ctrl+C."""

_CLEAR_LINE = "\r\x1b[2K"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words and words[0] in SERVER_COMMANDS:
            return int(embedded.find(words[0])(words[1:]) or 0)
        return _run_sql(_parser().parse_args(words))
    except errors.Error as ex:
        print(f"error: {ex}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thanosql", description="Semantic search in SQL, over Arrow Flight."
    )
    parser.add_argument("--version", action="version", version=_version.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in (
        ("serve", "serve a workspace folder (see: thanosql serve --help)"),
        ("demo", "find drawn pictures by text and by picture"),
    ):
        commands.add_parser(name, help=text)
    sql = commands.add_parser("sql", help="run one statement and print its result")
    sql.add_argument("statement", help="the SQL text, or - to read it from the input")
    where = sql.add_mutually_exclusive_group()
    where.add_argument("--url", help="grpc://host:port of a server; or THANOSQL_URL")
    where.add_argument("--workspace", metavar="DIR", help="a folder to serve for this")
    sql.add_argument("--token", help="the server's secret; or THANOSQL_TOKEN")
    sql.add_argument("--format", choices=sorted(_FORMATS), default="table")
    sql.add_argument(
        "--max-rows", type=int, default=100, metavar="N", help="rows of a table to show"
    )
    return parser


def _run_sql(options: argparse.Namespace) -> int:
    statement = options.statement
    if statement == "-":
        statement = sys.stdin.read()
    target = options.workspace or options.url
    with (
        connect(target, token=options.token) as connection,
        connection.cursor() as cursor,
    ):
        show_progress = _progress_line()
        cursor.execute(statement, progress=show_progress)
        if show_progress is not None:
            print(_CLEAR_LINE, end="", file=sys.stderr)
        if cursor.description is None:
            _print_success(cursor)
        else:
            _FORMATS[options.format](cursor, options.max_rows)
        for warning in cursor.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for note in cursor.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0


def _progress_line() -> Callable[[Progress], None] | None:
    """Return a callback that keeps one line on the terminal, None without one."""
    if not sys.stderr.isatty():
        return None

    def show(progress: Progress) -> None:
        part = progress.fraction
        share = "" if part is None else f" {part:4.0%}"
        line = f"{progress.phase}{share}  {progress.seconds:.0f} s  {progress.message}"
        print(f"{_CLEAR_LINE}{line[:78]}", end="", file=sys.stderr, flush=True)

    return show


def _print_success(cursor: Cursor) -> None:
    count = cursor.rowcount
    rows = "" if count < 0 else ", 1 row" if count == 1 else f", {count:,} rows"
    print(f"Success{rows}", file=sys.stderr)


def _print_table(cursor: Cursor, max_rows: int) -> None:
    # One row more than shown tells that there are more, without reading them all.
    batches, missing = [], max_rows + 1
    reader = cursor.fetch_record_batches()
    while missing and (batch := next(reader, None)) is not None:
        batches.append(batch.slice(0, missing))
        missing -= batches[-1].num_rows
    table = pa.Table.from_batches(batches, schema=reader.schema)
    text = format_table(table, max_rows)
    if table.num_rows > max_rows:
        lines = text.rpartition("\n")[0]
        text = f"{lines}\n(first {max_rows:,} rows; --max-rows shows more)"
    print(text)


def _print_csv(cursor: Cursor, max_rows: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(column[0] for column in cursor.description or ())
    for row in cursor:
        writer.writerow([_csv_cell(value) for value in row])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return _json(value)
    return value.hex() if isinstance(value, bytes) else value


def _print_json(cursor: Cursor, max_rows: int) -> None:
    """Print an array with one object per line, as the rows arrive."""
    names = [column[0] for column in cursor.description or ()]
    before = "[\n"
    for row in cursor:
        print(before + _json(dict(zip(names, row, strict=True))), end="")
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def _json(value: Any) -> str:
    return json.dumps(_finite(value), default=_json_text, ensure_ascii=False)


def _finite(value: Any) -> Any:
    """Return the value with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return value


def _json_text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


_FORMATS: dict[str, Callable[[Cursor, int], None]] = {
    "csv": _print_csv,
    "json": _print_json,
    "table": _print_table,
}
