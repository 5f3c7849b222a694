"""Merged fragments: the same rows in the same order, and nobody gets in the way."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest

from thanosql_server.errors import Cancelled, Conflict
from thanosql_server.storage import compaction
from thanosql_server.storage.compaction import Compacted, compact
from thanosql_server.storage.history import History
from thanosql_server.storage.merging import FEWEST_GONE
from thanosql_server.storage.newest import NEWEST
from thanosql_server.storage.scan import ROW_ID


def nothing():
    pass


@pytest.fixture
def table(tables, numbers):
    """The table t: 1,000 rows of one commit, and 40 more of one each."""
    tables.create("t", numbers(1000))
    for start in range(1000, 1040):
        tables.append("t", numbers(1, start))
    return tables.open("t")


@pytest.fixture
def folder(tables, table):
    return tables.folder_of("t")


def ids(table):
    return [row for batch in table.scan(["id"]) for row in batch.column(0).to_pylist()]


def files(folder):
    return sorted((folder / "data").iterdir())


def delete(table, gone):
    batches = table.scan(["id"], row_ids=True)
    rows = [
        row
        for batch in batches
        for row, key in zip(
            batch[ROW_ID].to_pylist(), batch["id"].to_pylist(), strict=True
        )
        if key in gone
    ]
    table.delete(iter([pa.record_batch([pa.array(rows, pa.uint64())], [ROW_ID])]))


def test_rows_stay_and_keep_their_order(tables, table, folder):
    assert compact("t", folder, 8, nothing) == Compacted(41, 2)
    now = tables.open("t")
    assert ids(now) == list(range(1040))
    assert now.version == table.version + 1
    assert History(tables).versions("t")[-1].operation == "compact"
    assert compact("t", folder, 8, nothing) == Compacted(2, 2)


def test_what_comes_meanwhile_stays_behind(tables, table, folder, numbers):
    def meanwhile():
        if tables.open("t").version == table.version:
            tables.append("t", numbers(1, 1040))

    assert compact("t", folder, 8, meanwhile) == Compacted(41, 2)
    assert ids(tables.open("t")) == list(range(1041))


def test_the_large_fragment_keeps_its_file_and_its_row_ids(tables, table, folder):
    before = table.fragments("id")
    compact("t", folder, 8, nothing)
    after = tables.open("t").fragments("id")
    assert after[0] == before[0]
    numbers = [one.number for one in before]
    assert after[1].number == numbers[-1]
    assert not after[1].same_values(before[-1])


def test_old_versions_and_snapshots_stay_as_they_were(tables, table, folder):
    compact("t", folder, 8, nothing)
    assert ids(table) == list(range(1040))
    assert ids(tables.open("t", 3)) == list(range(1002))
    History(tables).restore("t", table.version)
    assert ids(tables.open("t")) == list(range(1040))
    assert compact("t", folder, 8, nothing) == Compacted(41, 2)
    assert ids(tables.open("t")) == list(range(1040))


def test_deleted_rows_go_with_their_files_share(tables, numbers):
    tables.create("t", numbers(3 * FEWEST_GONE))
    folder = tables.folder_of("t")
    delete(tables.open("t"), range(FEWEST_GONE // 2))
    assert compact("t", folder, 8, nothing) == Compacted(1, 1)
    assert tables.open("t").version == 2
    delete(tables.open("t"), range(FEWEST_GONE))
    compact("t", folder, 8, nothing)
    assert tables.open("t").version == 4
    assert ids(tables.open("t")) == list(range(FEWEST_GONE, 3 * FEWEST_GONE))
    [fragment] = tables.open("t").fragments("id")
    assert (fragment.rows, fragment.deleted) == (2 * FEWEST_GONE, None)


def test_a_change_of_the_same_rows_is_faster(tables, table, folder):
    changed = []

    def meanwhile():
        if not changed:
            changed.append(True)
            delete(tables.open("t"), {1005})

    before = files(folder)
    with pytest.raises(Conflict):
        compact("t", folder, 8, meanwhile)
    assert files(folder) == before
    assert ids(tables.open("t")) == [*range(1005), *range(1006, 1040)]
    compact("t", folder, 8, nothing)
    assert ids(tables.open("t")) == [*range(1005), *range(1006, 1040)]


def test_it_waits_for_who_holds_rows_in_place_and_gives_up(
    tables, table, folder, monkeypatch
):
    monkeypatch.setattr(compaction, "PAUSE_SECONDS", 0.001)
    with (
        tables.rows_in_place("t"),
        pytest.raises(Conflict, match="the rows of table 't' are in use; try again"),
    ):
        compact("t", folder, 8, nothing)
    assert tables.open("t").version == table.version
    assert compact("t", folder, 8, nothing) == Compacted(41, 2)


def test_a_late_change_of_moved_rows_is_a_conflict(tables, table, folder):
    compact("t", folder, 8, nothing)
    with pytest.raises(Conflict):
        delete(table, {1005})
    delete(table, {5})  # a row that has not moved
    assert ids(tables.open("t")) == [*range(5), *range(6, 1040)]


def test_one_at_a_time(tables, table, folder):
    seen = []

    def inner():
        if not seen:
            seen.append(compact("t", folder, 8, nothing))

    assert compact("t", folder, 8, inner) == Compacted(41, 2)
    assert seen == [Compacted()]


def test_stopping_it_leaves_the_table(tables, table, folder):
    def stop():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        compact("t", folder, 8, stop)
    assert tables.open("t").version == table.version
    assert NEWEST.open(folder).count_rows() == 1040


def test_every_column_is_kept_with_what_is_hidden(tables):
    field = pa.field("e", pa.list_(pa.float32(), 2))
    plain = pa.schema([pa.field("id", pa.int64())])
    tables.create("t", pa.table({"id": [0]}, schema=plain).to_reader())
    for key in range(1, 20):
        more = pa.table({"id": [key]}, schema=plain)
        tables.append("t", more.to_reader())
    values = pa.array([[float(key), 0.0] for key in range(20)], field.type)
    origins = pa.array(range(20), pa.uint64()).to_numpy()
    tables.open("t").add_column(field, iter([values]), origins=origins)
    compact("t", tables.folder_of("t"), 8, nothing)
    table = tables.open("t")
    hidden = table.origins("e")
    [batch] = table.scan(["id", "e", hidden])
    assert batch.column(0).to_pylist() == list(range(20))
    assert batch.column(1).equals(values)
    assert batch.column(2).to_pylist() == list(range(20))
    assert len(table.fragments("e")) == 1


def test_dropping_a_table_waits_for_the_merge(tables, table, folder):
    droppers = []

    def meanwhile():
        if not droppers:
            droppers.append(threading.Thread(target=tables.drop, args=["t"]))
            droppers[0].start()
            time.sleep(0.05)
            assert tables.exists("t")

    assert compact("t", folder, 8, meanwhile) == Compacted(41, 2)
    droppers[0].join()
    assert not tables.exists("t")
    assert not folder.exists()


def test_a_table_that_is_gone_is_not_merged(tables, table, folder):
    tables.drop("t")
    assert compact("t", folder, 8, nothing) == Compacted()
    assert not folder.exists()
