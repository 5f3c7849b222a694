"""Decimals that came from a file or a stream are stored whatever their address."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from thanosql_server.storage.alignment import aligned

VALUE = Decimal("1.50")
KINDS = {
    "plain": (pa.decimal128(10, 2), VALUE),
    "wide": (pa.decimal256(50, 2), VALUE),
    "listed": (pa.list_(pa.decimal128(10, 2)), [VALUE, None]),
    "inside": (pa.struct([("a", pa.decimal128(10, 2))]), {"a": VALUE}),
}


def shifted(array):
    """Return the array with every buffer 8 bytes off a multiple of 64."""
    moved = []
    for buffer in array.buffers():
        if buffer is None:
            moved.append(None)
            continue
        room = pa.allocate_buffer(buffer.size + 128, resizable=False)
        start = -room.address % 64 + 8
        view = memoryview(room).cast("B")
        view[start : start + buffer.size] = buffer.to_pybytes()
        moved.append(room.slice(start, buffer.size))
    return _rebuilt(array, iter(moved))


def _rebuilt(array, buffers):
    kind = array.type
    own = [next(buffers) for _ in range(2 if not pa.types.is_struct(kind) else 1)]
    children = []
    if pa.types.is_struct(kind):
        children = [_rebuilt(array.field(n), buffers) for n in range(kind.num_fields)]
    elif pa.types.is_list(kind):
        children = [_rebuilt(array.values, buffers)]
    return pa.Array.from_buffers(kind, len(array), own, children=children)


@pytest.mark.parametrize("name", KINDS)
def test_a_misplaced_decimal_is_stored(name, tables):
    kind, value = KINDS[name]
    rows = [value, None, value]
    batch = pa.record_batch([shifted(pa.array(rows, kind))], ["x"])
    assert any(b and b.address % 16 for b in batch.column("x").buffers())
    assert aligned(batch).equals(batch)
    reader = pa.RecordBatchReader.from_batches(batch.schema, [batch])
    tables.create("t", reader)
    (stored,) = tables.open("t").scan()
    assert stored.column("x").to_pylist() == rows


def test_what_lies_well_is_not_copied():
    batch = pa.record_batch({"x": pa.array([VALUE]), "y": ["a"]})
    assert aligned(batch) is batch
