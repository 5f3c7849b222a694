"""Which Arrow columns a table holds, and how others are made to fit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from thanosql_server.errors import (
    InvalidData,
    NotNullViolation,
    UndefinedColumn,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RESERVED = frozenset({"_rowid", "_rowaddr", "_rowoffset"})
"""Column names that Lance keeps for itself."""

HIDDEN = "_thanosql_"
"""Columns whose names begin so are ours: users neither see nor make them."""

_SPECIAL = frozenset(".`")
"""Characters by which Lance takes a column name for a path or a quoted name."""


def storable_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema in which a table keeps columns of `schema`.

    Layouts that only exist in memory (views, dictionaries, run ends) become plain ones,
    columns are nullable, and metadata stays.

    Raises:
        InvalidData: a column's name or type cannot be stored, or there are no columns.
    """
    if not len(schema):
        raise InvalidData("a table needs at least one column")
    duplicates = {n for n in schema.names if schema.names.count(n) > 1}
    if duplicates:
        raise InvalidData(
            f"there are several columns named '{min(duplicates)}'; "
            "give each a name of its own with AS"
        )
    return pa.schema(
        [storable_field(field) for field in schema], metadata=schema.metadata
    )


def storable_field(field: pa.Field) -> pa.Field:
    """Return the field in which a table keeps a column like `field`.

    Raises:
        InvalidData: its name or type cannot be stored.
    """
    name = field.name
    if is_hidden(name):
        raise InvalidData(
            f"a table cannot have a column named '{name}'; names that begin with "
            f"'{HIDDEN}' are the server's own"
        )
    if not name or name in RESERVED or not _SPECIAL.isdisjoint(name):
        raise InvalidData(
            f"a table cannot have a column named '{name}'; choose a name that is "
            f"not empty, has no '.' or '`' and is none of {', '.join(sorted(RESERVED))}"
        )
    kept = _storable(field.type)
    if kept is None:
        raise InvalidData(
            f"column '{field.name}' has the type {field.type}, which a table cannot "
            "hold; convert it with CAST"
        )
    return pa.field(field.name, kept, metadata=field.metadata)


def declared_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a table with these columns, NOT NULL where they say so.

    Raises:
        InvalidData: a column's name or type cannot be stored, or there are no columns.
    """
    fields = [
        kept.with_nullable(field.nullable)
        for kept, field in zip(storable_schema(schema), schema, strict=True)
    ]
    return pa.schema(fields, metadata=schema.metadata)


def is_hidden(name: str) -> bool:
    """Return whether users do not see a column of this name."""
    return name.lower().startswith(HIDDEN)


def origin_field(name: str) -> pa.Field:
    """Return the hidden column that says what the values of a column were made from."""
    return pa.field(f"{HIDDEN}origin_{name}", pa.uint64())


def visible(schema: pa.Schema) -> pa.Schema:
    """Return the columns that users see."""
    fields = [field for field in schema if not is_hidden(field.name)]
    return pa.schema(fields, metadata=schema.metadata)


def fitting(
    given: pa.Schema, kept: pa.Schema, *, hidden: bool = False
) -> Callable[..., pa.RecordBatch]:
    """Return a function that gives batches of `given` the columns of `kept`, by name.

    Columns that `given` lacks are NULL; hidden ones it may have with `hidden` only.
    The function raises NotNullViolation for a NULL in a column that allows none.

    Raises:
        UndefinedColumn: `given` has a column that `kept` lacks.
    """
    known = (kept if hidden else visible(kept)).names
    unknown = [name for name in given.names if name not in known]
    if unknown:
        raise UndefinedColumn(
            f"the table has no column '{unknown[0]}'{nearest(unknown[0], known)}"
        )
    open_ = all(field.nullable for field in kept)
    if open_ and given.equals(kept, check_metadata=True):
        return _same
    return partial(_fit, kept)


def _same(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _fit(kept: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [_column(batch, field) for field in kept]
    return pa.RecordBatch.from_arrays(arrays, schema=kept)


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    position = batch.schema.get_field_index(field.name)
    if position < 0:
        column = pa.nulls(batch.num_rows, field.type)
    else:
        column = cast_column(batch.column(position), field)
    require_no_nulls(column, field)
    return column


def require_no_nulls(column: pa.Array, field: pa.Field) -> None:
    """Raise NotNullViolation for a NULL in a column that allows none."""
    if not field.nullable and column.null_count:
        raise NotNullViolation(
            f"column '{field.name}' is NOT NULL, and a row has no value for it"
        )


def cast_column(array: pa.Array, field: pa.Field) -> pa.Array:
    """Return `array` as the type of `field`.

    Raises:
        InvalidData: a value does not fit.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.RunEndEncodedArray):
        array = pc.run_end_decode(array)
    if array.type.equals(field.type):
        return array
    try:
        return array.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as failure:
        raise InvalidData(
            f"a value of type {array.type} does not fit into column '{field.name}' "
            f"of type {field.type}: {_first_line(failure)}"
        ) from failure


def _first_line(failure: Exception) -> str:
    return str(failure).partition("\n")[0]


def _storable(kind: pa.DataType) -> pa.DataType | None:
    """Return the type that a table keeps for `kind`, or None if there is none."""
    if isinstance(kind, pa.BaseExtensionType):
        return _storable(kind.storage_type)
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return _storable(kind.value_type)
    if pt.is_struct(kind):
        return _storable_struct(kind)
    if pt.is_nested(kind):
        return _storable_list(kind)
    return _storable_scalar(kind)


def _storable_scalar(kind: pa.DataType) -> pa.DataType | None:
    if pt.is_string_view(kind) or pt.is_null(kind):
        return pa.string()
    if pt.is_binary_view(kind):
        return pa.binary()
    if pt.is_decimal32(kind) or pt.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if pt.is_interval(kind):
        return None
    return kind


def _storable_list(kind: pa.DataType) -> pa.DataType | None:
    if pt.is_map(kind):
        key, item = _storable(kind.key_type), _storable(kind.item_type)
        return pa.map_(key, item) if key and item else None
    if pt.is_union(kind) or (item := _storable_item(kind.value_field)) is None:
        return None
    if pt.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size) if kind.list_size else None
    if pt.is_large_list(kind):
        return pa.large_list(item)
    # List views: pyarrow 26.0 casts those with NULLs into invalid lists.
    return pa.list_(item) if pt.is_list(kind) else None


def _storable_item(item: pa.Field) -> pa.Field | None:
    kept = _storable(item.type)
    return item.with_type(kept) if kept else None


def _storable_struct(kind: pa.DataType) -> pa.DataType | None:
    items = [item for item in map(_storable_item, kind) if item is not None]
    return pa.struct(items) if items and len(items) == kind.num_fields else None
