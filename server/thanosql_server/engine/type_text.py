"""Arrow types as Rust's debug text writes them -> pyarrow's types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = {
    "Int8": pa.int8(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Float16": pa.float16(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}
"""DataFusion's names of the types of numbers."""

_PLAIN = {
    "Boolean": pa.bool_(),
    **NUMBERS,
    "Utf8": pa.string(),
    "LargeUtf8": pa.large_string(),
    "Utf8View": pa.string(),
    "Binary": pa.binary(),
    "LargeBinary": pa.large_binary(),
    "Date32": pa.date32(),
    "Date64": pa.date64(),
}
_UNITS = {"Second": "s", "Millisecond": "ms", "Microsecond": "us", "Nanosecond": "ns"}

_NAME = re.compile(r"\w+")
_TIMESTAMP = re.compile(r'Timestamp\((\w+), (?:None|Some\("([^"]*)"\))\)')
_OF_UNIT = re.compile(r"(Time32|Time64|Duration)\((\w+)\)")
_DECIMAL = re.compile(r"Decimal(128|256)\((\d+), (-?\d+)\)")
_LIST = re.compile(r"(List|LargeList|FixedSizeList)\(Field \{ data_type: ")
_LENGTH = re.compile(r"[^}]*\}, (\d+)\)")
_MAKERS: dict[str, Callable[[str], pa.DataType]] = {
    "Time32": pa.time32,
    "Time64": pa.time64,
    "Duration": pa.duration,
}


def read_type(text: str, start: int = 0) -> pa.DataType | None:
    """Return the type that is written at a place, None if it is not known here."""
    if match := _TIMESTAMP.match(text, start):
        return pa.timestamp(_UNITS[match[1]], match[2])
    if match := _OF_UNIT.match(text, start):
        return _MAKERS[match[1]](_UNITS[match[2]])
    if match := _DECIMAL.match(text, start):
        make = pa.decimal128 if match[1] == "128" else pa.decimal256
        return make(int(match[2]), int(match[3]))
    if match := _LIST.match(text, start):
        return _list(match[1], text, match.end())
    name = _NAME.match(text, start)
    return _PLAIN.get(name[0]) if name else None


def _list(kind: str, text: str, start: int) -> pa.DataType | None:
    item = read_type(text, start)
    if item is None or kind == "List":
        return item and pa.list_(item)
    if kind == "LargeList":
        return pa.large_list(item)
    # Lists of such lists are too rare to look for the right brace.
    length = _LENGTH.match(text, start)
    return pa.list_(item, int(length[1])) if length else None
