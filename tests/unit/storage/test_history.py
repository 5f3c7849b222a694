"""The versions of a table: listed, restored, and removed without harming anybody."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import lance
import pyarrow as pa
import pytest

from thanosql_server.errors import InvalidValue, UndefinedTable
from thanosql_server.storage.folder_lock import locked
from thanosql_server.storage.history import History

NOW = timedelta(0)


def one(number):
    batch = pa.record_batch({"x": [number]})
    return pa.RecordBatchReader.from_batches(batch.schema, [batch])


@pytest.fixture
def history(tables):
    tables.create("t", one(1))
    tables.append("t", one(2))
    tables.create("t", one(3), overwrite=True)
    return History(tables)


def values(table):
    return [row["x"] for batch in table.scan() for row in batch.to_pylist()]


def test_every_commit_is_a_version(history):
    versions = history.versions("t")
    assert [(one.number, one.operation, one.rows) for one in versions] == [
        (1, "create", 1),
        (2, "insert", 2),
        (3, "replace", 1),
    ]
    assert versions[0].committed <= versions[1].committed <= versions[2].committed
    assert timedelta(0) <= datetime.now(timezone.utc) - versions[2].committed


def test_versions_are_opened_by_number_and_by_time(history, tables):
    times = [one.committed for one in history.versions("t")]
    assert values(tables.open("t", 2)) == [1, 2]
    assert values(tables.open("t", times[1])) == [1, 2]
    assert values(tables.open("t", times[1] - timedelta(microseconds=1))) == [1]
    assert values(tables.open("t", times[2] + timedelta(days=1))) == [3]
    with pytest.raises(InvalidValue, match=r"no version 4; it has 1 to 3"):
        tables.open("t", 4)
    with pytest.raises(InvalidValue, match="the oldest is of"):
        tables.open("t", times[0] - timedelta(microseconds=1))
    with pytest.raises(UndefinedTable):
        history.versions("u")


def test_a_restore_is_a_commit_like_others(history, tables):
    history.restore("t", 2)
    assert values(tables.open("t")) == [1, 2]
    tables.append("t", one(4))
    assert [one.operation for one in history.versions("t")][3:] == ["restore", "insert"]
    assert values(tables.open("t", 3)) == [3]


def test_vacuum_removes_old_versions_and_their_files(history, tables):
    assert history.vacuum("t").versions == 0
    removed = history.vacuum("t", NOW)
    assert (removed.versions, removed.bytes > 0) == (2, True)
    assert [one.number for one in history.versions("t")] == [3]
    assert values(tables.open("t")) == [3]


def test_vacuum_removes_files_that_no_version_has(history, tables):
    data = tables.folder_of("t") / "data"
    orphan = data / "0123456789.lance"
    orphan.write_bytes(b"left by a writer that was killed")
    history.vacuum("t")
    assert not orphan.exists()
    assert values(tables.open("t")) == [3]


def test_files_of_a_writer_at_work_stay(history, tables):
    orphan = tables.folder_of("t") / "data" / "0123456789.lance"
    orphan.write_bytes(b"being written")
    with locked(tables.folder_of("t")):
        assert history.vacuum("t", NOW).versions == 2
        assert orphan.exists()
    history.vacuum("t", NOW)
    assert not orphan.exists()


def test_writers_and_vacuums_do_not_harm_each_other(history, tables):
    def write():
        for number in range(10, 30):
            tables.append("t", one(number))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        history.vacuum("t", NOW)
    writer.join()
    assert values(tables.open("t")) == [3, *range(10, 30)]


@pytest.mark.parametrize("old", [False, True])
def test_vacuum_removes_marks_of_deletes_that_were_killed(history, tables, old):
    folder = tables.folder_of("t")
    tables.append("t", two())
    if old:  # an old version has marks of its own, which stay
        table = tables.open("t")
        [*_, batch] = table.scan([], row_ids=True)
        table.delete(iter([batch.slice(1)]))
        tables.append("t", two())
    before = sorted((folder / "_deletions").glob("*"))
    assert len(before) == old
    lance.dataset(folder).get_fragments()[-1].delete_rows([0])
    assert len(list((folder / "_deletions").glob("*"))) == len(before) + 1
    history.vacuum("t")
    assert sorted((folder / "_deletions").glob("*")) == before
    assert values(tables.open("t"))[-2:] == [6, 7]


def two():
    return pa.table({"x": [6, 7]}).to_reader()
