"""Arrow tables as text for people: aligned, with vectors and long texts shortened."""

from __future__ import annotations

import datetime
import unicodedata
from typing import TYPE_CHECKING, Any

from thanosql import types
from thanosql.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

MAX_CELL = 60
"""Columns of text that one cell may take."""


def format_table(table: pa.Table, max_rows: int = 20) -> str:
    """Return the first rows of a table as aligned text with a line that counts them."""
    shown = table.slice(0, max_rows)
    names = [_cut(_visible(name)) for name in table.column_names]
    rows = [
        [format_cell(value) for value in row]
        for batch in shown.to_batches()
        for row in rows_of(batch)
    ]
    widths = [
        max(text_width(cell) for cell in (name, *(row[at] for row in rows)))
        for at, name in enumerate(names)
    ]
    right = [_is_number(field.type) for field in table.schema]
    lines = [
        _line([_pad(n, w, centre=True) for n, w in zip(names, widths, strict=True)]),
        "-+-".join("-" * width for width in widths),
        *(
            _line([_pad(*cell) for cell in zip(row, widths, right, strict=True)])
            for row in rows
        ),
        _count_line(table.num_rows, shown.num_rows),
    ]
    return "\n".join(lines)


def format_cell(value: Any) -> str:
    """Return one value as a single line of at most `MAX_CELL` columns."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, list):
        return _cut(_format_list(value))
    return _cut(_visible(str(value)))


def text_width(text: str) -> int:
    """Return how many columns of a terminal a text takes; Hangul takes two each."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _format_list(values: list[Any]) -> str:
    """Return ``[0.01, -0.2, … 512]`` for a vector, all values of a short list."""
    if len(values) > 4:
        head = ", ".join(_format_item(value) for value in values[:2])
        return f"[{head}, … {len(values)}]"
    return f"[{', '.join(_format_item(value) for value in values)}]"


def _format_item(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else format_cell(value)


def _visible(text: str) -> str:
    """Return the text on one line; control characters could rule the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _cut(text: str) -> str:
    if text_width(text) <= MAX_CELL:
        return text
    kept, width = [], 0
    for character in text:
        width += _character_width(character)
        if width > MAX_CELL - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def _pad(text: str, width: int, right: bool = False, *, centre: bool = False) -> str:
    missing = width - text_width(text)
    before = missing // 2 if centre else missing if right else 0
    return " " * before + text + " " * (missing - before)


def _line(cells: Sequence[str]) -> str:
    return " | ".join(cells).rstrip()


def _is_number(type_: pa.DataType) -> bool:
    return types.sql_type(type_) == types.NUMBER


def _count_line(total: int, shown: int) -> str:
    if shown < total:
        return f"(first {shown:,} of {total:,} rows)"
    return "(1 row)" if total == 1 else f"({total:,} rows)"
