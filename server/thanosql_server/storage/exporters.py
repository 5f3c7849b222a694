"""Rows as a file: CSV, JSON lines, Parquet or Arrow, as its extension says."""

from __future__ import annotations

import base64
import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from thanosql_server.errors import (
    DuplicateObject,
    InvalidData,
    InvalidValue,
    ResourceExhausted,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from thanosql_server.storage.scratch import Scratch

    Write: TypeAlias = Callable[[pa.RecordBatch], object]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROW_GROUP = 65_536
"""Rows of a group of a Parquet file: what a reader holds at a time."""


class NewFile:
    """A file that is going to be written, and appears when it is whole.

    Args:
        path: where it is to be.
        shown: the path as the user wrote it, for messages.
        overwrite: whether a file that is there is replaced.

    Raises:
        InvalidValue: the extension is of no kind that can be written.
        DuplicateObject: the file is there already.
    """

    def __init__(self, path: Path, shown: str, *, overwrite: bool = False) -> None:
        kind = path.suffix.lower().removeprefix(".")
        if kind not in _WRITERS:
            raise InvalidValue(
                f"'{shown}' is of no known kind; files that can be written end in "
                f"{', '.join(_WRITERS)}{nearest(kind, _WRITERS)}"
            )
        if not overwrite and path.exists():
            raise _duplicate(shown)
        self._path, self._shown, self._overwrite = path, shown, overwrite
        self._writer = _WRITERS[kind]

    def write(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], scratch: Scratch
    ) -> int:
        """Write rows and return their number; what `batches` raise is raised.

        Args:
            schema: the columns.
            batches: the rows.
            scratch: where the file grows.

        Raises:
            DuplicateObject: somebody else has written the file meanwhile.
            InvalidData: the kind of file cannot hold a column, or the folder no file.
            ResourceExhausted: the disk is full.
        """
        staged, rows = scratch.new_path(), 0
        try:
            with _translated(self._shown):
                with staged.open("wb") as file:
                    with self._writer(file, schema) as write:
                        for batch in batches:
                            write(batch)
                            rows += batch.num_rows
                    file.flush()
                    os.fsync(file.fileno())
                _place(staged, self._path, self._shown, overwrite=self._overwrite)
        finally:
            staged.unlink(missing_ok=True)
        return rows


@contextmanager
def _csv(file: IO[bytes], schema: pa.Schema, delimiter: str = ",") -> Iterator[Write]:
    flat = pa.schema(
        field.with_type(pa.string()).remove_metadata()
        if _needs_text(field.type)
        else field.remove_metadata()
        for field in schema
    )
    options = pacsv.WriteOptions(delimiter=delimiter)
    with pacsv.CSVWriter(file, flat, write_options=options) as writer:

        def write(batch: pa.RecordBatch) -> None:
            columns = [
                _texts(column) if _needs_text(column.type) else column
                for column in batch.columns
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))

        yield write


@contextmanager
def _tsv(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    with _csv(file, schema, "\t") as write:
        yield write


@contextmanager
def _json_lines(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    def write(batch: pa.RecordBatch) -> None:
        for row in batch.to_pylist():
            file.write(_json(row) + b"\n")

    yield write


@contextmanager
def _parquet(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_batches(waiting, schema))
            waiting.clear()

        def write(batch: pa.RecordBatch) -> None:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _ROW_GROUP:
                flush()

        yield write
        if waiting:
            flush()


@contextmanager
def _arrow(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    with pa.ipc.new_file(file, schema) as writer:
        yield writer.write_batch


_WRITERS: dict[str, Callable[..., Any]] = {
    "csv": _csv,
    "tsv": _tsv,
    "json": _json_lines,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "parquet": _parquet,
    "pqt": _parquet,
    "arrow": _arrow,
    "feather": _arrow,
}


def _needs_text(kind: pa.DataType) -> bool:
    """Return whether CSV has no form of its own for values of a type."""
    return bool(
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_interval(kind)
        or pa.types.is_dictionary(kind)
    )


def _texts(column: pa.Array) -> pa.Array:
    """Return values as texts: lists and structs as JSON, bytes in base64."""
    values = (None if value is None else _text(value) for value in column.to_pylist())
    return pa.array(values, pa.string())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict, tuple)):
        return _json(value).decode()
    return _readable(value)


def _json(value: object) -> bytes:
    return orjson.dumps(value, default=_readable)


def _readable(value: object) -> str:
    """Return what JSON has no form for as text."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _place(staged: Path, path: Path, shown: str, *, overwrite: bool) -> None:
    """Move a whole file to its place, in one step."""
    try:
        _move(staged, path, overwrite=overwrite)
    except FileExistsError:
        raise _duplicate(shown) from None
    except OSError as failure:
        if failure.errno != errno.EXDEV:
            raise
        # The folder is on another disk: the file grows beside its place instead.
        beside = path.with_name(f".{staged.name}")
        try:
            shutil.copyfile(staged, beside)
            _move(beside, path, overwrite=overwrite)
        except FileExistsError:
            raise _duplicate(shown) from None
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def _move(source: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        source.replace(path)
    else:
        os.link(source, path)  # unlike rename, it never replaces a file


@contextmanager
def _translated(shown: str) -> Iterator[None]:
    """Say in our words why a file cannot be written."""
    try:
        yield
    except OSError as failure:
        if failure.errno in _FULL:
            raise ResourceExhausted(
                f"the server's disk is full, so '{shown}' was not written"
            ) from None
        # Not the exception's own text, which may hold the path.
        reason = os.strerror(failure.errno) if failure.errno else "output error"
        raise InvalidData(f"'{shown}' cannot be written: {reason}") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as failure:
        reason = str(failure).splitlines()[0]
        raise InvalidData(f"'{shown}' cannot be written: {reason}") from None
    except orjson.JSONEncodeError as failure:
        raise InvalidData(f"'{shown}' cannot be written: {failure}") from None


def _duplicate(shown: str) -> DuplicateObject:
    return DuplicateObject(
        f"there is a file '{shown}' already; choose another name, or replace it with "
        "overwrite=True"
    )
