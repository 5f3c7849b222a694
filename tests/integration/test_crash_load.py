"""A server under a mixed load is killed again and again; nothing answered is lost.

The long way is `make test-crash`: THANOSQL_KILLS says how often, THANOSQL_SEED which
moments and statements.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
import time

import lance
import pytest

from tests.integration.mixed_load import (
    COPIED_ROWS,
    Converts,
    Copies,
    Definitions,
    Rows,
)

KILLS = int(os.environ.get("THANOSQL_KILLS", "6"))
SEED = os.environ.get("THANOSQL_SEED", "0")
LONGEST_LOAD = 2.5


@pytest.fixture
def workspace(trained, tmp_path):
    folder = tmp_path / "workspace"
    shutil.copytree(trained, folder)
    rows = "".join(f"{n},{n / 8},words in row {n}\n" for n in range(COPIED_ROWS))
    (folder / "rows.csv").write_text("id,ratio,words\n" + rows, "utf-8")
    return folder


def clients_of(server, workspace):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shared (owner INTEGER, n INTEGER, v INTEGER)")
        cursor.execute("COPY copied FROM 'rows.csv'")
        cursor.execute("TRUNCATE copied")
        cursor.execute("SELECT image_path FROM test ORDER BY image_path")
        paths = [path for (path,) in cursor.fetchall()]
        cursor.execute("CREATE TABLE pictures (image_path VARCHAR)")
    return [
        Rows(0, SEED),
        Rows(1, SEED),
        Copies(workspace, SEED),
        Definitions(SEED),
        Converts(paths, SEED),
    ]


def test_a_server_killed_under_load_loses_nothing(workspace, fork_server):
    chance = random.Random(SEED)
    started = time.monotonic()
    server = fork_server(workspace)
    clients = clients_of(server, workspace)
    cut_off = 0
    for kill in range(KILLS):
        stopped = threading.Event()
        for client in clients:
            client.start(server.connect, stopped)
        time.sleep(0.1 + LONGEST_LOAD * chance.random())
        stopped.set()
        assert server.kill() == -9
        for client in clients:
            client.thread.join()
            if client.failure is not None:
                raise client.failure
        cut_off += sum(client.doubtful is not None for client in clients)
        assert "Traceback" not in server.output
        server = fork_server(workspace)
        with server.connect() as connection, connection.cursor() as cursor:
            for client in clients:
                client.check(cursor)
            require_no_orphans(workspace, cursor)
            for client in clients:
                client.check(cursor)
        sys.stdout.write(
            f"kill {kill + 1}: {sum(one.answered for one in clients)} answered, "
            f"{cut_off} cut off, {sum(one.conflicts for one in clients)} conflicts, "
            f"{time.monotonic() - started:.0f} s\n"
        )
        sys.stdout.flush()
    assert all(client.answered for client in clients)
    assert cut_off


def require_no_orphans(workspace, cursor):
    """Find what no version needs, after a VACUUM that keeps the newest only."""
    ours = workspace / ".thanosql"
    [scratch] = [path for path in (ours / "trash").iterdir() if path.is_dir()]
    deadline = time.monotonic() + 10
    while True:
        cursor.execute("VACUUM RETAIN 0 HOURS")
        left = {
            folder.name: orphans
            for folder in (ours / "tables").iterdir()
            if (orphans := orphans_of(folder))
        }
        left |= {"scratch": names} if (names := os.listdir(scratch)) else {}
        if not left:
            return
        # While the server merges fragments in the background, files stay for it.
        assert time.monotonic() < deadline, f"orphans: {left}"
        time.sleep(0.1)


def orphans_of(folder):
    dataset = lance.dataset(folder)
    fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    data = {file.path for fragment in fragments for file in fragment.files}
    marks = [one for one in fragments if one.deletion_file is not None]
    there = set(os.listdir(folder / "data")) if (folder / "data").exists() else set()
    deletions = folder / "_deletions"
    extra = len(os.listdir(deletions)) - len(marks) if deletions.exists() else 0
    versions = len(list((folder / "_versions").glob("*.manifest"))) - 1
    return sorted(there - data) + ["a deletion"] * extra + ["a version"] * versions
