"""What a statement costs on the way: beside ROAPI, ADBC and DataFusion in process.

ROAPI is a Flight SQL server in Rust on DataFusion (flight_requirements.txt, which this
script installs into .venv-bench-flight). Both servers run in processes of their own and
hold the same table of eight columns of 8 bytes, 16 million rows, 1.02 GB (0.13 GB with
--quick): ROAPI in memory, ours as the files of its workspace, which are in the page
cache. All are measured in turns, so that a busy moment of the machine hits all of them.

    python benchmarks/flight.py [--quick]

Latencies are medians of SELECT 1 from its text to its rows, with what a client of that
kind does for it: a new cursor with our driver and ADBC, GetFlightInfo and DoGet with
pyarrow. Our server keeps the row of a query of constants, so there are the latencies
of a text that nobody has sent before, too: SELECT 2, SELECT 3 and so on. The empty
server is flight_floor.py: the least that a Flight server in Python takes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import count, islice, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_flightsql import dbapi as adbc
from pyarrow import flight

import thanosql
from thanosql_proto.any import pack
from thanosql_proto.flight_sql import CommandStatementQuery

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".venv-bench-flight"
TOKEN = "benchmark"
COLUMNS, PART = 8, 1_000_000
CLIENTS = 32
TURNS = 10
"""Turns in a round of latencies: a busy moment of the machine is short."""
BEARER = "adbc.flight.sql.authorization_header"
FLOOR = HERE / "flight_floor.py"
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"


# ---- The data and the servers ------------------------------------------------


def write_table(path, millions):
    numbers = np.random.default_rng(0)
    names = [f"c{n}" for n in range(COLUMNS)]
    schema = pa.schema([(n, pa.float64()) for n in names])
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for _ in range(millions):
            columns = [numbers.random(PART) for _ in names]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def roapi_program():
    program = ENVIRONMENT / "bin" / "roapi"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check", "-r", HERE / "flight_requirements.txt"]
        subprocess.run(pip, check=True)
    return program


@contextmanager
def process(command, **settings):
    running = subprocess.Popen(command, **settings)
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


@contextmanager
def ours(workspace):
    token = workspace / "token"
    token.write_text(TOKEN)
    command = [sys.executable, "-c", SERVE, "serve", "--workspace", str(workspace)]
    command += ["--port", "0", "--token-file", str(token)]
    with process(command, stdout=subprocess.PIPE, text=True) as running:
        location = re.search(r"grpc://\S+", running.stdout.readline())[0]
        with thanosql.connect(location, token=TOKEN) as connection:
            connection.cursor().execute("COPY big FROM 'big.parquet'")
        yield location


@contextmanager
def floor():
    command = [sys.executable, FLOOR]
    with process(command, stdout=subprocess.PIPE, text=True) as running:
        yield re.search(r"grpc://\S+", running.stdout.readline())[0]


@contextmanager
def roapi(table, folder):
    http, sql, postgres = (free_port() for _ in range(3))
    command = [roapi_program(), "-a", f"127.0.0.1:{http}", "-t", f"big={table}"]
    command += ["--addr-flight-sql", f"127.0.0.1:{sql}", "-p", f"127.0.0.1:{postgres}"]
    log = (folder / "roapi.log").open("w")
    with log, process(command, stdout=log, stderr=log):
        location = f"grpc://127.0.0.1:{sql}"
        wait_for(location)
        yield location


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(location):
    deadline = time.monotonic() + 120
    while True:
        try:
            with PyArrow(location) as client:
                return client.one()
        except (pa.ArrowException, flight.FlightError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


# ---- The clients ---------------------------------------------------------------


class PyArrow:
    """A plain Flight client, which knows the one command."""

    def __init__(self, location, token=None):
        self._client = flight.connect(location)
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._options = flight.FlightCallOptions(timeout=600, headers=headers)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._client.close()

    def batches(self, sql):
        descriptor = flight.FlightDescriptor.for_command(
            pack(CommandStatementQuery(query=sql))
        )
        info = self._client.get_flight_info(descriptor, self._options)
        ticket = info.endpoints[0].ticket
        for chunk in self._client.do_get(ticket, self._options):
            if chunk.data is not None:
                yield chunk.data

    def one(self, sql="SELECT 1"):
        return pa.Table.from_batches(self.batches(sql)).to_pylist()


class Dbapi:
    """A driver of PEP 249 that gives Arrow."""

    def __init__(self, connection, fetch):
        self._connection = connection
        self._fetch = fetch

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._connection.close()

    def batches(self, sql):
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            yield from getattr(cursor, self._fetch)()

    def one(self, sql="SELECT 1"):
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


class InProcess:
    """DataFusion without a server, with the table in memory."""

    def __init__(self, table):
        from datafusion import SessionContext

        self._context = SessionContext()
        batches = pq.read_table(table).to_batches(max_chunksize=65_536)
        self._context.register_record_batches("big", [batches])

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._context = None

    def batches(self, sql):
        for batch in self._context.sql(sql).execute_stream():
            yield batch.to_pyarrow()

    def one(self, sql="SELECT 1"):
        return self._context.sql(sql).collect()


def driver(location):
    connection = thanosql.connect(location, token=TOKEN)
    return Dbapi(connection, "fetch_record_batches")


def over_adbc(location, token=None):
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
    connection = adbc.connect(
        location, db_kwargs=options if token else {}, autocommit=True
    )
    return Dbapi(connection, "fetch_record_batch")


# ---- The measurements ------------------------------------------------------------


def shuffled(clients):
    """Return the clients in another order each time: some are busy after their turn."""
    return random.sample(list(clients.items()), len(clients))


def latencies(clients, rounds, calls, texts=None):
    """Return the median of a query in milliseconds, by client, taken in turns."""
    texts = texts or repeat("SELECT 1")
    taken = {name: [] for name in clients}
    for _ in range(rounds * TURNS):
        for name, client in shuffled(clients):
            for sql in islice(texts, calls // TURNS):
                started = time.perf_counter()
                client.one(sql)
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) * 1e3 for name, times in taken.items()}


def rates(clients, rounds, expected):
    """Return the best rate of reading the table in GB/s, by client, in turns."""
    best = dict.fromkeys(clients, 0.0)
    for _ in range(rounds):
        for name, client in shuffled(clients):
            started = time.perf_counter()
            size = sum(batch.nbytes for batch in client.batches("SELECT * FROM big"))
            seconds = time.perf_counter() - started
            assert expected <= size < 1.1 * expected, (name, size)
            best[name] = max(best[name], expected / seconds / 1e9)
    return best


def crowd(connect, seconds):
    """Return the queries per second that many clients get together."""
    barrier = threading.Barrier(CLIENTS + 1)
    counts, failures = [0] * CLIENTS, []

    def work(number):
        try:
            with connect() as client:
                client.one()
                barrier.wait()
                while time.perf_counter() < ends:
                    client.one()
                    counts[number] += 1
        except Exception as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
    ends = time.perf_counter() + 1e9
    for thread in threads:
        thread.start()
    barrier.wait()
    ends = time.perf_counter() + seconds
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / seconds


START = """
import json, re, time
began = time.perf_counter()
{imports}
imported = time.perf_counter()
connection = {connect}
connected = time.perf_counter()
cursor = connection.cursor(); cursor.execute("SELECT 1"); cursor.fetchall()
memory = int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
cursor.close(); connection.close()
times = imported - began, connected - imported
print(json.dumps([*(seconds * 1e3 for seconds in times), memory / 1024]))
"""


START_FORMS = "import {:5.0f} ms", "connect {:5.1f} ms", "memory {:5.0f} MB"


def starts(location, rounds):
    """Return import and connect in milliseconds and memory in MB, by driver."""
    scripts = {
        "our driver": (
            "import thanosql",
            f"thanosql.connect({location!r}, token={TOKEN!r})",
        ),
        "ADBC": (
            "from adbc_driver_flightsql import dbapi",
            f"dbapi.connect({location!r}, db_kwargs="
            f"{{{BEARER!r}: 'Bearer {TOKEN}'}}, autocommit=True)",
        ),
    }
    taken = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, (imports, connect) in scripts.items():
            code = START.format(imports=imports, connect=connect)
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            taken[name].append(json.loads(done.stdout))
    return {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in taken.items()
    }


# ---- The report ------------------------------------------------------------------


def report(title, figures, form):
    print(f"\n{title}")
    for name, figure in figures.items():
        print(f"  {name:24s} {form.format(figure)}")


def bar(name, value, limit, *, at_least=False):
    met = value >= limit if at_least else value <= limit
    print(f"bar {name}: {value:.2f} (limit {limit:.2f}) {'ok' if met else 'short'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    quick = parser.parse_args().quick
    millions, rounds, calls, seconds = (2, 3, 40, 2) if quick else (16, 5, 200, 10)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        folder = Path(folder)
        write_table(folder / "big.parquet", millions)
        here = stack.enter_context(ours(folder))
        there = stack.enter_context(roapi(folder / "big.parquet", folder))
        clients = {
            "our driver": driver(here),
            "pyarrow, our server": PyArrow(here, TOKEN),
            "ADBC, our server": over_adbc(here, TOKEN),
            "pyarrow, ROAPI": PyArrow(there),
            "ADBC, ROAPI": over_adbc(there),
            "DataFusion in process": InProcess(folder / "big.parquet"),
        }
        for client in clients.values():
            stack.enter_context(client).one()
        nothing = stack.enter_context(floor())
        empty = {"pyarrow, empty server": stack.enter_context(PyArrow(nothing))}
        one = latencies(clients | empty, rounds, calls)
        report("SELECT 1", one, "{:8.2f} ms")
        new = (f"SELECT {number}" for number in count(2))
        other = latencies(clients, rounds, calls, new)
        report("SELECT n, each text once", other, "{:8.2f} ms")
        rate = rates(clients, rounds, millions * PART * COLUMNS * 8)
        report(f"{millions} million rows", rate, "{:8.2f} GB/s")
        together = {
            "our driver": crowd(lambda: driver(here), seconds),
            "pyarrow, our server": crowd(lambda: PyArrow(here, TOKEN), seconds),
            "pyarrow, ROAPI": crowd(lambda: PyArrow(there), seconds),
            "pyarrow, empty server": crowd(lambda: PyArrow(nothing), seconds),
        }
        report(f"{CLIENTS} clients", together, "{:8.0f} SELECT 1 per second")
        costs = starts(here, rounds)
        for at, (what, form) in enumerate(
            [
                ("import", "{:8.0f} ms"),
                ("connect", "{:8.1f} ms"),
                ("memory", "{:8.0f} MB"),
            ]
        ):
            report(what, {name: row[at] for name, row in costs.items()}, form)
    print()
    fetch = rate["our driver"] / max(rate["pyarrow, ROAPI"], rate["ADBC, ROAPI"])
    bar("fetch-over-roapi", fetch, 1.0, at_least=True)
    pyarrow = one["pyarrow, our server"] / one["pyarrow, ROAPI"]
    bar("select1-pyarrow-over-roapi", pyarrow, 1.5)
    bar("select1-driver-over-roapi-adbc", one["our driver"] / one["ADBC, ROAPI"], 1.0)


if __name__ == "__main__":
    main()
