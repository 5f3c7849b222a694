"""Rows from memory are those that the table gives."""

import threading

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.storage.kept_columns import ASKED_BEFORE, KeptColumns
from thanosql_server.storage.scan import ROW_ID

ROWS = 3000
COLUMNS = {
    "id": pa.array(range(ROWS)),
    "holes": pa.array([None if n % 7 == 0 else n for n in range(ROWS)]),
    "text": pa.array([f"picture {n}.jpg" for n in range(ROWS)]),
    "half": pa.array(np.arange(ROWS) / 2, pa.float32()),
    "when": pa.array(range(ROWS), pa.timestamp("us")),
    "flag": pa.array([n % 3 == 0 for n in range(ROWS)]),
    "v": pa.array([[float(n)] * 40 for n in range(ROWS)], pa.list_(pa.float32(), 40)),
}
NAMES = list(COLUMNS)


@pytest.fixture
def table(tables):
    rows = pa.table(COLUMNS)
    tables.create("t", rows.slice(0, 1000).to_reader())
    tables.append("t", rows.slice(1000).to_reader())
    return tables.open("t")


def ids_of(table):
    return np.concatenate(
        [one[ROW_ID].to_numpy() for one in table.scan([], row_ids=True)]
    )


def warmed(kept, table, names=NAMES):
    for _ in range(ASKED_BEFORE):
        kept.take(table, ids_of(table)[:2], names)


@pytest.mark.parametrize("rows", [[5, 2999, 0, 1000, 999], [7, 7], []])
def test_rows_are_those_of_the_table(table, rows):
    kept, wanted = KeptColumns(), ids_of(table)[rows]
    warmed(kept, table)
    assert {name for _, _, name in kept._kept} == {*NAMES} - {"v"}
    for names in (NAMES, NAMES[::-1], ["text"], ["v", "id"]):
        found = kept.take(table, wanted, names)
        assert found.equals(table.take(wanted.tolist(), names))


def test_deleted_rows_do_not_shift_others(tables, table):
    everything = ids_of(table)
    table.delete(iter([pa.record_batch({ROW_ID: everything[100:1500]})]))
    later, kept = tables.open("t"), KeptColumns()
    warmed(kept, later)
    left = np.delete(everything, slice(100, 1500))
    found = kept.take(later, left[[50, 99, 100, 1599]], ["id", "text"])
    assert found["id"].to_pylist() == [50, 99, 1500, 2999]
    assert found["text"].to_pylist()[2] == "picture 1500.jpg"


def test_each_version_has_its_own_values(tables, table):
    kept = KeptColumns()
    warmed(kept, table, ["id"])
    tables.append("t", pa.table(COLUMNS).slice(0, 10).to_reader())
    later = tables.open("t")
    row = ids_of(later)[[ROWS + 3]]
    assert kept.take(later, row, ["id"])["id"].to_pylist() == [3]
    warmed(kept, later, ["id"])
    assert kept.take(later, row, ["id"])["id"].to_pylist() == [3]
    assert {version for _, version, _ in kept._kept} == {later.version}


def test_columns_make_room_for_others(table):
    kept = KeptColumns(budget=5 * 8 * ROWS)
    for name in ("id", "holes", "when"):
        warmed(kept, table, [name])
    names = [name for _, _, name in kept._kept]
    assert names == ["holes", "when"]
    kept = KeptColumns(budget=8 * ROWS)
    warmed(kept, table, ["id"])
    assert not kept._kept  # more than half of the budget


def test_a_column_is_read_once_by_many_threads(table, monkeypatch):
    kept, ids, seen = KeptColumns(), ids_of(table), []
    scan = type(table).scan

    def counted(*args, **kwargs):
        seen.append(1)
        return scan(*args, **kwargs)

    monkeypatch.setattr(type(table), "scan", counted)

    def ask(seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            rows = random.integers(0, ROWS, 5)
            assert (
                kept.take(table, ids[rows], ["id"])["id"].to_pylist() == rows.tolist()
            )

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1
