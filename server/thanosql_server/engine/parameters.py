"""Types of a statement's parameters, as DataFusion inferred them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from datafusion import DataFrame

# Only the debug text of a plan shows the types of its placeholders to Python.
_PLACEHOLDER = re.compile(
    r'Placeholder \{ id: "\$(\d+)", field: Some\(Field \{ name: "(?:[^"\\]|\\.)*", '
    r"data_type: (\w+)"
)

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

_TYPES = {
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


def inferred_types(frame: DataFrame, count: int) -> pa.Schema:
    """Return `count` fields named 1, 2, ..., of type null where nothing is known."""
    known = {}
    if count:
        text = repr(frame.logical_plan())
        known = {int(n): _TYPES.get(name) for n, name in _PLACEHOLDER.findall(text)}
    return pa.schema(
        [pa.field(str(n), known.get(n) or pa.null()) for n in range(1, count + 1)]
    )
