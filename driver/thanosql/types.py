"""The type objects and constructors of PEP 249, and SQL names of Arrow types."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

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
    if is_.is_dictionary(type_) or is_.is_run_end_encoded(type_):
        return sql_type(type_.value_type)
    if is_.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if is_.is_fixed_size_list(type_):
        return f"{sql_type(type_.value_type)}[{type_.list_size}]"
    if is_.is_list(type_) or is_.is_large_list(type_) or _is_list_view(type_):
        return f"{sql_type(type_.value_type)}[]"
    if is_.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE" if type_.tz else "TIMESTAMP"
    if is_.is_temporal(type_):
        return _temporal_type(type_)
    if is_.is_fixed_size_binary(type_):
        return "VARBINARY"
    return _SQL_NAMES.get(str(type_)) or str(type_).partition("<")[0].upper()


def _is_list_view(type_: pa.DataType) -> bool:
    return str(type_).startswith(("list_view<", "large_list_view<"))


def _temporal_type(type_: pa.DataType) -> str:
    if pa.types.is_date(type_):
        return "DATE"
    return "TIME" if pa.types.is_time(type_) else "INTERVAL"


def describe(field: pa.Field) -> tuple[Any, ...]:
    """Return the seven entries of `Cursor.description` for one column."""
    type_ = field.type
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        type_ = type_.value_type
    precision = type_.precision if pa.types.is_decimal(type_) else None
    scale = type_.scale if pa.types.is_decimal(type_) else None
    return (field.name, sql_type(type_), None, None, precision, scale, field.nullable)
