"""Decimals at addresses that Lance can read.

Arrow's files and streams put values at multiples of 8 bytes, and 16 are needed for
numbers of 128 bits: Lance stops with a panic at others.
"""

from __future__ import annotations

import pyarrow as pa

_NEEDED = 16
_OPTIONS = pa.ipc.IpcReadOptions(ensure_alignment=pa.ipc.Alignment.At64Byte)


def aligned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch, copied if a decimal in it is where Lance cannot read it."""
    if all(map(_is_aligned, batch.columns)):
        return batch
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue(), options=_OPTIONS).read_next_batch()


def _is_aligned(column: pa.Array) -> bool:
    if not _has_decimals(column.type):
        return True
    return all(not one or one.address % _NEEDED == 0 for one in column.buffers())


def _has_decimals(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
        inner = [kind.value_type] if pa.types.is_dictionary(kind) else _children(kind)
        return any(map(_has_decimals, inner))
    return bool(pa.types.is_decimal(kind))


def _children(kind: pa.DataType) -> list[pa.DataType]:
    return [kind.field(place).type for place in range(kind.num_fields)]
