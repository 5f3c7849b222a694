"""Excel files (xlsx, xlsm), one sheet of them, read with calamine."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_server.errors import (
    InvalidValue,
    NotSupported,
    UndefinedObject,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.errors import InvalidData
    from thanosql_server.storage.source_file import SourceFile

LARGEST = 1 << 30
"""Bytes that a file may unpack to: a sheet is held in memory while it is read."""

_ROWS = 8192
"""Rows of one batch."""

_INT, _REAL, _TEXT = pa.int64(), pa.float64(), pa.string()
_DATE, _TIME = pa.date32(), pa.timestamp("us")
_WHOLE = 2**53
"""Up to here a float, which every number of Excel is, holds each whole number."""

_KINDS: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: _INT,
    float: _REAL,
    datetime: _TIME,
    date: _DATE,
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}
_WIDER = {(_INT, _REAL): _REAL, (_DATE, _TIME): _TIME}


def read_xlsx(source: SourceFile) -> pa.RecordBatchReader:
    """Return the rows of a sheet; its first row names the columns.

    A column has the type of its cells: int64 or double, bool, date, timestamp, time or
    string; one with cells of several kinds is string. An empty cell is NULL.

    Raises:
        NotSupported: calamine is not installed.
        InvalidData: this is no Excel file, it is too large, or its header is bad.
        UndefinedObject: it has no such sheet.
    """
    kinds = xlsx_kinds(source, {})
    schema = pa.schema([(name, kind or _TEXT) for name, kind in kinds.items()])
    return pa.RecordBatchReader.from_batches(schema, xlsx_rows(source, schema))


def xlsx_kinds(
    source: SourceFile, known: dict[str, pa.DataType | None]
) -> dict[str, pa.DataType | None]:
    """Return the type of each column of a sheet; None for one without values.

    Args:
        source: the file.
        known: types that the cells of the same columns in other files have made.

    Raises:
        Exception: see `read_xlsx`.
    """
    _require_size(source)
    sheet = _sheet(source)
    rows = sheet.iter_rows()
    names = _header(source, next(iter(rows), []))
    kinds = [known.get(name) for name in names]
    for number, row in enumerate(rows):
        if not number % _ROWS:
            source.check()
        kinds = [_widened(*pair) for pair in zip(kinds, row, strict=False)]
    return dict(zip(names, kinds, strict=True))


def _require_size(source: SourceFile) -> None:
    try:
        with zipfile.ZipFile(source.path) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except zipfile.BadZipFile:
        raise _no_excel(source) from None
    if size > LARGEST:
        raise source.invalid(
            f"the file unpacks to {size:,} bytes, more than the {LARGEST:,} that an "
            "Excel file may have; save it as CSV"
        )


def _sheet(source: SourceFile) -> Any:
    try:
        import python_calamine
    except ImportError:
        raise NotSupported(
            "reading Excel files needs python-calamine, not installed on the server; "
            "pip install 'thanosql-flight[xlsx]'"
        ) from None
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(source.path))
        names = list(book.sheet_names)
        return book.get_sheet_by_name(_chosen(source, names))
    except python_calamine.CalamineError:
        raise _no_excel(source) from None


def _chosen(source: SourceFile, names: list[str]) -> str:
    """Return the name of the sheet that is wanted: by name, by number, the first."""
    if not names:
        raise source.invalid("the file has no sheet")
    wanted = source.sheet
    if wanted is None:
        return names[0]
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(names):
            raise InvalidValue(
                f"'{source.shown}' has no sheet {wanted}; it has {len(names)}, counted "
                "from 1"
            )
        return names[wanted - 1]
    if wanted not in names:
        hint = nearest(wanted, names) or "; there is " + ", ".join(names)
        raise UndefinedObject(f"'{source.shown}' has no sheet '{wanted}'{hint}")
    return wanted


def _header(source: SourceFile, row: list[Any]) -> list[str]:
    names = [str(_plain(cell)).strip() if cell != "" else "" for cell in row]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise source.invalid("the sheet is empty; its first row must name the columns")
    for position, name in enumerate(names):
        if not name:
            raise source.invalid(f"column {position + 1} has no name", 1)
        if name in names[:position]:
            raise source.invalid(f"there are several columns named '{name}'", 1)
    return names


def _plain(cell: Any) -> Any:
    """Return a number without a fraction as what it shows as, a whole one."""
    whole = isinstance(cell, float) and cell.is_integer() and abs(cell) <= _WHOLE
    return int(cell) if whole else cell


def _widened(kind: pa.DataType | None, cell: Any) -> pa.DataType | None:
    """Return the narrowest type for this cell and those that made it `kind`."""
    if cell == "" or kind == _TEXT:
        return kind
    found = _KINDS.get(type(_plain(cell)), _TEXT)
    if kind is None or found == kind:
        return found
    return _WIDER.get((kind, found)) or _WIDER.get((found, kind)) or _TEXT


def xlsx_rows(source: SourceFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a sheet, whose columns may be some of the schema's only."""
    rows = iter(_sheet(source).iter_rows())
    names = _header(source, next(rows, []))
    schema = pa.schema(source.fields(schema, names))
    columns: list[list[Any]] = [[] for _ in schema]
    for row in rows:
        for values, cell, kind in zip(columns, row, schema.types, strict=False):
            values.append(_value(cell, kind))
        if len(columns[0]) == _ROWS:
            source.check()
            yield _batch(columns, schema)
            columns = [[] for _ in schema]
    if columns[0]:
        yield _batch(columns, schema)


def _batch(columns: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array(values, kind)
        for values, kind in zip(columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _value(cell: Any, kind: pa.DataType) -> Any:
    if cell == "":
        return None
    plain = _plain(cell)
    if kind == _TEXT:
        return plain if isinstance(plain, str) else _shown(plain)
    if kind == _REAL:
        return float(cell)
    if kind == _TIME and not isinstance(cell, datetime):
        return datetime.combine(cell, time())
    return plain


def _shown(value: Any) -> str:
    """Return a cell of another kind than its column's as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value)


def _no_excel(source: SourceFile) -> InvalidData:
    return source.invalid("this is no Excel file, or it is damaged or encrypted")
