"""Servers killed, statements cancelled, clients gone: all of a change or nothing."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest

import thanosql
from tests.integration.servers import PATIENCE, SERVE, wait_until
from thanosql_server.app import serve_embedded

KILLS = 10

CHANGES = {
    "BUILD": (
        "BUILD MODEL m USING SimCLR OPTIONS (max_epochs=3, image_size=16, seed=1, "
        "overwrite=True) AS SELECT * FROM train"
    ),
    "CONVERT": "CONVERT USING m OPTIONS (table_name='test') AS SELECT * FROM test",
    "COPY": "COPY test OPTIONS (overwrite=True) FROM 'rows.csv'",
}

ENDLESS = {
    "BUILD": CHANGES["BUILD"].replace("max_epochs=3", "max_epochs=1000000"),
    "CONVERT": "CONVERT USING m OPTIONS (table_name='many') AS SELECT * FROM many",
    "COPY": "COPY test OPTIONS (overwrite=True) FROM 'many.csv'",
}
"""Statements that take far longer than a client needs to give up."""


def write_rows(path, count):
    """Write a table; its rows repeat after a while, so that writing is quick."""
    block = "".join(f"{i},{i / 8},some words in row {i}\n" for i in range(10_000))
    with path.open("w", encoding="utf-8") as file:
        file.write("id,ratio,words\n")
        for _ in range(count // 10_000):
            file.write(block)


def look(workspace):
    """Return what a server that opens the workspace now finds: tables and models."""
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        names = [name for (name,) in cursor.execute("LIST TABLE").fetchall()]
        tables = {
            name: cursor.execute(f"SELECT * FROM {name}").fetch_arrow_table()
            for name in names
        }
        models = cursor.execute("SELECT name, dim, epochs FROM thanosql.models")
        found = tables, models.fetchall(), weights(workspace)
    assert list((workspace / ".thanosql" / "trash").iterdir()) == []
    return found


def weights(workspace):
    """Return the digest of the weights of each model's newest version."""
    newest = {}
    for file in sorted((workspace / ".thanosql" / "models").rglob("*.safetensors")):
        newest[file.parts[-3]] = hashlib.sha256(file.read_bytes()).hexdigest()
    return newest


# ---- A server is killed -----------------------------------------------------


@pytest.mark.parametrize("change", CHANGES)
def test_a_killed_server_leaves_all_of_a_change_or_nothing(
    change, trained, tmp_path, fork_server
):
    statement = CHANGES[change]
    start = tmp_path / "start"
    shutil.copytree(trained, start)
    write_rows(start / "rows.csv", 100_000)
    before = look(start)

    whole = tmp_path / "whole"
    shutil.copytree(start, whole)
    seconds = carried_out(fork_server(whole), statement)
    after = look(whole)
    assert after != before

    chance = random.Random(change)
    workspace = tmp_path / "workspace"
    shutil.copytree(start, workspace)
    seen = []
    for kill in range(KILLS):
        moment = seconds * (kill + chance.random()) / KILLS
        answered = killed_in(fork_server(workspace), statement, moment)
        found = look(workspace)
        assert found in (before, after)
        assert found == after or not answered
        seen.append(found == before)
        if found == after:
            shutil.rmtree(workspace)
            shutil.copytree(start, workspace)
    assert any(seen), "no kill came before the end"

    carried_out(fork_server(workspace), statement)
    assert look(workspace) == after


def carried_out(server, statement):
    """Run a statement to its end, stop the server, return the statement's seconds."""
    with server.connect() as connection, connection.cursor() as cursor:
        started = time.monotonic()
        cursor.execute(statement)
        seconds = time.monotonic() - started
    server.kill()
    return seconds


def killed_in(server, statement, moment):
    """Kill a server in the middle of a statement; return whether it had answered."""
    answered = []

    def run():
        try:
            cursor.execute(statement)
            answered.append(True)
        except thanosql.OperationalError:
            pass

    with server.connect() as connection, connection.cursor() as cursor:
        client = threading.Thread(target=run)
        client.start()
        time.sleep(moment)
        assert server.kill() == -9
        client.join()
    return bool(answered)


def test_a_file_that_a_killed_server_left_in_a_table_goes_in_time(cursor, workspace):
    folder = workspace / ".thanosql" / "tables" / "test.lance" / "data"
    [file] = folder.iterdir()
    stray = shutil.copy(file, folder / f"{'0' * 50}.lance")
    # For some days it might belong to a statement that still runs elsewhere.
    week_ago = time.time() - 8 * 86_400
    os.utime(stray, (week_ago, week_ago))
    cursor.execute("INSERT INTO test (label) VALUES (1)")
    wait_until(lambda: not stray.exists(), "the file to go")
    assert cursor.execute("SELECT count(*) FROM test").fetchall() == [(31,)]


# ---- A client gives up ------------------------------------------------------


@pytest.fixture(scope="module")
def long_work(trained, tmp_path_factory):
    """A workspace in which the statements of ENDLESS take their time."""
    folder = tmp_path_factory.mktemp("long") / "workspace"
    shutil.copytree(trained, folder)
    write_rows(folder / "many.csv", 4_000_000)
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE many AS SELECT test.* FROM test "
            "CROSS JOIN generate_series(1, 2000)"
        )
    return folder


@pytest.fixture
def server(long_work):
    """A server in this process, whose threads show what it is doing."""
    server = serve_embedded(str(long_work))
    yield server
    server.close()


def cancel(server, statement):
    """Cancel from another thread once the statement does its main work."""
    phases = ("training", "embedding", "copying")
    under_way = threading.Event()
    with thanosql.connect(server.location, token=server.token) as connection:
        cursor = connection.cursor()

        def when_under_way():
            under_way.wait(PATIENCE)
            cursor.cancel()

        def follow(progress):
            if progress.phase in phases:
                under_way.set()

        other = threading.Thread(target=when_under_way)
        other.start()
        with pytest.raises(thanosql.OperationalError) as caught:
            cursor.execute(statement, progress=follow)
        other.join()
        assert caught.value.sqlstate == "57014"
        assert str(caught.value) == "the statement was cancelled"
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def close(server, statement):
    """Close the connection from another thread."""
    connection = thanosql.connect(server.location, token=server.token)
    cursor = connection.cursor()
    other = threading.Timer(0.1, lambda: when_working(connection.close))
    other.start()
    with pytest.raises(thanosql.Error):
        cursor.execute(statement)
    other.join()


def vanish(server, statement):
    """Kill the process of the client."""
    connection = ["--url", server.location, "--token", server.token]
    client = subprocess.Popen(
        [sys.executable, "-c", SERVE, "sql", statement, *connection],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    when_working(client.kill)
    client.wait()


def when_working(do):
    wait_until(working, "the statement to begin")
    do()


def working():
    """Return the threads that work on statements."""
    names = [thread.name for thread in threading.enumerate()]
    return [
        name for name in names if name.startswith(("statement", "decode", "encode"))
    ]


@pytest.mark.parametrize("give_up", [cancel, close, vanish])
@pytest.mark.parametrize("change", ENDLESS)
def test_work_ends_without_a_trace_when_its_client_gives_up(
    change, give_up, server, long_work
):
    before = counts(server)
    give_up(server, ENDLESS[change])
    wait_until(lambda: not working(), "the work to end")
    assert counts(server) == before
    server.close()
    assert list((long_work / ".thanosql" / "trash").iterdir()) == []


def counts(server):
    """Return rows and columns of every table, and the models with their builds."""
    with (
        thanosql.connect(server.location, token=server.token) as connection,
        connection.cursor() as cursor,
    ):
        names = [name for (name,) in cursor.execute("LIST TABLE").fetchall()]
        tables = {
            name: (
                cursor.execute(f"SELECT count(*) FROM {name}").fetchall(),
                cursor.execute(f"DESCRIBE {name}").fetchall(),
            )
            for name in names
        }
        return tables, cursor.execute("LIST MODEL").fetchall()
