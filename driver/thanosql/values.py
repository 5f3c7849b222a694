"""Arrow to Python: the rows of a batch as tuples of plain values."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from thanosql.errors import DataError
from thanosql.types import sql_type

if TYPE_CHECKING:
    from collections.abc import Callable


def rows_of(batch: pa.RecordBatch, *, numpy: bool = False) -> list[tuple[Any, ...]]:
    """Return the rows of a batch as tuples of Python values.

    Args:
        batch: the rows.
        numpy: whether vectors are numpy arrays instead of lists.

    Raises:
        DataError: Python has no value for one of them, such as the year 10000.
    """
    columns = [
        _column_values(field, column, numpy)
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _column_values(field: pa.Field, column: pa.Array, numpy: bool) -> list[Any]:
    try:
        if numpy and _is_vector(field.type):
            return _vectors_of(column)
        return values_of(column)
    except (ValueError, OverflowError, KeyError, pa.lib.ArrowException) as ex:
        raise DataError(
            f"column '{field.name}' holds a {sql_type(field.type)} that Python cannot "
            f"({ex}); fetch_arrow_table() returns it as it is"
        ) from None


def values_of(array: pa.Array) -> list[Any]:
    """Return the values of an Arrow array as plain Python objects.

    Lists and vectors become lists, structs and maps dicts, intervals
    `pyarrow.MonthDayNano`; times carry a `zoneinfo` zone where the column has one.
    Nanoseconds are cut to the microseconds that `datetime` can hold.
    """
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    readable = _readable(array.type)
    if readable != array.type:
        array = pc.cast(array, readable, safe=False)
    values: list[Any] = array.to_pylist()
    convert = _converter(readable)
    return values if convert is None else [convert(value) for value in values]


def _is_vector(type_: pa.DataType) -> bool:
    if not pa.types.is_fixed_size_list(type_):
        return False
    item = type_.value_type
    return bool(pa.types.is_floating(item) or pa.types.is_integer(item))


def _vectors_of(column: pa.FixedSizeListArray) -> list[Any]:
    """Return one numpy array per row, read-only views of the column; None for NULL."""
    size = column.type.list_size
    items = column.values.slice(column.offset * size, len(column) * size)
    matrix = items.to_numpy(zero_copy_only=False).reshape(len(column), size)
    if not column.null_count:
        return list(matrix)
    known = column.is_valid().to_pylist()
    return [row if there else None for row, there in zip(matrix, known, strict=True)]


# ---- Types that Python can hold ---------------------------------------------


@lru_cache(maxsize=256)
def _readable(type_: pa.DataType) -> pa.DataType:
    """Return the type with nanoseconds as microseconds, inside of others too."""
    is_ = pa.types
    if is_.is_float16(type_):
        return pa.float32()
    if is_.is_temporal(type_) and getattr(type_, "unit", None) == "ns":
        return _in_microseconds(type_)
    if is_.is_fixed_size_list(type_):
        return pa.list_(_readable_field(type_.value_field), type_.list_size)
    if is_.is_list(type_):
        return pa.list_(_readable_field(type_.value_field))
    if is_.is_large_list(type_):
        return pa.large_list(_readable_field(type_.value_field))
    if is_.is_struct(type_):
        return pa.struct([_readable_field(field) for field in type_])
    if is_.is_map(type_):
        return pa.map_(_readable(type_.key_type), _readable_field(type_.item_field))
    return type_


def _readable_field(field: pa.Field) -> pa.Field:
    return field.with_type(_readable(field.type))


def _in_microseconds(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    return pa.time64("us") if pa.types.is_time(type_) else pa.duration("us")


@lru_cache(maxsize=256)
def _converter(type_: pa.DataType) -> Callable[[Any], Any] | None:
    """Return what turns pyarrow's pairs of a map into a dict; None without maps."""
    is_ = pa.types
    if is_.is_map(type_):
        return _dict_maker(_converter(type_.item_type))
    if is_.is_struct(type_):
        inner = {field.name: _converter(field.type) for field in type_}
        known = {name: convert for name, convert in inner.items() if convert}
        return _struct_maker(known) if known else None
    if is_.is_list(type_) or is_.is_large_list(type_) or is_.is_fixed_size_list(type_):
        convert = _converter(type_.value_type)
        return None if convert is None else _list_maker(convert)
    return None


def _dict_maker(convert: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def make(pairs: list[tuple[Any, Any]] | None) -> dict[Any, Any] | None:
        if pairs is None:
            return None
        return {key: convert(item) if convert else item for key, item in pairs}

    return make


def _struct_maker(inner: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def make(value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None:
            return None
        return value | {name: convert(value[name]) for name, convert in inner.items()}

    return make


def _list_maker(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def make(items: list[Any] | None) -> list[Any] | None:
        return None if items is None else [convert(item) for item in items]

    return make
