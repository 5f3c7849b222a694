"""Which columns a scan reads only for the rows that pass its filter."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.storage import scan

ROWS = 2000


def create(tables):
    random = np.random.default_rng(0)
    letters = random.integers(97, 123, ROWS * 200, dtype=np.uint8).tobytes().decode()
    rows = pa.table(
        {
            "id": np.arange(ROWS),
            "price": pa.array(np.arange(ROWS)).cast(pa.decimal128(38, 2)),
            "flag": [f"f{n % 3}" for n in range(ROWS)],
            "text": [letters[n : n + 200] for n in range(0, ROWS * 200, 200)],
            "vector": pa.FixedSizeListArray.from_arrays(
                pa.array(random.random(ROWS * 64, np.float32)), 64
            ),
            "tags": [["a"]] * ROWS,
        }
    )
    tables.create("t", rows.to_reader())
    return tables.open("t"), rows


def test_columns_of_long_values_are_wide(tables):
    table, rows = create(tables)
    assert table.wide_columns(rows.column_names) == ["text", "vector", "tags"]
    assert table.wide_columns([]) == []


def test_what_is_read_early_or_late_is_the_same(tables, monkeypatch):
    monkeypatch.setattr(scan, "MANY_ROWS", 10)
    table, rows = create(tables)
    condition = pc.field("id") > 1500
    for columns in (["price", "flag"], ["text", "price"], rows.column_names):
        found = pa.Table.from_batches(table.scan(columns, condition))
        assert found.equals(rows.filter(condition).select(columns))
