"""Limits on memory, temporary files and results: one statement fails, alone."""

from __future__ import annotations

import os
import threading

import pytest

import thanosql
from thanosql_server.config import Config, Limits
from thanosql_server.engine.engine import Engine
from thanosql_server.flight.server import FlightSqlServer

MIB = 1 << 20
SORT = (
    "SELECT value, repeat('x', 100) || value AS s FROM range(600000) "
    "ORDER BY (value * 7919) % 1000003, s"
)
SORTED_BYTES = 600_000 * 115


@pytest.fixture
def limited(tmp_path):
    """Return a function that starts a server with limits and connects to it."""
    opened = []

    def start(memory=256 * MIB, **limits):
        folder = tmp_path / "workspace"
        config = Config(folder, threads=2, memory_limit=memory, limits=Limits(**limits))
        engine = Engine(config)
        server = FlightSqlServer(engine, config)
        connection = thanosql.connect(server.location)
        opened.extend([connection.close, server.shutdown, engine.close])
        return connection

    yield start
    for close in opened:
        close()


def refused(cursor, sql):
    with pytest.raises(thanosql.OperationalError) as raised:
        cursor.execute(sql).fetch_arrow_table()
    return raised.value.sqlstate, str(raised.value)


def count(cursor, sql):
    return cursor.execute(sql).fetch_arrow_table().num_rows


def test_a_sort_larger_than_the_memory_spills(limited):
    with limited(memory=24 * MIB).cursor() as cursor:
        table = cursor.execute(SORT).fetch_arrow_table()
    assert table.nbytes > 2 * 24 * MIB
    keys = [value * 7919 % 1000003 for value in table["value"].to_pylist()]
    assert keys == sorted(keys)


def test_two_such_sorts_at_once_both_finish(limited):
    connection = limited(memory=32 * MIB)
    counts = []

    def sort():
        with connection.cursor() as cursor:
            counts.append(count(cursor, SORT))

    threads = [threading.Thread(target=sort) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [600_000, 600_000]


def test_what_cannot_fit_into_memory_fails_alone(limited):
    connection = limited(memory=16 * MIB)
    counts, stop = [], threading.Event()

    def others():
        with connection.cursor() as cursor:
            while not stop.is_set():
                counts.append(count(cursor, "SELECT value FROM range(1000)"))

    thread = threading.Thread(target=others)
    thread.start()
    with connection.cursor() as cursor:
        # One value of 40 MB: there is nothing to spill.
        sql = (
            "SELECT sum(length(x)) FROM (SELECT array_to_string(array_agg(value), ',') "
            "AS x FROM range(6000000))"
        )
        state, sentence = refused(cursor, sql)
        stop.set()
        thread.join()
        assert state == "53200"
        assert "--memory-limit" in sentence
        assert count(cursor, "SELECT 1") == 1
    assert counts
    assert set(counts) == {1000}


def test_temporary_files_have_a_limit(limited, tmp_path):
    connection = limited(memory=24 * MIB, max_temp_bytes=10 * MIB)
    with connection.cursor() as cursor:
        state, sentence = refused(cursor, SORT)
        assert (state, "10,485,760 bytes" in sentence) == ("53400", True)
        assert count(cursor, SORT.replace("600000", "1000")) == 1000
        spill = tmp_path / "workspace" / ".thanosql" / "spill"
        left = [name for _, _, names in os.walk(spill) for name in names]
        assert [name for name in left if not name.endswith(".lock")] == []


def test_enough_temporary_files_are_no_matter(limited):
    connection = limited(memory=24 * MIB, max_temp_bytes=1 << 30)
    with connection.cursor() as cursor:
        assert count(cursor, SORT) == 600_000


ROWS = "SELECT value FROM range({})"


def test_a_result_has_the_limit_of_the_server(limited):
    with limited(max_result_bytes=100_000).cursor() as cursor:
        assert count(cursor, ROWS.format(12_500)) == 12_500
        state, sentence = refused(cursor, ROWS.format(12_501))
        assert (state, "100,000 bytes" in sentence) == ("54000", True)
        # What is stored or counted is no result.
        cursor.execute(f"CREATE TABLE t AS {ROWS.format(50_000)}")
        assert cursor.rowcount == 50_000
        assert cursor.execute("SELECT count(*) FROM t").fetchall() == [(50_000,)]


def test_a_session_may_set_a_limit_for_itself(tmp_path):
    with (
        thanosql.connect(tmp_path / "workspace") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET result_limit = '1KiB'")
        assert cursor.execute("SHOW result_limit").fetchall() == [("1024",)]
        assert count(cursor, ROWS.format(128)) == 128
        assert refused(cursor, ROWS.format(129))[0] == "54000"
        cursor.execute("RESET result_limit")
        assert count(cursor, ROWS.format(100_000)) == 100_000
