"""Several files of one kind as the rows of one table, read one after the other.

Columns are matched by their names. Types of text files are found over all files, as
those of one are found over its rows; other files say their types, and the narrowest
that holds all is taken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import InvalidData
from thanosql_server.storage.csv_files import csv_kinds, csv_rows, read_csv
from thanosql_server.storage.importers import readable, reader_of
from thanosql_server.storage.json_files import (
    is_empty,
    json_kinds,
    json_rows,
    read_json,
)
from thanosql_server.storage.xlsx_files import read_xlsx, xlsx_kinds, xlsx_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.storage.globs import Found
    from thanosql_server.storage.importers import Reader
    from thanosql_server.storage.source_file import SourceFile

    Batches = Iterator[pa.RecordBatch]
    Kinds = dict[str, pa.DataType | None]
    Fields = dict[str, pa.Field]

_INFERRED: dict[Reader, tuple[Callable[..., Kinds], Callable[..., Batches]]] = {
    read_csv: (csv_kinds, csv_rows),
    read_json: (json_kinds, json_rows),
    read_xlsx: (xlsx_kinds, xlsx_rows),
}
"""Readers of files that do not say their types: how these are found, and rows read."""


def read_files(
    files: list[Found],
    like: SourceFile,
    *,
    union_by_name: bool = False,
    name_column: str | None = None,
) -> pa.RecordBatchReader:
    """Return the rows of all files, in their order.

    Every file is opened, and text files are read, once for the columns before this
    function returns, and once more by the stream; one file is open at a time.

    Args:
        files: at least one, all of one kind.
        like: the first of them; its encoding, sheet and control hold for each.
        union_by_name: whether a file may lack columns that others have; they are NULL.
        name_column: a column to add, last, with the path of a row's file as the user
            would write it.

    Raises:
        InvalidData: a file cannot be read, or has other columns or types; also from
            the stream.
        InvalidValue: the kind of the files, or the encoding, is unknown.
    """
    like.require_encoding()
    fields: Fields = {}
    counts: Counter[str] = Counter()
    first: list[str] = []
    for source in _sources(files, like):
        source.check()
        with readable(source):
            found = _fields(source, fields)
        first = first or list(found)
        if not union_by_name:
            _require_same(source, files[0], list(found), first)
        fields.update(found)
        counts.update(found.keys())
    is_text = reader_of(like) in _INFERRED
    schema = pa.schema(
        [
            _settled(field, is_text, counts[field.name] < len(files))
            for field in fields.values()
        ]
    )
    if name_column in fields:
        raise InvalidData(
            f"the option {name_column}=True adds a column of that name, and the files "
            "have one; leave the option out"
        )
    whole = schema
    if name_column is not None:
        whole = schema.append(pa.field(name_column, pa.string()))
    rows = _rows(_sources(files, like), schema, whole)
    return pa.RecordBatchReader.from_batches(whole, rows)


def _sources(files: list[Found], like: SourceFile) -> Iterator[SourceFile]:
    return (replace(like, path=one.path, shown=one.shown) for one in files)


def _fields(source: SourceFile, known: Fields) -> Fields:
    """Return the columns of a file, with types that hold those known before, too."""
    if reader_of(source) in _INFERRED:
        kinds_of, _ = _INFERRED[reader_of(source)]
        kinds = kinds_of(source, {name: _known(f.type) for name, f in known.items()})
        return {n: pa.field(n, pa.null() if k is None else k) for n, k in kinds.items()}
    with reader_of(source)(source) as rows:
        schema = rows.schema
    found = {field.name: field for field in schema}
    if len(found) < len(schema):
        raise source.invalid("there are several columns of one name")
    return {
        name: _wider(source, known[name], field) if name in known else field
        for name, field in found.items()
    }


def _known(kind: pa.DataType) -> pa.DataType | None:
    return None if pa.types.is_null(kind) else kind


def _wider(source: SourceFile, one: pa.Field, other: pa.Field) -> pa.Field:
    """Return the field that holds the values of both.

    Raises:
        InvalidData: there is none.
    """
    if one.type == other.type:
        kind = one.type
    else:
        plain = [pa.schema([("x", _value_type(field.type))]) for field in (one, other)]
        try:
            kind = pa.unify_schemas(plain, promote_options="permissive").types[0]
        except pa.ArrowException:
            raise source.invalid(
                f"column '{one.name}' is {other.type} here and {one.type} in the files "
                "before"
            ) from None
    return one.with_type(kind).with_nullable(one.nullable or other.nullable)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _settled(field: pa.Field, is_text: bool, is_lacking: bool) -> pa.Field:
    if is_text and is_empty(field.type):
        field = field.with_type(pa.string())
    return field.with_nullable(True) if is_lacking else field


def _require_same(
    source: SourceFile, first: Found, names: list[str], wanted: list[str]
) -> None:
    """Raise InvalidData if a file lacks columns of the first one, or has more."""
    lacking = [name for name in wanted if name not in names]
    more = [name for name in names if name not in wanted]
    if not lacking and not more:
        return
    has, lacks = first.shown, source.shown
    if not lacking:
        has, lacks = lacks, has
    raise InvalidData(
        f"'{lacks}' lacks {_listed(lacking or more)}, which '{has}' has; "
        "the option union_by_name=True reads NULL there"
    )


def _listed(names: list[str]) -> str:
    word = "column" if len(names) == 1 else "columns"
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return f"{word} {shown}{', ...' if len(names) > 3 else ''}"


def _rows(
    sources: Iterator[SourceFile], schema: pa.Schema, whole: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all files; `whole` may have a column more, for their names."""
    for source in sources:
        with readable(source):
            for batch in _batches(source, schema):
                arrays = _fitted(source, batch, schema)
                if len(whole) > len(schema):
                    arrays.append(pa.repeat(source.shown, batch.num_rows))
                yield pa.RecordBatch.from_arrays(arrays, schema=whole)


def _batches(source: SourceFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    if reader_of(source) in _INFERRED:
        _, rows_of = _INFERRED[reader_of(source)]
        yield from rows_of(source, schema)
        return
    with reader_of(source)(source) as rows:
        yield from rows


def _fitted(
    source: SourceFile, batch: pa.RecordBatch, schema: pa.Schema
) -> list[pa.Array]:
    """Return all columns of a batch of a file, in their order and types."""
    source.fields(schema, batch.schema.names)
    arrays = []
    for field in schema:
        if field.name not in batch.schema.names:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        values = batch.column(field.name)
        try:
            arrays.append(values.cast(field.type))
        except pa.ArrowException:
            raise source.invalid(
                f"column '{field.name}' has a value that does not fit {field.type}, "
                "the type that holds those of the other files"
            ) from None
    return arrays
