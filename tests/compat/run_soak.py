"""Many clients at once: queries, ingestions and cancels, and what is left of them.

    python tests/compat/run_soak.py [--quick]

Every error but that of a cancelled statement counts. At the end the server must have no
thread, no session and no running statement left, and not much more memory than after a
first, shorter round, which fills what is kept on purpose.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa

import thanosql

PATIENCE = 120.0
MEMORY_TOLERANCE = 1.25
"""How much of its memory after the first round the server may have at the end:
allocators keep pages, and threads their arenas."""
SPARE_MIB = 128
IDLE_SECONDS = 12.0
"""After this the pools of the libraries have let go of threads that have no work."""

SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
LONG = (
    "SELECT count(*) FROM generate_series(1, 10000000) a "
    "JOIN generate_series(1, 200) b ON a.value % 200 = b.value WHERE a.value % 7 < 6"
)
QUERIES = (
    "SELECT 1",
    "SELECT k, count(*), sum(v) FROM facts GROUP BY k ORDER BY k LIMIT 10",
    "SELECT * FROM facts WHERE v > 0.999 ORDER BY v DESC LIMIT 100",
    "SELECT a.k, avg(b.v) FROM facts a JOIN facts b ON a.id = b.id GROUP BY a.k",
    "SELECT * FROM facts LIMIT 20000",
    "SELECT name FROM thanosql.settings",
)


class Load:
    """What the clients do, and what went wrong."""

    def __init__(self, location: str, token: str) -> None:
        self._location = location
        self._token = token
        self._lock = threading.Lock()
        self.done = {"query": 0, "ingest": 0, "cancel": 0, "set": 0}
        self.errors: list[str] = []
        self.rows = 0

    def connect(self) -> thanosql.Connection:
        return thanosql.connect(self._location, token=self._token)

    def run(self, clients: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._client, args=[number, until])
            for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, number: int, until: float) -> None:
        chance = random.Random(number)
        while time.monotonic() < until:
            try:
                with self.connect() as connection:
                    for _ in range(chance.randint(1, 20)):
                        if time.monotonic() > until:
                            break
                        self._step(connection, chance)
            except Exception as error:
                with self._lock:
                    self.errors.append(f"{type(error).__name__}: {error}")

    def _step(self, connection: thanosql.Connection, chance: random.Random) -> None:
        kind = chance.choices(("query", "ingest", "cancel", "set"), (70, 10, 15, 5))[0]
        getattr(self, f"_{kind}")(connection, chance)
        with self._lock:
            self.done[kind] += 1

    def _query(self, connection: thanosql.Connection, chance: random.Random) -> None:
        with connection.cursor() as cursor:
            cursor.execute(chance.choice(QUERIES)).fetch_arrow_table()

    def _ingest(self, connection: thanosql.Connection, chance: random.Random) -> None:
        count = chance.randint(1, 2_000)
        rows = pa.table({"id": pa.array(range(count)), "text": ["x" * 20] * count})
        with connection.cursor() as cursor:
            stored = cursor.ingest(f"soak_{chance.randint(0, 7)}", rows, mode="append")
        with self._lock:
            self.rows += stored

    def _set(self, connection: thanosql.Connection, chance: random.Random) -> None:
        with connection.cursor() as cursor:
            seconds = chance.randint(60, 600)
            cursor.execute(f"SET statement_timeout = {seconds}")
            cursor.execute("SHOW statement_timeout")
            found = cursor.fetchall()
        if found != [(str(seconds),)]:
            raise ValueError(f"set {seconds}, shown {found}")

    def _cancel(self, connection: thanosql.Connection, chance: random.Random) -> None:
        with connection.cursor() as cursor:
            timer = threading.Timer(chance.uniform(0.05, 0.5), cursor.cancel)
            timer.start()
            try:
                cursor.execute(LONG).fetchall()
            except thanosql.OperationalError as error:
                if error.sqlstate != "57014":
                    raise
            finally:
                timer.cancel()
                timer.join()


@contextlib.contextmanager
def running_server():
    """Serve an empty workspace; yields the process, its location and its token."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--workspace"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, str(Path(folder, "workspace"))],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield (process, *_told(process, log))
        finally:
            process.terminate()
            code = process.wait()
        if code or "Traceback" in log.read_text("utf-8"):
            sys.exit(f"the server ended with {code}:\n{log.read_text('utf-8')[-5000:]}")


def _told(process, log):
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        text = log.read_text("utf-8")
        if token := re.search(r"^token: (\S+)$", text, re.MULTILINE):
            return re.search(r" at (grpc\S+)\n", text)[1], token[1]
        time.sleep(0.05)
    sys.exit(f"the server did not start:\n{log.read_text('utf-8')}")


def status(pid, name):
    """Return a number of /proc/PID/status."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])


def files(pid):
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def at_rest(load, pid):
    """Return (MiB, threads, files, running statements) once nothing changes."""
    gc.collect()
    time.sleep(IDLE_SECONDS)
    known, deadline = None, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with load.connect() as connection, connection.cursor() as cursor:
            rows = cursor.execute("SHOW STATEMENTS").fetchall()
        running = sum(row[2] in ("running", "queued") for row in rows) - 1
        found = status(pid, "VmRSS") // 1024, status(pid, "Threads"), files(pid)
        if running == 0 and known is not None and found[1:] == known[1:]:
            return (*found, running)
        known = found
        time.sleep(2)
    return (*known, running)


def bar(name, value, limit):
    """Print a line of the report and return whether it is as it must be."""
    verdict = "ok" if value <= limit else "short"
    print(f"bar {name}: {value} (limit {limit}) {verdict}", flush=True)
    return value <= limit


def prepare(load):
    """Make the table that is queried, and those that are appended to."""
    with load.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE facts AS SELECT value AS id, value % 97 AS k, "
            "random() AS v FROM generate_series(1, 200000)"
        )
        empty = pa.table({"id": pa.array([], pa.int64()), "text": pa.array([], "str")})
        for number in range(8):
            cursor.ingest(f"soak_{number}", empty, mode="create")


def stored(load):
    """Return how many rows were ingested."""
    tables = " UNION ALL ".join(f"SELECT id FROM soak_{n}" for n in range(8))
    with load.connect() as connection, connection.cursor() as cursor:
        return cursor.execute(f"SELECT count(*) FROM ({tables})").fetchone()[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="16 clients for 10 s")
    quick = parser.parse_args().quick
    clients, seconds = (16, 10.0) if quick else (64, 60.0)
    with running_server() as (process, location, token):
        load = Load(location, token)
        prepare(load)
        load.run(clients, seconds / 2)
        memory, threads, opened, _ = at_rest(load, process.pid)
        print(f"first round: {memory} MiB, {threads} threads, {opened} files")
        load.run(clients, seconds)
        after = at_rest(load, process.pid)
        print(f"second round: {after[0]} MiB, {after[1]} threads, {after[2]} files")
        print(f"done: {load.done}")
        for error in sorted(set(load.errors))[:20]:
            print(f"error: {error}")
        lost = load.rows - stored(load)
    bars = [
        bar("soak-errors", len(load.errors), 0),
        bar("soak-rows-lost", abs(lost), 0),
        bar("soak-memory-mib", after[0], int(memory * MEMORY_TOLERANCE) + SPARE_MIB),
        # Some are kept for each stream of as many as ran at a time, which may be more
        # than in the first round; a leak would be some for each of all statements.
        bar("soak-threads", after[1], threads + clients // 4),
        bar("soak-open-files", after[2], opened + 3 * clients // 4),
        bar("soak-running-statements", after[3], 0),
    ]
    sys.exit(not all(bars))


if __name__ == "__main__":
    main()
