"""Runs a statement for a notebook and shows what it returns, pictures included."""

from __future__ import annotations

import importlib
import io
import re
import sys
from typing import TYPE_CHECKING, Any

from thanosql.notebook_progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas
    import pyarrow as pa

    from thanosql.connection import Connection
    from thanosql.cursor import Cursor

MEDIA = b"thanosql:media"
"""Metadata of a column that PRINT adds: what its bytes are."""

PICTURE_WIDTH = 240
"""Pixels, the height following."""

MAX_PICTURES = 100
"""How many pictures one PRINT shows: all of them are stored in the notebook's file."""

PATH_COLUMNS = ("image_path", "img_path", "filepath", "path", "image")

_QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'|\"[^\"]*\"", re.DOTALL)
_BUILD = re.compile(r"\s*BUILD\s+MODEL\b", re.IGNORECASE)
_SEARCH = re.compile(r"\bSEARCH\s+(IMAGE|TEXT|AUDIO|VIDEO)\b", re.IGNORECASE)

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")
"""Beginnings of PNG, JPEG and GIF, which every front end shows as they are."""


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
        The rows; None if there are none, or if they were shown as pictures.
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
    return frame


def _rows(
    cursor: Cursor, progress: ProgressBar, *, keep: bool
) -> pandas.DataFrame | None:
    if cursor.description is None:
        progress.close()
        say("Success")
        return None
    reader = cursor.fetch_record_batches()
    picture = _picture_column(reader.schema)
    if picture is None:
        return cursor.fetch_df()
    if not keep:
        _show_pictures(reader, reader.schema, picture, progress)
        return None
    table = cursor.fetch_arrow_table()
    _show_pictures(table.to_batches(), table.schema, picture, progress)
    return table.to_pandas()


def _picture_column(schema: pa.Schema) -> str | None:
    marked = (f.name for f in schema if (f.metadata or {}).get(MEDIA) == b"image")
    return next(marked, None)


def _path_column(schema: pa.Schema) -> str | None:
    """Return the column that says which picture a row has, None if there is none."""
    texts = [field.name for field in schema if _is_text(field.type)]
    usual = [name for name in PATH_COLUMNS if name in texts]
    return next(iter(usual + texts), None)


def _is_text(dtype: pa.DataType) -> bool:
    return str(dtype) in {"string", "large_string", "string_view"}


def _show_pictures(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    picture: str,
    progress: ProgressBar,
) -> None:
    """Show each row as its path and its picture, as the rows arrive."""
    path = _path_column(schema)
    shown = 0
    for batch in batches:
        rows = batch.slice(0, MAX_PICTURES - shown)
        progress.close()
        for row in rows.select([c for c in (path, picture) if c]).to_pylist():
            _show_picture(row.get(path), row[picture])
        shown += rows.num_rows
        if rows.num_rows < batch.num_rows:
            say(f"Only the first {MAX_PICTURES} pictures are shown; use LIMIT")
            return


def _show_picture(path: str | None, data: bytes | None) -> None:
    if path is not None:
        say(path)
    image = None if data is None else _displayable(data)
    if image is None:
        say("(no picture)" if data is None else "(the picture cannot be shown)")
        return
    # IPython is imported by whoever runs this, and not needed to import it.
    display: Any = importlib.import_module("IPython.display")
    display.display(display.Image(data=image, width=PICTURE_WIDTH, alt=path))


def _displayable(data: bytes) -> bytes | None:
    """Return a picture as PNG, JPEG or GIF, None if it cannot be made one."""
    if data.startswith(_SIGNATURES):
        return data
    try:
        pillow = importlib.import_module("PIL.Image")
        png = io.BytesIO()
        pillow.open(io.BytesIO(data)).save(png, "PNG")
    except (ImportError, OSError, ValueError):
        return None
    return png.getvalue()
