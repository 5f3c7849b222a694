"""Many small changes: each is a commit, and the table stays quick to read."""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

import thanosql
from tests.integration.servers import wait_until
from tests.needs import NEEDS_HNSWLIB
from thanosql_server.app import serve_embedded
from thanosql_server.storage.newest import NEWEST

ROWS = 150


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def server(workspace):
    server = serve_embedded(str(workspace))
    yield server
    server.close()


@pytest.fixture
def connection(server):
    with thanosql.connect(server.location, token=server.token) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    return connection.cursor()


def fragments(workspace, name="t"):
    dataset = NEWEST.open(workspace / ".thanosql" / "tables" / f"{name}.lance")
    return len(dataset.get_fragments())


def test_small_commits_are_merged_while_more_come(cursor, workspace):
    cursor.execute("CREATE TABLE t (id INTEGER, name VARCHAR)")
    for number in range(ROWS):
        cursor.execute("INSERT INTO t VALUES (?, ?)", [number, f"n{number}"])
        assert cursor.rowcount == 1
    wait_until(lambda: fragments(workspace) < 10, "the small fragments to be merged")
    cursor.execute("SELECT id, name FROM t")
    assert cursor.fetchall() == [(n, f"n{n}") for n in range(ROWS)]
    cursor.execute("SHOW VERSIONS t")
    made = [row["operation"] for row in cursor.fetch_arrow_table().to_pylist()]
    assert made.count("insert") == ROWS
    assert 1 <= made.count("compact") < ROWS / 10
    cursor.execute("SELECT count(*) FROM t VERSION AS OF 11")
    assert cursor.fetchall() == [(10,)]


def test_changes_and_conversions_of_types_are_not_disturbed(cursor, workspace, server):
    """UPDATE, DELETE and ALTER know rows by their ids, which merging changes."""
    cursor.execute("CREATE TABLE t (id INTEGER, v INTEGER)")
    stop, failures = threading.Event(), []

    def insert():
        with thanosql.connect(server.location, token=server.token) as other:
            mine = other.cursor()
            try:
                number = 0
                while not stop.is_set():
                    mine.execute("INSERT INTO t VALUES (?, 0)", [number])
                    number += 1
                failures.append(number)
            except thanosql.Error as failure:
                failures.append(failure)

    other = threading.Thread(target=insert)
    other.start()
    ends, changes = time.monotonic() + 4, 0
    while time.monotonic() < ends:
        cursor.execute("UPDATE t SET v = v + 1 WHERE id = 0")
        assert cursor.rowcount in (0, 1)
        changes += cursor.rowcount
        cursor.execute("DELETE FROM t WHERE id > 0 AND id % 7 = 3")
    stop.set()
    other.join()
    cursor.execute("DELETE FROM t WHERE id % 7 = 3")
    [inserted] = failures
    cursor.execute("SELECT id, v FROM t ORDER BY id")
    expected = [(n, changes if n == 0 else 0) for n in range(inserted) if n % 7 != 3]
    assert cursor.fetchall() == expected
    wait_until(lambda: fragments(workspace) < 32, "the small fragments to be merged")


def test_optimize_merges_now(cursor, workspace):
    cursor.execute("CREATE TABLE t (id INTEGER)")
    for number in range(5):
        cursor.execute("INSERT INTO t VALUES (?)", [number])
    assert fragments(workspace) == 5
    cursor.execute("OPTIMIZE TABLE t")
    assert cursor.notes == ["5 fragments became 1"]
    assert cursor.execute("SELECT id FROM t").fetchall() == [(n,) for n in range(5)]
    with pytest.raises(thanosql.ProgrammingError, match="there is no table 'u'"):
        cursor.execute("OPTIMIZE u")


@NEEDS_HNSWLIB
def test_searches_by_an_index_are_right_whatever_is_merged(cursor, workspace):
    random = np.random.default_rng(0)
    cursor.execute("CREATE TABLE t (id INTEGER, v FLOAT[8])")

    def ingest(first, rows):
        vectors = random.standard_normal((rows, 8)).astype("f4")
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 8)
        ids = pa.array(np.arange(first, first + rows), pa.int32())
        cursor.ingest("t", pa.table({"id": ids, "v": column}), mode="append")

    ingest(0, 3000)
    cursor.execute("CREATE INDEX i ON t USING HNSW (v)")
    for number in range(60):
        ingest(3000 + 50 * number, 50)
        if number % 5 == 0:
            nearest_are_right(cursor, random)
    wait_until(lambda: fragments(workspace) < 10, "the small fragments to be merged")
    state = "SELECT rows_indexed, rows_pending, state FROM thanosql.indexes"
    wait_until(lambda: ready(cursor.execute(state).fetchall()), "the index")
    nearest_are_right(cursor, random)


def ready(found):
    [(indexed, pending, state)] = found
    return indexed + pending == 6000 and state == "ready"


def nearest_are_right(cursor, random):
    query = random.standard_normal(8).astype("f4").tolist()
    sql = "SELECT id, cosine_similarity(v, ?) AS score FROM t ORDER BY score DESC"
    found = cursor.execute(f"{sql} LIMIT 10", [query]).fetchall()
    right = cursor.execute(f"{sql}, id LIMIT 10", [query]).fetchall()
    assert len({key for key, _ in found}) == 10
    assert sum(score >= right[-1][1] - 1e-6 for _, score in found) >= 9


def test_the_thread_ends_with_its_server(workspace):
    before = tables_threads()
    server = serve_embedded(str(workspace))
    with thanosql.connect(server.location, token=server.token) as connection:
        connection.cursor().execute("CREATE TABLE t (id INTEGER)")
        wait_until(lambda: len(tables_threads()) == len(before) + 1)
    server.close()
    assert tables_threads() == before


def tables_threads():
    return [one for one in threading.enumerate() if one.name == "tables"]


def test_two_servers_on_one_workspace_see_all_of_each_other(workspace, server):
    second = serve_embedded(str(workspace))
    try:
        with (
            thanosql.connect(server.location, token=server.token) as one,
            thanosql.connect(second.location, token=second.token) as two,
        ):
            one.cursor().execute("CREATE TABLE t (id INTEGER)")
            for number in range(60):
                writer, reader = (one, two) if number % 2 else (two, one)
                writer.cursor().execute("INSERT INTO t VALUES (?)", [number])
                found = reader.cursor().execute("SELECT count(*), max(id) FROM t")
                assert found.fetchall() == [(number + 1, number)]
                if number % 20 == 19:
                    reader.cursor().execute("VACUUM t RETAIN 0 HOURS")
    finally:
        second.close()
