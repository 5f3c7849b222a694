"""Columns at addresses that Rust code can read.

Off the wire they lie anywhere, which arrow-rs refuses. Arrow's files and streams put
them at multiples of 8 bytes, and numbers of 128 bits need 16: Lance stops with a panic
at others.
"""

from __future__ import annotations

import pyarrow as pa

_WORD = 8
_DECIMAL = 16


def aligned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch, copied if a column of it lies where it cannot be read."""
    if all(map(_is_aligned, batch.columns)):
        return batch
    return batch.copy_to(pa.default_cpu_memory_manager())


def _is_aligned(column: pa.Array) -> bool:
    needed = _DECIMAL if _has_decimals(column.type) else _WORD
    return all(not one or one.address % needed == 0 for one in column.buffers())


def _has_decimals(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
        inner = [kind.value_type] if pa.types.is_dictionary(kind) else _children(kind)
        return any(map(_has_decimals, inner))
    return bool(pa.types.is_decimal(kind))


def _children(kind: pa.DataType) -> list[pa.DataType]:
    return [kind.field(place).type for place in range(kind.num_fields)]
