from __future__ import annotations

from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from thanosql_server.storage.tables import ROW_ID
from thanosql_server.storage.widths import fitting_rows

ROWS = 5000


@pytest.fixture
def source():
    """Columns of types for which Lance takes filters, and of those for which not."""
    ids = list(range(ROWS))
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "text": pa.array([None if i % 3 == 0 else f"t{i % 7}" for i in ids]),
            "large": pa.array([f"l{i % 5}" for i in ids], pa.large_string()),
            "unsigned": pa.array([i % 11 for i in ids], pa.uint64()),
            "nanoseconds": pa.array(ids, pa.timestamp("ns")),
            "odd name(": pa.array([i % 2 == 0 for i in ids]),
        }
    )


@pytest.fixture
def table(tables, source):
    """The source in three fragments."""
    tables.create("t", source.slice(0, 2000).to_reader())
    tables.append("t", source.slice(2000, 1000).to_reader())
    tables.append("t", source.slice(3000).to_reader())
    return tables.open("t")


FILTERS = [
    pc.field("id") < 2500,
    pc.field("id").isin([1, 2999, 3000, 4999]),
    pc.field("text").is_null(),
    pc.field("text") == "t3",
    pc.field("large") == "l2",
    pc.field("unsigned") > 9,
    pc.field("nanoseconds") >= pa.scalar(4000, pa.timestamp("ns")),
    pc.field("odd name("),
    (pc.field("large") == "l2") & (pc.field("id") > 1000),
    ~(pc.field("unsigned") == 3) | pc.field("text").is_null(),
    pc.field("id") < 0,
]


def collect(batches, schema):
    return pa.Table.from_batches(batches, schema)


@pytest.mark.parametrize("condition", FILTERS, ids=str)
def test_filters_give_what_arrow_gives_in_table_order(table, source, condition):
    expected = source.filter(condition)
    assert collect(table.scan(None, condition), source.schema).equals(expected)
    ids = [i for b in table.scan(["id"], condition) for i in b["id"].to_pylist()]
    assert ids == expected["id"].to_pylist()
    assert table.count_rows(condition) == expected.num_rows
    counted = list(table.scan([], condition))
    assert sum(b.num_rows for b in counted) == expected.num_rows
    assert all(b.num_columns == 0 for b in counted)


@pytest.mark.parametrize("condition", [None, *FILTERS], ids=str)
@pytest.mark.parametrize("limit", [0, 1, 2100, 10_000])
def test_limit_stops_after_so_many_rows(table, source, condition, limit):
    expected = source if condition is None else source.filter(condition)
    got = [
        i
        for batch in table.scan(["id"], condition, limit=limit)
        for i in batch["id"].to_pylist()
    ]
    assert got == expected["id"].to_pylist()[:limit]


@pytest.mark.parametrize("condition", [None, *FILTERS], ids=str)
def test_row_ids_of_a_scan_lead_back_to_its_rows(table, condition):
    found = list(table.scan(["id"], condition, row_ids=True))
    for batch in found:
        assert batch.schema.names == ["id", ROW_ID]
        assert batch.schema.field(ROW_ID).type == pa.uint64()
    ids = [i for batch in found for i in batch["id"].to_pylist()][::-7]
    rows = [r for batch in found for r in batch[ROW_ID].to_pylist()][::-7]
    assert table.take(rows, ["id"])["id"].to_pylist() == ids


def test_take_keeps_the_order_asked_and_repeats(table):
    batches = table.scan(["id"], pc.field("id").isin([5, 2500, 4999]), row_ids=True)
    five, middle, last = (row for batch in batches for row in batch[ROW_ID].to_pylist())
    taken = table.take([last, five, last, middle], ["text", "id"])
    assert taken.schema.names == ["text", "id"]
    assert taken["id"].to_pylist() == [4999, 5, 4999, 2500]
    assert table.take([], ["id"]).num_rows == 0
    assert table.take([five, last], []).num_rows == 2
    assert table.take([five]).schema.names == table.schema.names


def test_columns_come_in_the_order_asked(table):
    batch = next(table.scan(["text", "id"]))
    assert batch.schema.names == ["text", "id"]
    assert next(table.scan([], row_ids=True)).schema.names == [ROW_ID]


def test_batches_are_of_the_size_asked(table):
    sizes = [batch.num_rows for batch in table.scan(["id"], batch_rows=300)]
    assert max(sizes) == 300
    assert sum(sizes) == ROWS


def test_wide_rows_make_short_batches():
    vector = pa.field("vector", pa.list_(pa.float32(), 512))
    schema = pa.schema([("id", pa.int64()), vector, ("text", pa.string())])
    assert fitting_rows(schema, ["id"]) == 32768
    assert fitting_rows(schema, ["vector"]) == 2048
    assert fitting_rows(schema, []) == 32768
    huge = pa.schema([("v", pa.list_(pa.float64(), 100_000))])
    assert fitting_rows(huge, ["v"]) == 256


def test_scan_may_be_abandoned(table):
    batches = table.scan(["id"], batch_rows=256)
    assert len(list(islice(batches, 2))) == 2
    batches.close()
    assert list(batches) == []


def test_snapshot_does_not_see_later_commits(table, tables, source):
    tables.append("t", source.slice(0, 10).to_reader())
    tables.create("t", source.slice(0, 1).to_reader(), overwrite=True)
    assert table.count_rows() == ROWS
    assert sum(batch.num_rows for batch in table.scan(["id"])) == ROWS
    assert tables.open("t").count_rows() == 1
