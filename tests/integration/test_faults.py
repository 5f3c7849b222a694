"""Disks that are full or closed, tables that are damaged: one clear error, no more.

The server is a process of its own: for a full disk with a small file system of its own
at its workspace, for a closed one without root's right to write where nobody may.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys

import pytest

import thanosql
from tests.integration.servers import SERVE, Servers

DISK_BYTES = 24 << 20
OWN_MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
NO_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def works(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


def started_by(*prefix):
    """Return how to start a server as the last of some commands."""

    def start(arguments, log):
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-c", SERVE, "serve", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        return process.pid, log, process.wait

    return start


def failing(cursor, sql, sqlstate, message):
    with pytest.raises(thanosql.Error, match=message) as caught:
        cursor.execute(sql)
    assert caught.value.sqlstate == sqlstate


def rows(cursor, sql):
    return cursor.execute(sql).fetchall()


# ---- The disk is full --------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A cursor of a server whose workspace is a file system of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={DISK_BYTES} tmpfs {disk}"
    if not works(*OWN_MOUNTS, "sh", "-c", mount):
        pytest.skip("needs the right to mount a tmpfs in a namespace of its own")
    script = f'{mount} && exec "$0" "$@"'
    servers = Servers(tmp_path, started_by(*OWN_MOUNTS, "sh", "-c", script))
    server = servers(disk / "workspace")
    with server.connect() as connection, connection.cursor() as cursor:
        yield cursor
    servers.close()


BIG = (
    "CREATE TABLE {} AS SELECT value AS id, random() AS r, "
    "md5(CAST(value AS VARCHAR)) AS s FROM generate_series(1, {})"
)


def test_a_full_disk_stops_what_needs_room_and_nothing_else(small_disk):
    cursor = small_disk
    cursor.execute("CREATE TABLE small (id INTEGER, s VARCHAR)")
    cursor.execute("INSERT INTO small VALUES (1, 'a')")
    cursor.execute(BIG.format("big", 100_000))
    full = "the server's disk is full, which stopped .*; nothing was changed"
    failing(cursor, BIG.format("more", 1_000_000), "53000", full)
    failing(
        cursor,
        BIG.format("x", 1_000_000).replace("CREATE TABLE x AS", "INSERT INTO big"),
        "53000",
        full,
    )
    failing(
        cursor,
        "COPY (SELECT * FROM big CROSS JOIN generate_series(1, 9)) TO 'big.csv'",
        "53000",
        "the server's disk is full, so 'big.csv' was not written",
    )
    assert rows(cursor, "LIST TABLE") == [("big",), ("small",)]
    assert rows(cursor, "SELECT count(*), max(id) FROM big") == [(100_000, 100_000)]
    cursor.execute("INSERT INTO small VALUES (2, 'b')")
    cursor.execute("VACUUM RETAIN 0 HOURS")
    cursor.execute("UPDATE small SET s = 'c' WHERE id = 1")
    assert rows(cursor, "SELECT * FROM small ORDER BY id") == [(1, "c"), (2, "b")]


def test_on_a_disk_without_any_room_all_can_be_read(small_disk, tmp_path):
    cursor = small_disk
    cursor.execute("CREATE TABLE t (id INTEGER, s VARCHAR)")
    cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    leave_no_room(cursor)
    full = "the server's disk is full, which stopped .*; nothing was changed"
    for sql in (
        "INSERT INTO t VALUES (3, 'c')",
        "INSERT INTO t SELECT 3, 'c'",
        "UPDATE t SET s = 'c'",
        "DELETE FROM t WHERE id = 1",
        "CREATE TABLE u (id INTEGER)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 3",
    ):
        failing(cursor, sql, "53000", full)
        assert rows(cursor, "SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]
    cursor.execute("DROP TABLE filler")
    cursor.execute("INSERT INTO t VALUES (3, 'c')")
    assert rows(cursor, "SELECT count(*) FROM t") == [(3,)]


def leave_no_room(cursor):
    """Fill the disk with tables that become smaller and smaller."""
    cursor.execute("CREATE TABLE filler (id BIGINT, r DOUBLE, s VARCHAR)")
    count = 200_000
    while count:
        sql = BIG.format("x", count).removeprefix("CREATE TABLE x AS ")
        try:
            cursor.execute(f"INSERT INTO filler {sql}")
        except thanosql.OperationalError:
            count //= 4


# ---- The disk is closed ------------------------------------------------------


@pytest.fixture
def without_override(tmp_path):
    """Start servers that may write only where the rights of files say so."""
    prefix = NO_OVERRIDE if os.geteuid() == 0 else []
    if not works(*prefix, "true"):
        pytest.skip("needs setpriv to give up root's right to write everywhere")
    servers = Servers(tmp_path, started_by(*prefix))
    yield servers
    servers.close()


def closed(folder, rights=stat.S_IWUSR):
    """Take from all below a folder the right to be written; return how it was."""
    before = {}
    for path in [folder, *folder.rglob("*")]:
        before[path] = path.stat().st_mode
        path.chmod(before[path] & ~(rights | stat.S_IWGRP | stat.S_IWOTH))
    return before


def test_a_workspace_that_may_not_be_written_can_be_read(without_override, tmp_path):
    workspace = tmp_path / "workspace"
    server = without_override(workspace)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id INTEGER, s VARCHAR)")
        cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        before = closed(workspace)
        try:
            refused = "the server may not write .*; nothing was changed"
            for sql in (
                "INSERT INTO t VALUES (3, 'c')",
                "INSERT INTO t SELECT 3, 'c'",
                "UPDATE t SET s = 'c'",
                "DELETE FROM t WHERE id = 1",
                "CREATE TABLE u (id INTEGER)",
                "CREATE TABLE u AS SELECT 1 AS id",
                "CREATE SCHEMA s",
                "CREATE VIEW v AS SELECT 1 AS one",
                "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 3",
                "ALTER TABLE t RENAME TO u",
                "DROP TABLE t",
                "RESTORE TABLE t TO VERSION 1",
            ):
                failing(cursor, sql, "58030", refused)
            assert rows(cursor, "SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]
            assert rows(cursor, "SELECT count(*) FROM t VERSION AS OF 1") == [(0,)]
        finally:
            for path, mode in before.items():
                path.chmod(mode)
        cursor.execute("INSERT INTO t VALUES (3, 'c')")
        assert rows(cursor, "SELECT count(*) FROM t") == [(3,)]


# ---- A table is damaged ------------------------------------------------------


@pytest.fixture
def tables(tmp_path):
    """A workspace with the tables a, b and c of three rows each."""
    workspace = tmp_path / "workspace"
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        for name in "abc":
            cursor.execute(f"CREATE TABLE {name} (id INTEGER)")
            cursor.execute(f"INSERT INTO {name} VALUES (1), (2), (3)")
    return workspace


@pytest.fixture
def cursor(tables):
    with thanosql.connect(tables) as connection, connection.cursor() as cursor:
        yield cursor


def folder_of(workspace, table):
    return workspace / ".thanosql" / "tables" / f"{table}.lance"


def others_work(cursor):
    for name in "ac":
        cursor.execute(f"INSERT INTO {name} VALUES (4)")
        assert rows(cursor, f"SELECT sum(id) FROM {name}") == [(10,)]
        cursor.execute(f"DELETE FROM {name} WHERE id = 4")


def test_a_folder_that_is_deleted_is_a_table_that_is_not_there(cursor, tables):
    assert rows(cursor, "SELECT sum(id) FROM b") == [(6,)]
    shutil.rmtree(folder_of(tables, "b"))
    for sql in (
        "SELECT * FROM b",
        "INSERT INTO b VALUES (1)",
        "INSERT INTO b SELECT 1",
        "UPDATE b SET id = 1",
        "DROP TABLE b",
    ):
        failing(cursor, sql, "42P01", "there is no table 'b'")
    assert rows(cursor, "LIST TABLE") == [("a",), ("c",)]
    others_work(cursor)
    cursor.execute("CREATE TABLE b (id INTEGER)")
    cursor.execute("INSERT INTO b VALUES (7)")
    assert rows(cursor, "SELECT * FROM b") == [(7,)]


def newest_manifest(workspace, table):
    return min((folder_of(workspace, table) / "_versions").glob("*.manifest"))


@pytest.mark.parametrize("left", [0, 1, 20, 0.5, -1])
def test_a_manifest_that_is_cut_short_is_said_of_its_table(tables, left):
    manifest = newest_manifest(tables, "b")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[: int(len(whole) * left) if left == 0.5 else left])
    with thanosql.connect(tables) as connection, connection.cursor() as cursor:
        damaged = "the files of table 'b' are damaged; .*DROP TABLE"
        for sql in (
            "SELECT * FROM b",
            "INSERT INTO b VALUES (1)",
            "INSERT INTO b SELECT 1",
            "UPDATE b SET id = 1",
            "SHOW VERSIONS b",
            "ALTER TABLE b ADD COLUMN c INTEGER",
        ):
            failing(cursor, sql, "XX001", damaged)
        assert rows(cursor, "LIST TABLE") == [("a",), ("c",)]
        others_work(cursor)
        cursor.execute("DROP TABLE b")
        assert rows(cursor, "LIST TABLE") == [("a",), ("c",)]


def test_a_data_file_that_is_gone_is_said_of_its_table(cursor, tables):
    for file in (folder_of(tables, "b") / "data").iterdir():
        file.unlink()
    failing(cursor, "SELECT * FROM b", "XX001", "the files of table 'b' are damaged")
    assert rows(cursor, "SELECT count(*) FROM b") == [(3,)]  # known without the file
    others_work(cursor)
