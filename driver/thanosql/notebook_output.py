"""Runs a statement for a notebook, and shows or returns its rows."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from thanosql import notebook_media
from thanosql.notebook_progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas
    import pyarrow as pa

    from thanosql.connection import Connection
    from thanosql.cursor import Cursor

_QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'|\"[^\"]*\"", re.DOTALL)
_BUILD = re.compile(r"\s*BUILD\s+MODEL\b", re.IGNORECASE)
_SEARCH = re.compile(r"\bSEARCH\s+(IMAGE|TEXT|AUDIO|VIDEO)\b", re.IGNORECASE)


def say(text: str) -> None:
    """Print a line under the cell."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def announcement(statement: str) -> str | None:
    """Return what is said before a statement that takes its time, else None."""
    bare = _QUOTED.sub(" ", statement)
    if _BUILD.match(bare):
        return "Building model..."
    return "Searching..." if _SEARCH.search(bare) else None


def run(
    connection: Connection, statement: str, *, keep: bool = False
) -> pandas.DataFrame | None:
    """Run a statement under a progress bar and show or return its rows.

    Args:
        connection: where to run it.
        statement: the SQL text.
        keep: whether the rows are wanted in any case, also those of a PRINT.

    Returns:
        The rows; None if there are none, or if they were shown as files.
    """
    if (words := announcement(statement)) is not None:
        say(words)
    with connection.cursor() as cursor, ProgressBar() as progress:
        try:
            cursor.execute(statement, progress=progress.show)
            frame = _rows(cursor, progress, keep=keep)
        except KeyboardInterrupt:
            cursor.cancel()
            raise
        progress.close()
        for warning in cursor.warnings:
            say(f"Warning: {warning}")
        for note in cursor.notes:
            say(f"Note: {note}")
    return frame


def _rows(
    cursor: Cursor, progress: ProgressBar, *, keep: bool
) -> pandas.DataFrame | None:
    if cursor.description is None:
        progress.close()
        say("Success")
        return None
    reader = cursor.fetch_record_batches()
    printed = notebook_media.printed(reader.schema)
    if printed is None:
        return cursor.fetch_df()

    if not keep:
        notebook_media.show(_without_bar(reader, progress), printed, say)
        return None
    table = cursor.fetch_arrow_table()
    notebook_media.show(_without_bar(table.to_batches(), progress), printed, say)
    return table.to_pandas()


def _without_bar(
    batches: Iterable[pa.RecordBatch], progress: ProgressBar
) -> Iterator[pa.RecordBatch]:
    """Yield the batches; the bar goes before the first, as there will be output."""
    for batch in batches:
        progress.close()
        yield batch
