"""Rows changed and added in one commit, beside other writers."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from thanosql_server.errors import Cancelled, Conflict, NotNullViolation, UndefinedTable
from thanosql_server.storage.scan import ROW_ID

COLUMNS = pa.schema([pa.field("id", pa.int64(), nullable=False), ("n", pa.int64())])


@pytest.fixture
def table(tables):
    tables.define("t", COLUMNS)
    tables.append("t", pa.table({"id": [1, 2, 3], "n": [10, 20, 30]}).to_reader())
    return tables.open("t")


def changes(*pairs):
    ids, values = zip(*pairs, strict=True) if pairs else ((), ())
    columns = {ROW_ID: pa.array(ids, pa.uint64()), "n": pa.array(values, pa.int64())}
    yield pa.record_batch(columns)


def additions(*ids):
    if ids:
        yield pa.record_batch({"id": pa.array(ids, pa.int64())})


def content(tables):
    return [tuple(row.values()) for row in rows(tables.open("t"))]


def rows(table):
    return [row for batch in table.scan() for row in batch.to_pylist()]


def test_both_are_one_version(tables, table):
    assert table.upsert(["n"], changes((1, 21)), additions(7, 8)) == 3
    assert content(tables) == [(1, 10), (2, 21), (3, 30), (7, None), (8, None)]
    assert tables.open("t").version == table.version + 1
    assert rows(table) == [{"id": n, "n": n * 10} for n in (1, 2, 3)]


def test_nothing_to_do_commits_nothing(tables, table):
    assert table.upsert(["n"], changes(), additions()) == 0
    assert tables.open("t").version == table.version


def test_only_additions_stand_beside_what_others_change(tables, table):
    tables.open("t").update(["n"], changes((0, 11)))
    assert table.upsert(["n"], changes(), additions(7)) == 1
    assert content(tables) == [(1, 11), (2, 20), (3, 30), (7, None)]


def test_a_change_of_the_same_rows_is_a_conflict_and_adds_nothing(tables, table):
    tables.open("t").update(["n"], changes((0, 11)))
    with pytest.raises(Conflict):
        table.upsert(["n"], changes((0, 12)), additions(7))
    assert content(tables) == [(1, 11), (2, 20), (3, 30)]


@pytest.mark.parametrize("where", ["first", "later", "null"])
def test_what_reading_the_additions_raises_leaves_the_table(tables, table, where):
    def broken():
        if where == "null":
            yield pa.record_batch({"n": [1]})
        elif where == "later":
            yield from additions(7)
        raise Cancelled("stop")

    kind = NotNullViolation if where == "null" else Cancelled
    with pytest.raises(kind):
        table.upsert(["n"], changes((0, 12)), broken())
    assert content(tables) == [(1, 10), (2, 20), (3, 30)]


def test_one_at_a_time_has_the_keys(tables, table):
    order = []
    inside, done = threading.Event(), threading.Event()

    def second():
        with tables.upserting("t", inside.set):
            order.append("second")
        done.set()

    with tables.upserting("t", lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert inside.wait(10)  # it has seen that it must wait
        order.append("first")
    assert done.wait(10)
    thread.join()
    assert order == ["first", "second"]


def test_whoever_waits_can_be_cancelled_and_other_writers_do_not_wait(tables, table):
    def cancelled():
        raise Cancelled("stop")

    with tables.upserting("t", lambda: None):
        with pytest.raises(Cancelled), tables.upserting("t", cancelled):
            pass
        tables.append("t", pa.table({"id": [9]}).to_reader())
    assert content(tables)[-1] == (9, None)


def test_there_is_no_turn_for_a_table_that_is_not_there(tables):
    with pytest.raises(UndefinedTable), tables.upserting("nothing", lambda: None):
        pass
