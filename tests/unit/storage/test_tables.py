from __future__ import annotations

import os
import resource
import signal
import threading

import pyarrow as pa
import pytest

from thanosql_server.config import Config
from thanosql_server.errors import (
    Cancelled,
    Conflict,
    DamagedTable,
    DuplicateObject,
    InvalidData,
    InvalidValue,
    ResourceExhausted,
    UndefinedColumn,
    UndefinedTable,
)
from thanosql_server.storage.workspace import Workspace


def rows_of(table):
    return [row for batch in table.scan() for row in batch.to_pylist()]


def stream(schema, batches):
    return pa.RecordBatchReader.from_batches(schema, batches)


ONE = pa.schema([("x", pa.int64())])


def interrupted(exception, after=3):
    for number in range(after):
        yield pa.record_batch([pa.array([number])], schema=ONE)
    raise exception


def untouchable():
    pytest.fail("the stream was read")
    yield


def test_table_comes_back_as_it_was_created(tables, numbers):
    assert tables.create("t", numbers(2500)) == 2500
    assert tables.names() == ["t"]
    assert rows_of(tables.open("t")) == numbers(2500).read_all().to_pylist()


@pytest.mark.parametrize(
    "name", ["Mixed Case", 'a"; DROP TABLE t', "한글", "../up", "%"]
)
def test_any_name_is_just_a_name(tables, numbers, name, tmp_path):
    tables.create(name, numbers(3))
    assert tables.names() == [name]
    assert tables.open(name).count_rows() == 3
    assert {p.name for p in tmp_path.iterdir()} == {"workspace"}
    tables.drop(name)
    assert not tables.exists(name)


def test_names_that_differ_in_case_are_different_tables(tables, numbers):
    tables.create("t", numbers(1))
    tables.create("T", numbers(2))
    assert tables.names() == ["T", "t"]
    assert tables.open("T").count_rows() == 2


def test_unusable_name_is_refused(tables, numbers):
    with pytest.raises(InvalidValue):
        tables.create("a\nb", numbers(1))
    with pytest.raises(InvalidValue):
        tables.exists("")


def test_existing_table_is_refused_before_the_stream_is_read(tables, numbers):
    tables.create("t", numbers(3))
    with pytest.raises(DuplicateObject, match=r"table 't' already exists; .*overwrite"):
        tables.create("t", stream(ONE, untouchable()))


def test_overwriting_replaces_rows_and_columns(tables, numbers):
    tables.create("t", numbers(3))
    before = tables.open("t")
    new = stream(ONE, [pa.record_batch([pa.array([7])], schema=ONE)])
    assert tables.create("t", new, overwrite=True) == 1
    assert rows_of(tables.open("t")) == [{"x": 7}]
    assert before.count_rows() == 3
    assert len(rows_of(before)) == 3


def test_versions_replaced_long_ago_are_removed(tables, numbers, tmp_path):
    data = tmp_path / "workspace" / ".thanosql" / "tables" / "t.lance" / "data"
    tables.create("t", numbers(3))
    tables.create("t", numbers(4), overwrite=True)
    assert len(list(data.iterdir())) == 2
    impatient = Config(workspace=tmp_path / "workspace", version_retention=0)
    Workspace.open(impatient).tables.create("t", numbers(5), overwrite=True)
    assert len(list(data.iterdir())) == 1
    assert tables.open("t").count_rows() == 5


def test_table_can_be_replaced_by_what_it_holds(tables, numbers):
    tables.create("t", numbers(5000))
    table = tables.open("t")
    tables.create("t", stream(table.schema, table.scan()), overwrite=True)
    assert tables.open("t").count_rows() == 5000


@pytest.mark.parametrize(
    "exception", [Cancelled("stop"), ValueError("oh"), KeyError(1)]
)
def test_failing_stream_leaves_no_table_and_raises_its_own_exception(tables, exception):
    with pytest.raises(type(exception)) as caught:
        tables.create("t", stream(ONE, interrupted(exception)))
    assert caught.value is exception
    assert tables.names() == []


def test_failing_stream_leaves_the_old_table(tables, numbers):
    tables.create("t", numbers(3))
    failing = stream(ONE, interrupted(Cancelled("stop")))
    with pytest.raises(Cancelled):
        tables.create("t", failing, overwrite=True)
    failing = stream(pa.schema([("id", pa.int64())]), interrupted(Cancelled("stop"), 0))
    with pytest.raises(Cancelled):
        tables.append("t", failing)
    assert tables.open("t").version == 1
    assert tables.open("t").count_rows() == 3


def test_empty_table(tables):
    assert tables.create("t", stream(ONE, [])) == 0
    table = tables.open("t")
    assert table.count_rows() == 0
    assert rows_of(table) == []
    table.add_column(pa.field("y", pa.string()), iter([]))
    assert tables.open("t").schema.names == ["x", "y"]


def test_appending_matches_columns_by_name(tables, numbers):
    tables.create("t", numbers(2))
    more = pa.table({"text": ["new", None], "id": pa.array([8, 9], pa.int8())})
    assert tables.append("t", more.to_reader()) == 2
    assert tables.append("t", pa.table({"text": ["only"]}).to_reader()) == 1
    assert rows_of(tables.open("t"))[2:] == [
        {"id": 8, "text": "new"},
        {"id": 9, "text": None},
        {"id": None, "text": "only"},
    ]
    assert tables.open("t").version == 3


def test_appending_what_does_not_fit(tables, numbers):
    tables.create("t", numbers(2))
    with pytest.raises(UndefinedColumn, match=r"no column 'txt'; did you mean 'text'"):
        tables.append("t", pa.table({"txt": ["a"]}).to_reader())
    with pytest.raises(
        InvalidData, match="does not fit into column 'id' of type int64"
    ):
        tables.append("t", pa.table({"id": ["a"]}).to_reader())
    assert tables.open("t").version == 1


def test_missing_table_names_the_nearest(tables, numbers):
    tables.create("mnist_train", numbers(1))
    for act in (tables.open, tables.drop, lambda name: tables.append(name, numbers(1))):
        with pytest.raises(
            UndefinedTable, match="no table 'mnist_trian'; did you mean"
        ):
            act("mnist_trian")


def test_dropped_table_is_gone_and_may_come_again(tables, numbers):
    tables.create("t", numbers(3))
    tables.open("t").count_rows()
    tables.drop("t")
    assert tables.names() == []
    tables.create("t", numbers(5))
    assert tables.open("t").count_rows() == 5


def test_reading_a_dropped_table_says_so(tables, numbers):
    tables.create("t", numbers(3))
    table = tables.open("t")
    tables.drop("t")
    with pytest.raises(Conflict, match="table 't' was dropped or replaced while"):
        list(table.scan())


def test_table_cannot_be_dropped_under_its_writer(tables, numbers):
    tables.create("t", numbers(3))

    def meanwhile():
        with pytest.raises(Conflict, match="try again"):
            tables.drop("t")
        yield pa.record_batch([pa.array([1])], names=["id"])

    tables.append("t", stream(pa.schema([("id", pa.int64())]), meanwhile()))
    assert tables.open("t").count_rows() == 4


def test_the_slower_of_two_creators_is_told(tables, numbers):
    def meanwhile():
        tables.create("t", numbers(3))
        yield pa.record_batch([pa.array([1])], schema=ONE)

    with pytest.raises(DuplicateObject):
        tables.create("t", stream(ONE, meanwhile()))
    assert tables.open("t").count_rows() == 3


def test_appending_to_a_table_that_is_replaced_meanwhile_is_a_conflict(tables, numbers):
    tables.create("t", numbers(3))

    def meanwhile():
        tables.create("t", numbers(5), overwrite=True)
        yield pa.record_batch([pa.array([1])], names=["id"])

    with pytest.raises(Conflict, match="run the statement again"):
        tables.append("t", stream(pa.schema([("id", pa.int64())]), meanwhile()))
    assert tables.open("t").count_rows() == 5


def test_appends_from_several_threads_all_count(tables, numbers):
    tables.create("t", numbers(0))
    writers = [
        threading.Thread(target=tables.append, args=("t", numbers(100, n * 100)))
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    read = [row["id"] for row in rows_of(tables.open("t"))]
    assert sorted(read) == list(range(800))


def test_folder_without_a_commit_is_no_table(tables, numbers, tmp_path):
    torn = tmp_path / "workspace" / ".thanosql" / "tables" / "t.lance"
    (torn / "data").mkdir(parents=True)
    (torn / "data" / "x.lance").write_bytes(b"half")
    assert tables.names() == []
    assert not tables.exists("t")
    with pytest.raises(UndefinedTable):
        tables.open("t")
    tables.create("t", numbers(2))
    assert tables.open("t").count_rows() == 2


def test_damaged_table_is_listed_and_can_be_dropped(tables, numbers, tmp_path, caplog):
    tables.create("good", numbers(1))
    tables.create("t", numbers(1))
    folder = tmp_path / "workspace" / ".thanosql" / "tables"
    (manifest,) = (folder / "t.lance" / "_versions").glob("*.manifest")
    manifest.write_bytes(b"")
    assert tables.names() == ["good", "t"]
    with pytest.raises(DamagedTable, match="files of table 't' are damaged") as caught:
        tables.open("t")
    assert str(tmp_path) not in str(caught.value)
    assert "table 't' is damaged" in caplog.text
    tables.drop("t")
    assert tables.names() == ["good"]


def test_foreign_files_among_the_tables_are_ignored(tables, tmp_path):
    folder = tmp_path / "workspace" / ".thanosql" / "tables"
    (folder / ".DS_Store").write_text("")
    (folder / "x.lance").write_text("")
    (folder / "UPPER.lance").mkdir()
    assert tables.names() == []


def test_full_disk_is_told_and_changes_nothing(tables, numbers, tmp_path):
    """The limit on the size of a file stands in for a full disk."""
    tables.create("t", numbers(3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = pa.array([os.urandom(1 << 16) for _ in range(64)])
    wide = pa.table({"noise": noise})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        with pytest.raises(ResourceExhausted, match="disk is full"):
            tables.create("wide", wide.to_reader())
        with pytest.raises(ResourceExhausted, match="nothing was changed"):
            tables.create("t", wide.to_reader(), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert tables.names() == ["t"]
    assert tables.open("t").count_rows() == 3
