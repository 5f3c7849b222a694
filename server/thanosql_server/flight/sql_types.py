"""SQL names of Arrow types, and the types that GetXdbcTypeInfo lists."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types as pat

from thanosql_proto.flight_sql_info import (
    Nullable,
    Searchable,
    XdbcDataType,
    XdbcDatetimeSubcode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TYPE_NAMES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pat.is_boolean, "BOOLEAN"),
    (pat.is_int8, "TINYINT"),
    (pat.is_int16, "SMALLINT"),
    (pat.is_int32, "INTEGER"),
    (pat.is_int64, "BIGINT"),
    (pat.is_uint8, "TINYINT UNSIGNED"),
    (pat.is_uint16, "SMALLINT UNSIGNED"),
    (pat.is_uint32, "INTEGER UNSIGNED"),
    (pat.is_uint64, "BIGINT UNSIGNED"),
    (pat.is_float16, "REAL"),
    (pat.is_float32, "REAL"),
    (pat.is_float64, "DOUBLE"),
    (pat.is_decimal, "DECIMAL"),
    (pat.is_string, "VARCHAR"),
    (pat.is_large_string, "VARCHAR"),
    (pat.is_string_view, "VARCHAR"),
    (pat.is_binary, "BYTEA"),
    (pat.is_large_binary, "BYTEA"),
    (pat.is_binary_view, "BYTEA"),
    (pat.is_fixed_size_binary, "BYTEA"),
    (pat.is_date, "DATE"),
    (pat.is_time, "TIME"),
    (pat.is_timestamp, "TIMESTAMP"),
    (pat.is_duration, "INTERVAL"),
    (pat.is_interval, "INTERVAL"),
    (pat.is_list, "ARRAY"),
    (pat.is_large_list, "ARRAY"),
    (pat.is_fixed_size_list, "ARRAY"),
    (pat.is_struct, "STRUCT"),
    (pat.is_map, "MAP"),
)


def type_name(type_: pa.DataType) -> str:
    """Return the SQL name of an Arrow type (its Arrow name if SQL has none)."""
    if pat.is_dictionary(type_):
        return type_name(type_.value_type)
    return next((name for test, name in TYPE_NAMES if test(type_)), str(type_).upper())


XDBC_SCHEMA = pa.schema(
    [
        pa.field("type_name", pa.string(), nullable=False),
        pa.field("data_type", pa.int32(), nullable=False),
        pa.field("column_size", pa.int32()),
        pa.field("literal_prefix", pa.string()),
        pa.field("literal_suffix", pa.string()),
        pa.field(
            "create_params", pa.list_(pa.field("item", pa.string(), nullable=False))
        ),
        pa.field("nullable", pa.int32(), nullable=False),
        pa.field("case_sensitive", pa.bool_(), nullable=False),
        pa.field("searchable", pa.int32(), nullable=False),
        pa.field("unsigned_attribute", pa.bool_()),
        pa.field("fixed_prec_scale", pa.bool_(), nullable=False),
        pa.field("auto_increment", pa.bool_()),
        pa.field("local_type_name", pa.string()),
        pa.field("minimum_scale", pa.int32()),
        pa.field("maximum_scale", pa.int32()),
        pa.field("sql_data_type", pa.int32(), nullable=False),
        pa.field("datetime_subcode", pa.int32()),
        pa.field("num_prec_radix", pa.int32()),
        pa.field("interval_precision", pa.int32()),
    ]
)


@dataclass(frozen=True)
class XdbcType:
    """A row of GetXdbcTypeInfo; the fields are its columns, in order.

    `column_size` is in digits for numbers (radix 10), bits for floats (radix 2) and
    characters for dates and times; None where there is no limit.
    """

    type_name: str
    data_type: XdbcDataType
    column_size: int | None = None
    literal_prefix: str | None = None
    literal_suffix: str | None = None
    create_params: tuple[str, ...] | None = None
    nullable: Nullable = Nullable.NULLABILITY_NULLABLE
    case_sensitive: bool = False
    searchable: Searchable = Searchable.SEARCHABLE_BASIC
    unsigned_attribute: bool | None = None
    fixed_prec_scale: bool = False
    auto_increment: bool | None = None
    local_type_name: str | None = None
    minimum_scale: int | None = None
    maximum_scale: int | None = None
    sql_data_type: XdbcDataType = XdbcDataType.XDBC_UNKNOWN_TYPE
    datetime_subcode: XdbcDatetimeSubcode | None = None
    num_prec_radix: int | None = None
    interval_precision: int | None = None


def _number(name: str, type_: XdbcDataType, size: int, **facts: Any) -> XdbcType:
    return XdbcType(
        name,
        type_,
        size,
        unsigned_attribute=False,
        auto_increment=False,
        sql_data_type=type_,
        **{"num_prec_radix": 10, "minimum_scale": 0, "maximum_scale": 0, **facts},
    )


def _float(name: str, type_: XdbcDataType, bits: int) -> XdbcType:
    scale = {"minimum_scale": None, "maximum_scale": None}
    return _number(name, type_, bits, num_prec_radix=2, **scale)


def _time(
    name: str, type_: XdbcDataType, size: int, subcode: XdbcDatetimeSubcode
) -> XdbcType:
    return XdbcType(
        name,
        type_,
        size,
        literal_prefix=f"{name} '",
        literal_suffix="'",
        sql_data_type=XdbcDataType.XDBC_DATETIME,
        datetime_subcode=subcode,
    )


def _other(name: str, type_: XdbcDataType, **facts: Any) -> XdbcType:
    return XdbcType(name, type_, sql_data_type=type_, **facts)


XDBC_TYPES = (
    _other("BOOLEAN", XdbcDataType.XDBC_BIT, column_size=1),
    _number("TINYINT", XdbcDataType.XDBC_TINYINT, 3),
    _number("BIGINT", XdbcDataType.XDBC_BIGINT, 19),
    _other(
        "BYTEA",
        XdbcDataType.XDBC_VARBINARY,
        literal_prefix="X'",
        literal_suffix="'",
    ),
    _number(
        "DECIMAL",
        XdbcDataType.XDBC_DECIMAL,
        38,
        create_params=("precision", "scale"),
        maximum_scale=38,
    ),
    _number("INTEGER", XdbcDataType.XDBC_INTEGER, 10),
    _number("SMALLINT", XdbcDataType.XDBC_SMALLINT, 5),
    _float("REAL", XdbcDataType.XDBC_REAL, 24),
    _float("DOUBLE", XdbcDataType.XDBC_DOUBLE, 53),
    _other(
        "INTERVAL",
        XdbcDataType.XDBC_INTERVAL,
        literal_prefix="INTERVAL '",
        literal_suffix="'",
    ),
    _other(
        "VARCHAR",
        XdbcDataType.XDBC_VARCHAR,
        literal_prefix="'",
        literal_suffix="'",
        case_sensitive=True,
        searchable=Searchable.SEARCHABLE_FULL,
    ),
    _time("DATE", XdbcDataType.XDBC_DATE, 10, XdbcDatetimeSubcode.XDBC_SUBCODE_DATE),
    _time("TIME", XdbcDataType.XDBC_TIME, 18, XdbcDatetimeSubcode.XDBC_SUBCODE_TIME),
    _time(
        "TIMESTAMP",
        XdbcDataType.XDBC_TIMESTAMP,
        29,
        XdbcDatetimeSubcode.XDBC_SUBCODE_TIMESTAMP,
    ),
)
"""The types that CAST accepts; a literal of each begins with its prefix."""

_BY_NAME = {row.type_name: row for row in XDBC_TYPES}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def size_of(type_: pa.DataType) -> tuple[int | None, int | None]:
    """Return how long the values of a type are, and their digits behind the point.

    In the measures of `XdbcType`; None where there is no limit or no point.
    """
    if pat.is_dictionary(type_):
        return size_of(type_.value_type)
    if pat.is_decimal(type_):
        return type_.precision, type_.scale
    if pat.is_timestamp(type_) or pat.is_time(type_):
        digits = _DIGITS[type_.unit]
        whole = len("00:00:00" if pat.is_time(type_) else "0000-00-00 00:00:00")
        return whole + bool(digits) + digits, digits
    row = _BY_NAME.get(type_name(type_))
    return (row.column_size, row.maximum_scale) if row else (None, None)


def xdbc_rows(data_type: int | None) -> Iterator[tuple[Any, ...]]:
    """Yield the types of one number, or all, by number and name."""
    for row in sorted(XDBC_TYPES, key=lambda row: (row.data_type, row.type_name)):
        if data_type is None or row.data_type == data_type:
            yield astuple(row)
