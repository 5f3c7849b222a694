"""Types of arguments, read from DataFusion's refusal of a call.

DataFusion wants the types of a function's arguments when the function is registered,
and there is no other way to learn what a call in a text gives than to let it refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from thanosql_server.engine.type_text import NUMBERS

_REFUSAL = re.compile(
    r"satisfy a call to '(\w+)' function: coercion from (.*?) to the signature"
)
_LIST = re.compile(
    r"(FixedSizeList|List|LargeList)\((?:(\d+) x )?(non-null )?(\w+)"
    r"(?:, field: '((?:[^'\\]|\\.)*)')?\)"
)
_TEXTS = ("Utf8", "LargeUtf8", "Utf8View", "Null")


@dataclass(frozen=True)
class Refusal:
    """A call that does not fit its function; `given` are its types in words."""

    function: str
    given: tuple[str, ...]


def refusal(error: Exception) -> Refusal | None:
    """Return what DataFusion refused, if it is the types of a call."""
    match = _REFUSAL.search(str(error))
    return Refusal(match[1], _split(match[2])) if match else None


def vector_type(given: str) -> pa.DataType | None:
    """Return the type of a list of numbers, or of NULL; None for anything else."""
    if given == "Null":
        return pa.null()
    match = _LIST.fullmatch(given)
    if match is None or match[4] not in NUMBERS:
        return None
    kind, size, filled, value, name = match.groups()
    field = pa.field(name or "item", NUMBERS[value], nullable=not filled)
    if kind == "FixedSizeList":
        return pa.list_(field, int(size))
    return pa.list_(field) if kind == "List" else pa.large_list(field)


def is_text(given: str) -> bool:
    """Return whether the type is a text's, or NULL's."""
    return given in _TEXTS or given.endswith(", Utf8)")


def _split(types: str) -> tuple[str, ...]:
    """Split at the commas that are in no parentheses."""
    parts, depth = [""], 0
    for character in types:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(part.strip() for part in parts)
