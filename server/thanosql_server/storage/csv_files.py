"""CSV and TSV files: one pass to find the types, one to read."""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.errors import InvalidData
    from thanosql_server.storage.source_file import SourceFile

_LONGEST_ROW = 2 << 20
"""Bytes of one block, in which a row must fit; Arrow holds up to 36 blocks: 75 MB."""

_INT, _REAL, _BOOL = pa.int64(), pa.float64(), pa.bool_()
_DATE, _TIME, _INSTANT = pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")
_TEXT = pa.string()

_TRIED = (_INT, _REAL, _BOOL, _DATE, _TIME, _INSTANT, _TEXT)
"""Types in the order in which they are tried on a column's first values."""

_WIDER = {_INT: (_REAL, _TEXT), _DATE: (_TIME, _TEXT)}
"""What a type becomes if later values do not fit; all others become text."""

_NOT_QUITE = {
    # 007 and 0x1F mean more than a number: a code, a telephone number.
    _INT: r"^[+-]?0[0-9xX]",
    # So does a whole number of 19 digits or more, which a double would round.
    _REAL: r"^[+-]?(0[0-9xX]|[0-9]{19,}$)",
}
"""Values that could be read as a type, but would lose what they say."""


def read_csv(source: SourceFile) -> pa.RecordBatchReader:
    """Return the rows of a CSV file (tab separated if it ends in .tsv).

    Columns are int64, double, bool, date, timestamp, or else string; empty is NULL.

    Raises:
        InvalidData: the file is empty, has a bad header, a row with too many or too few
            values, or bytes that its encoding does not know.
    """
    kinds = csv_kinds(source, {})
    schema = pa.schema([(n, kind or _TEXT) for n, kind in kinds.items()])
    return pa.RecordBatchReader.from_batches(schema, csv_rows(source, schema))


def csv_kinds(
    source: SourceFile, known: dict[str, pa.DataType | None]
) -> dict[str, pa.DataType | None]:
    """Return the type of each column of a file; None for one without values.

    Args:
        source: the file.
        known: types that the values of the same columns in other files have made.

    Raises:
        InvalidData: see `read_csv`.
    """
    names = _header(source)
    kinds = [known.get(name) for name in names]
    last = pa.array([], _TEXT)
    for batch in _texts(source, names):
        source.check()
        kinds = [_widened(*pair) for pair in zip(kinds, batch.columns, strict=True)]
        last = batch.columns[-1][-1:]
    _require_closed(source, last.to_pylist())
    return dict(zip(names, kinds, strict=True))


def csv_rows(source: SourceFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, whose columns may be some of the schema's only."""
    with _understandable(source):
        for batch in _texts(source, schema.names):
            source.check()
            fields = source.fields(schema, batch.schema.names)
            columns = zip(batch.columns, fields, strict=True)
            arrays = [_converted(values, field.type) for values, field in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _widened(kind: pa.DataType | None, texts: pa.StringArray) -> pa.DataType | None:
    """Return the narrowest type for these values and those that made it `kind`."""
    values = texts.drop_null()
    if not len(values) or kind == _TEXT:
        return kind
    tried = _TRIED if kind is None else (kind, *_WIDER.get(kind, (_TEXT,)))
    return next(each for each in tried if _fits(values, each))


def _fits(values: pa.StringArray, kind: pa.DataType) -> bool:
    try:
        _converted(values, kind)
    except pa.ArrowInvalid:
        return False
    odd = _NOT_QUITE.get(kind)
    if odd is None:
        return True
    trimmed = pc.utf8_trim_whitespace(values)
    return not pc.any(pc.match_substring_regex(trimmed, odd)).as_py()


def _converted(values: pa.StringArray, kind: pa.DataType) -> pa.Array:
    if kind == _TEXT:
        return values
    return pc.utf8_trim_whitespace(values).cast(kind)


def _header(source: SourceFile) -> list[str]:
    with _understandable(source) as bad_rows, _open(source, bad_rows) as reader:
        names: list[str] = reader.schema.names
    for position, name in enumerate(names):
        if not name.strip():
            raise source.invalid(f"column {position + 1} has no name", 1)
        if name in names[:position]:
            raise source.invalid(f"there are several columns named '{name}'", 1)
    return names


def _texts(source: SourceFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file with all values as strings, empty ones as NULL."""
    with (
        _understandable(source) as bad_rows,
        _open(source, bad_rows, dict.fromkeys(names, _TEXT)) as reader,
    ):
        yield from reader


def _open(
    source: SourceFile,
    bad_rows: list[pacsv.InvalidRow],
    types: dict[str, pa.DataType] | None = None,
) -> pacsv.CSVStreamingReader:
    def refuse(row: pacsv.InvalidRow) -> str:
        bad_rows.append(row)
        return "error"

    return pacsv.open_csv(
        source.path,
        pacsv.ReadOptions(
            use_threads=False,  # numbers of rows are known without threads only
            block_size=_LONGEST_ROW,
            encoding="utf8" if source.is_utf8 else source.encoding,
        ),
        pacsv.ParseOptions(
            delimiter="\t" if source.path.suffix.lower() == ".tsv" else ",",
            newlines_in_values=True,
            invalid_row_handler=refuse,
        ),
        pacsv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


@contextmanager
def _understandable(source: SourceFile) -> Iterator[list[pacsv.InvalidRow]]:
    """Turn what Arrow's reader raises into our errors; the list takes a bad row."""
    bad_rows: list[pacsv.InvalidRow] = []
    try:
        yield bad_rows
    except UnicodeError:
        raise source.undecodable() from None
    except pa.ArrowInvalid as failure:
        if bad_rows:
            raise _ragged(source, bad_rows[0]) from None
        raise _translated(source, str(failure)) from failure


def _translated(source: SourceFile, reason: str) -> InvalidData:
    if "UTF8" in reason:
        return source.undecodable()
    if "Empty CSV" in reason:
        return source.invalid("the file is empty; its first line must name the columns")
    if "straddling" in reason:
        return source.invalid(
            f"a row is longer than {_LONGEST_ROW >> 20} MiB; is a quote left open?"
        )
    return source.invalid("the file cannot be read as CSV, or changed meanwhile")


def _require_closed(source: SourceFile, last: list[str | None]) -> None:
    """Raise if the last value is the rest of the file, as after a quote left open.

    Arrow takes such a file without complaint.
    """
    value = last[0] if last else None
    if value is None or not {"\r", "\n"} & set(value):
        return
    with source.path.open("rb") as file:
        file.seek(max(os.path.getsize(source.path) - 64, 0))
        closed = file.read().rstrip(b"\r\n\0").endswith(b'"')
    if not closed:
        raise source.invalid(f"a quote is left open before '{value[:20]}'")


def _ragged(source: SourceFile, row: pacsv.InvalidRow) -> InvalidData:
    line = _ragged_line(source, row.expected_columns)
    where = "" if line else f"row {row.number}: "
    return source.invalid(
        f"{where}expected {row.expected_columns} columns, found {row.actual_columns}",
        line,
    )


def _ragged_line(source: SourceFile, expected: int) -> int:
    """Return the first line of the first row of another length, 0 if it is not found.

    Arrow counts rows, which is not the same where values hold line breaks.
    """
    delimiter = "\t" if source.path.suffix.lower() == ".tsv" else ","
    with source.open_text(errors="replace") as text:
        rows = csv.reader(text, delimiter=delimiter)
        start = 1
        try:
            for row in rows:
                if row and len(row) != expected:
                    return start
                start = rows.line_num + 1
        except csv.Error:  # a value of more than 128 KiB, for one
            pass
    return 0
