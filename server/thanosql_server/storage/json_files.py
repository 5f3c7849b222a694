"""JSON files, one object per line or one array of objects: each object is a row."""

from __future__ import annotations

import json
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa

from thanosql_server.storage.json_array import (
    LONGEST_ROW,
    JsonArray,
    not_json,
    too_long,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.source_file import SourceFile

_BATCH_ROWS = 4096
_CHUNK = 1 << 16
_TEXT = pa.string()

Row = dict[str, Any]


def read_json(source: SourceFile) -> pa.RecordBatchReader:
    """Return the rows of a JSON file.

    Columns are int64, double, bool, string, list or struct; one whose values differ
    in kind is a string with each value's JSON. A key that an object lacks is NULL.

    Raises:
        InvalidData: the text is not JSON or not objects, or there are none; also from
            the stream.
    """
    kinds = json_kinds(source, {})
    schema = pa.schema([(n, _TEXT if is_empty(k) else k) for n, k in kinds.items()])
    return pa.RecordBatchReader.from_batches(schema, json_rows(source, schema))


def json_kinds(
    source: SourceFile, known: dict[str, pa.DataType | None]
) -> dict[str, pa.DataType | None]:
    """Return the type of each key of a file; see `is_empty` for those without values.

    Args:
        source: the file.
        known: types that the values of the same keys in other files have made.

    Raises:
        InvalidData: see `read_json`.
    """
    kinds: dict[str, pa.DataType] = {}
    for rows in _batches(source):
        source.check()
        names = dict.fromkeys(chain.from_iterable(rows))
        for name in names:
            kind = _kind([row.get(name) for row in rows])
            before = kinds.get(name, known.get(name))
            kinds[name] = kind if before is None else _wider(before, kind)
    if not kinds:
        raise source.invalid("the file is empty; it must hold objects with keys")
    return dict(kinds)


def json_rows(source: SourceFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file; a key of the schema that an object lacks is NULL."""
    for rows in _batches(source):
        source.check()
        columns = [([row.get(f.name) for row in rows], f.type) for f in schema]
        arrays = [_array(values, kind) for values, kind in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind != _TEXT:
        return pa.array(values, kind)
    return pa.array([v if v is None else _text(v) for v in values], kind)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(values: list[Any]) -> pa.DataType:
    """Return the type that holds all values, string if there is none but that."""
    try:
        return pa.array(values).type
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return _TEXT


def is_empty(kind: pa.DataType | None) -> bool:
    """Return whether nothing but NULLs or objects without keys was seen."""
    return kind is None or bool(pa.types.is_null(kind) or kind == pa.struct([]))


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both, string if there is none."""
    fields = [pa.schema([("x", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(fields, promote_options="permissive").types[0]
    except pa.ArrowException:
        return _TEXT


def _batches(source: SourceFile) -> Iterator[list[Row]]:
    with source.open_text() as text:
        objects = _objects(source, text)
        try:
            while rows := list(islice(objects, _BATCH_ROWS)):
                yield rows
        except UnicodeError:
            raise source.undecodable() from None


def _objects(source: SourceFile, text: TextIO) -> Iterator[Row]:
    """Yield the objects of either layout, told apart by the first character."""
    is_array = _first_character(text) == "["
    text.seek(0)
    values = JsonArray(source, text).values() if is_array else _lines(source, text)
    for line, row in values:
        if not isinstance(row, dict):
            raise source.invalid(f"expected an object, found {_excerpt(row)}", line)
        yield row


def _first_character(text: TextIO) -> str:
    while (chunk := text.read(_CHUNK)) and not chunk.strip():
        pass
    return chunk.lstrip()[:1]


def _lines(source: SourceFile, text: TextIO) -> Iterator[tuple[int, Any]]:
    """Yield line number and value of each line that is not blank."""
    number = 0
    while line := text.readline(LONGEST_ROW):
        number += 1
        if len(line) == LONGEST_ROW:
            raise too_long(source, number)
        if line.strip():
            yield number, _loads(source, line, number)


def _loads(source: SourceFile, line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as failure:
        raise not_json(source, failure, number) from failure


def _excerpt(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}..."
