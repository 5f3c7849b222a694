"""Python values to Arrow and back, and the type objects of PEP 249."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from thanosql.errors import DataError, ProgrammingError

if TYPE_CHECKING:
    from collections.abc import Sequence

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 - PEP 249
    """Return the local date of a number of seconds since 1970."""
    return datetime.date.fromtimestamp(ticks)


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802 - PEP 249
    """Return the local time of day of a number of seconds since 1970."""
    return datetime.datetime.fromtimestamp(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802 - PEP 249
    """Return the local date and time of a number of seconds since 1970."""
    return datetime.datetime.fromtimestamp(ticks)


class TypeObject:
    """A group of SQL types, equal to the type code of every one of them."""

    def __init__(self, name: str, *types: str) -> None:
        self.name = name
        self._types = frozenset(types)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.partition("(")[0] in self._types
        return self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"thanosql.{self.name}"


STRING = TypeObject("STRING", "VARCHAR")
BINARY = TypeObject("BINARY", "VARBINARY")
NUMBER = TypeObject(
    "NUMBER",
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    *("TINYINT UNSIGNED", "SMALLINT UNSIGNED", "INTEGER UNSIGNED", "BIGINT UNSIGNED"),
    *("REAL", "DOUBLE", "DECIMAL"),
)
DATETIME = TypeObject(
    "DATETIME", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "INTERVAL"
)
ROWID = TypeObject("ROWID")

_SQL_NAMES = {
    "null": "NULL",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "TINYINT UNSIGNED",
    "uint16": "SMALLINT UNSIGNED",
    "uint32": "INTEGER UNSIGNED",
    "uint64": "BIGINT UNSIGNED",
    "halffloat": "REAL",
    "float": "REAL",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "string_view": "VARCHAR",
    "binary": "VARBINARY",
    "large_binary": "VARBINARY",
    "binary_view": "VARBINARY",
}


def sql_type(type_: pa.DataType) -> str:
    """Return the SQL name of an Arrow type, such as ``BIGINT`` or ``REAL[512]``."""
    is_ = pa.types
    if is_.is_dictionary(type_):
        return sql_type(type_.value_type)
    if is_.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if is_.is_fixed_size_list(type_):
        return f"{sql_type(type_.value_type)}[{type_.list_size}]"
    if is_.is_list(type_) or is_.is_large_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    if is_.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE" if type_.tz else "TIMESTAMP"
    if is_.is_temporal(type_):
        return _temporal_type(type_)
    if is_.is_fixed_size_binary(type_):
        return "VARBINARY"
    return _SQL_NAMES.get(str(type_)) or str(type_).partition("<")[0].upper()


def _temporal_type(type_: pa.DataType) -> str:
    if pa.types.is_date(type_):
        return "DATE"
    return "TIME" if pa.types.is_time(type_) else "INTERVAL"


def describe(field: pa.Field) -> tuple[Any, ...]:
    """Return the seven entries of `Cursor.description` for one column."""
    type_ = field.type
    precision = type_.precision if pa.types.is_decimal(type_) else None
    scale = type_.scale if pa.types.is_decimal(type_) else None
    return (field.name, sql_type(type_), None, None, precision, scale, field.nullable)


# ---- Arrow to Python -------------------------------------------------------


def rows_of(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Return the rows of a batch as tuples of Python values."""
    columns = [
        _column_values(f, c) for f, c in zip(batch.schema, batch.columns, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _column_values(field: pa.Field, column: pa.Array) -> list[Any]:
    try:
        return values_of(column)
    except (ValueError, OverflowError, pa.lib.ArrowException) as ex:
        raise DataError(
            f"column '{field.name}' holds a {sql_type(field.type)} that Python cannot "
            f"({ex}); fetch_arrow_table() returns it as it is"
        ) from None


def values_of(array: pa.Array) -> list[Any]:
    """Return the values of an Arrow array as plain Python objects.

    Vectors and lists become lists, structs dicts; nanoseconds are cut to the
    microseconds that `datetime` can hold.
    """
    type_ = array.type
    if pa.types.is_temporal(type_) and getattr(type_, "unit", None) == "ns":
        array = pc.cast(array, _in_microseconds(type_), safe=False)
    return list(array.to_pylist())


def _in_microseconds(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    return pa.time64("us") if pa.types.is_time(type_) else pa.duration("us")


# ---- Python to Arrow -------------------------------------------------------


def encode_parameters(rows: Sequence[Sequence[Any]]) -> bytes:
    """Return sets of parameters as an Arrow IPC stream, empty if there are none.

    Raises:
        ProgrammingError: a set is no sequence, or the sets differ in length.
        DataError: a value has no Arrow type, or a parameter mixes types.
    """
    for row in rows:
        _check_is_sequence(row)
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise ProgrammingError(
                f"set {number} has {len(row)} parameters, the first one has {width}"
            )
    if not width:
        return b""
    columns = [_parameter(at, [row[at] for row in rows]) for at in range(width)]
    return _ipc_stream(columns)


def _check_is_sequence(row: Any) -> None:
    is_text = isinstance(row, (str, bytes, bytearray))
    if is_text or isinstance(row, Mapping) or not hasattr(row, "__getitem__"):
        raise ProgrammingError(
            f"parameters must be a sequence, one value per ?, not {type(row).__name__}"
        )


def _parameter(at: int, values: list[Any]) -> pa.Array:
    try:
        return pa.array([_plain(value) for value in values])
    except (pa.lib.ArrowException, OverflowError, TypeError, ValueError) as ex:
        kinds = sorted({type(value).__name__ for value in values})
        raise DataError(
            f"parameter {at + 1} cannot be sent as one SQL type "
            f"({' and '.join(kinds)}): {ex}"
        ) from None


def _plain(value: Any) -> Any:
    """Return what Arrow infers the type of: no numpy, no UUID, no tuple inside."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    # numpy is not imported for this; its dates would lose their type in tolist().
    if type(value).__module__ == "numpy" and value.dtype.kind not in "mM":
        return value.tolist()
    return value


def _ipc_stream(columns: list[pa.Array]) -> bytes:
    names = [str(at) for at in range(1, len(columns) + 1)]
    batch = pa.RecordBatch.from_arrays(columns, names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())
