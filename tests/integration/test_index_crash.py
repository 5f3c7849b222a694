"""A server is killed while it makes or renews an index: every search is right."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thanosql
from tests.integration.servers import wait_until
from tests.needs import NEEDS_HNSWLIB

pytestmark = NEEDS_HNSWLIB

ROWS, DIM, MORE = 6000, 32, 1500
KILLS = 10
MAKE = "CREATE INDEX i ON t USING HNSW (v) WITH (m=16, ef_construction=200)"
SEARCH = "SELECT id, cosine_similarity(v, ?) AS score FROM t ORDER BY score DESC{}"


def write(path, rows, first, seed):
    vectors = np.random.default_rng(seed).standard_normal((rows, DIM)).astype("f4")
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM)
    pq.write_table(pa.table({"id": np.arange(first, first + rows), "v": column}), path)


@pytest.fixture
def workspace(tmp_path):
    """A workspace with the table t, and files with further rows for it."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    write(workspace / "rows.parquet", ROWS, 0, seed=0)
    for number in range(KILLS + 1):
        first = ROWS + number * MORE
        write(workspace / f"more{number}.parquet", MORE, first, seed=number + 1)
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute("COPY t FROM 'rows.parquet'")
    return workspace


def check(cursor, seed):
    """Compare a search with the comparison of all rows."""
    query = np.random.default_rng(seed).standard_normal(DIM).tolist()
    found = cursor.execute(SEARCH.format(" LIMIT 10"), [query]).fetchall()
    right = cursor.execute(SEARCH.format(", id LIMIT 10"), [query]).fetchall()
    assert len({key for key, _ in found}) == 10
    near = [score >= right[-1][1] - 1e-6 for _, score in found]
    assert sum(near) >= 9  # about the nearest, where there is an index
    by_id = dict(cursor.execute(SEARCH.format(", id"), [query]).fetchall())
    for key, score in found:
        assert by_id[key] == pytest.approx(score, abs=1e-6)


def look(workspace, seed):
    """Return the state of the index for a server that opens the workspace now."""
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        for number in range(3):
            check(cursor, 3 * seed + number)
        cursor.execute("SELECT rows_indexed, rows_pending, state FROM thanosql.indexes")
        found = cursor.fetchall()
    folder = workspace / ".thanosql"
    assert list((folder / "trash").iterdir()) == []
    for index in folder.glob("tables/*/_thanosql_indexes/*"):
        assert (index / "definition.json").exists()
        assert list(index.glob("g*/manifest.json"))
    return found


def test_a_server_killed_while_it_makes_an_index_leaves_none_or_all(
    workspace, fork_server
):
    chance = random.Random(0)
    started = time.monotonic()
    server = fork_server(workspace)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(MAKE)
        seconds = time.monotonic() - started
        cursor.execute("DROP INDEX i")
    server.kill()
    seen = []
    for kill in range(KILLS):
        server = fork_server(workspace)
        with server.connect() as connection, connection.cursor() as cursor:
            making = threading.Thread(target=attempt, args=(cursor, MAKE))
            making.start()
            time.sleep(seconds * 1.2 * (kill + chance.random()) / KILLS)
            assert server.kill() == -9
            making.join()
        found = look(workspace, kill)
        assert found in ([], [(ROWS, 0, "ready")])
        seen.append(found)
        if found:
            with thanosql.connect(workspace) as c, c.cursor() as cursor:
                cursor.execute("DROP INDEX i")
    assert [] in seen


def attempt(cursor, sql):
    with contextlib.suppress(thanosql.Error):
        cursor.execute(sql)


def test_a_server_killed_while_it_renews_an_index_leaves_a_right_one(
    workspace, fork_server
):
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute(MAKE)
    chance = random.Random(1)
    for kill in range(KILLS):
        server = fork_server(workspace)
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                f"COPY t OPTIONS (if_exists='append') FROM 'more{kill}.parquet'"
            )
            time.sleep(chance.random() * 0.8)
            assert server.kill() == -9
        (found,) = look(workspace, kill)
        assert found[0] + found[1] == ROWS + (kill + 1) * MORE
        assert found[2] in ("ready", "behind", "renewing")
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"COPY t OPTIONS (if_exists='append') FROM 'more{KILLS}.parquet'"
        )
        every = ROWS + (KILLS + 1) * MORE

        def state():
            cursor.execute("SELECT rows_indexed, state FROM thanosql.indexes")
            return cursor.fetchall()

        wait_until(lambda: state() == [(every, "ready")], "the index")
        check(cursor, 100)
