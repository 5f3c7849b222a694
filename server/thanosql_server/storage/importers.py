"""The user's files and folders as streams of Arrow batches."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidData, InvalidValue, nearest
from thanosql_server.storage.arrow_files import read_arrow
from thanosql_server.storage.csv_files import read_csv
from thanosql_server.storage.image_folders import IMAGE_EXTENSIONS, list_images
from thanosql_server.storage.json_files import read_json
from thanosql_server.storage.parquet_files import read_parquet
from thanosql_server.storage.source_file import SourceFile
from thanosql_server.storage.xlsx_files import read_xlsx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from thanosql_server.control import Control

    Reader = Callable[[SourceFile], pa.RecordBatchReader]

__all__ = [
    "FILE_KINDS",
    "IMAGE_EXTENSIONS",
    "list_images",
    "read_file",
    "readable",
    "reader_of",
]

_READERS: dict[str, Reader] = {
    "csv": read_csv,
    "tsv": read_csv,
    "parquet": read_parquet,
    "pqt": read_parquet,
    "arrow": read_arrow,
    "arrows": read_arrow,
    "feather": read_arrow,
    "json": read_json,
    "jsonl": read_json,
    "ndjson": read_json,
    "xlsx": read_xlsx,
    "xlsm": read_xlsx,
}

FILE_KINDS = tuple(_READERS)
"""Extensions of the files that can be read."""


def read_file(
    path: Path,
    shown: str,
    *,
    encoding: str = "utf-8",
    sheet: str | int | None = None,
    control: Control | None = None,
) -> pa.RecordBatchReader:
    """Return the rows of a file, whose extension says what it is.

    Types of text files are inferred from the whole file, which is read once for that
    before this function returns and once more by the stream; neither pass holds more
    than some 75 MB.

    Args:
        path: where the file is.
        shown: the path as the user wrote it, for messages.
        encoding: how text files are encoded, a name that Python knows.
        sheet: the name or number of a sheet, of files that have several.
        control: stops the first pass when the statement is cancelled.

    Raises:
        InvalidValue: the extension or the encoding is unknown.
        InvalidData: the file cannot be read or understood; also from the stream.
        Cancelled: the statement was cancelled.
    """
    source = SourceFile(path, shown, encoding, control, sheet)
    read = reader_of(source)
    source.require_encoding()
    with readable(source):
        return read(source)


def reader_of(source: SourceFile) -> Reader:
    """Return what reads a file.

    Raises:
        InvalidValue: its extension is unknown.
    """
    kind = source.path.suffix.lower().removeprefix(".")
    if kind not in _READERS:
        raise InvalidValue(
            f"'{source.shown}' is of no known kind; files that can be read end in "
            f"{', '.join(FILE_KINDS)}{nearest(kind, FILE_KINDS)}"
        )
    return _READERS[kind]


@contextmanager
def readable(source: SourceFile) -> Iterator[None]:
    """Turn the disk's refusals to read a file into InvalidData."""
    try:
        yield
    except OSError as failure:
        # Not the exception's own text: Arrow's holds the path.
        reason = os.strerror(failure.errno) if failure.errno else "input error"
        raise InvalidData(f"'{source.shown}' cannot be read: {reason}") from failure
