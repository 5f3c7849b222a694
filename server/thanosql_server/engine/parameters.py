"""Types of a statement's parameters, as DataFusion inferred them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.type_text import read_type

if TYPE_CHECKING:
    from datafusion import DataFrame

# Only the debug text of a plan shows the types of its placeholders to Python.
_FIELD = r'Field \{ name: "(?:[^"\\]|\\.)*", data_type: '
_BARE = r'Placeholder\(Placeholder \{ id: "\$(\d+)", field: None \}\)'
_TYPED = re.compile(rf'Placeholder \{{ id: "\$(\d+)", field: Some\({_FIELD}')
_CAST = re.compile(rf"Cast \{{ expr: {_BARE}, field: {_FIELD}")
_COUNT = re.compile(rf"(?:skip|fetch): Some\({_BARE}\)")


def inferred_types(frame: DataFrame, count: int) -> pa.Schema:
    """Return `count` fields named 1, 2, ..., of type null where nothing is known.

    Known are those that DataFusion compares with something of a type, those that are
    cast to one, and those that count rows in LIMIT and OFFSET.
    """
    known: dict[int, pa.DataType | None] = {}
    if count:
        text = repr(frame.logical_plan())
        known |= {int(found[1]): pa.int64() for found in _COUNT.finditer(text)}
        for typed in (_CAST, _TYPED):
            for found in typed.finditer(text):
                known[int(found[1])] = read_type(text, found.end())
    return pa.schema(
        [pa.field(str(n), known.get(n) or pa.null()) for n in range(1, count + 1)]
    )
