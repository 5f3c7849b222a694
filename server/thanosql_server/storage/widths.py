"""How many bytes the values of columns take: what a scan reads first, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import lance

WIDE_BYTES = 64
"""Columns whose values take more are read only for the rows that pass a filter.

Picking rows out of a column costs about as much as decoding so many bytes for each row
of the table (6 million rows of TPC-H: q1 took 542 ms of processor time with its
decimals picked, 286 with all its columns decoded and then filtered).
"""

_BATCH_BYTES = 4 << 20
_FEWEST_ROWS, _MOST_ROWS = 256, 32_768
_MOST_TEXTS = 8_192
"""Rows of a batch with values of varying length: some may be far wider than most."""

_GUESSED = 64
"""Bytes counted for a value of varying length."""


def fitting_rows(
    schema: pa.Schema, columns: list[str], *, short_texts: bool = False
) -> int:
    """Return how many rows of these columns make about 4 MiB (256 to 32,768).

    Args:
        schema: of the table.
        columns: names.
        short_texts: whether values of varying length are known not to be wide.
    """
    kinds = [schema.field(name).type for name in columns]
    unknown = any(map(_varies, kinds)) and not short_texts
    most = _MOST_TEXTS if unknown else _MOST_ROWS
    row_bytes = sum(map(_width, kinds))
    return max(_FEWEST_ROWS, min(most, _BATCH_BYTES // max(row_bytes, 1)))


def wide_columns(dataset: lance.LanceDataset, columns: list[str]) -> list[str]:
    """Return which of the columns take more than `WIDE_BYTES` per row.

    Texts and bytes are counted as they lie on disk, lists and structs are always wide.
    """
    kinds = {name: dataset.schema.field(name).type for name in columns}
    stored = _stored(dataset) if any(map(_is_text, kinds.values())) else {}
    most = WIDE_BYTES * max(dataset.count_rows(), 1)
    return [
        name
        for name, kind in kinds.items()
        if (stored[name] > most if _is_text(kind) else _is_wide(kind))
    ]


def _is_wide(kind: pa.DataType) -> bool:
    return _varies(kind) or _width(kind) > WIDE_BYTES


def _width(kind: pa.DataType) -> int:
    """Return the bytes of one value in memory, guessed where values vary in length."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _width(kind.value_type)
    try:
        return max(int(kind.bit_width) // 8, 1)
    except ValueError:
        return _GUESSED


def _varies(kind: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(kind):
        return _varies(kind.value_type)
    try:
        return not kind.bit_width
    except ValueError:
        return True


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _stored(dataset: lance.LanceDataset) -> dict[str, int]:
    """Return the bytes on disk of each column that is not nested."""
    statistics: Any = dataset.stats.data_stats()  # its stub knows one field only
    known = {one.id: one.bytes_on_disk for one in statistics.fields}
    fields = dataset.lance_schema.fields()
    return {field.name(): known.get(field.id(), 0) for field in fields}
