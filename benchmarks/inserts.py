"""Single-row INSERTs through the driver, and what the table is like afterwards.

A server of its own process gets 1,000 INSERTs of one row, one after the other (with
--many so many, to see whether they slow down), then with values in the text. The table
is then read beside one with the same rows that were written at once, in turns: at once
after the last INSERT, and when the server has merged what was written.

    python benchmarks/inserts.py [--quick] [--many 5000]

SQLite shows what the same loop costs where a commit is one write of one file: without
a server, and with `synchronous` off, since neither waits for the disk.
"""

from __future__ import annotations

import argparse
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import thanosql

ROWS = 1000
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
INSERT = "INSERT INTO {} VALUES (?, ?, ?)"
SCAN = "SELECT count(*), sum(id), sum(v), max(name) FROM {}"
READ = "SELECT * FROM {}"


def start_server(workspace):
    token = workspace / "token"
    token.write_text("benchmark")
    options = ["--workspace", str(workspace), "--port", "0", "--token-file", str(token)]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, re.search(r"grpc://\S+", process.stdout.readline())[0]


def row(number):
    return [number, f"name {number}", number / 8]


def define(cursor, name):
    cursor.execute(f"CREATE TABLE {name} (id INTEGER, name VARCHAR, v DOUBLE)")


def insert(cursor, name, numbers, literal=False):
    """Insert one row after the other; return how many a second."""
    started = time.perf_counter()
    for number in numbers:
        key, text, value = row(number)
        if literal:
            cursor.execute(f"INSERT INTO {name} VALUES ({key}, '{text}', {value})")
        else:
            cursor.execute(INSERT.format(name), [key, text, value])
    return len(numbers) / (time.perf_counter() - started)


def in_turns(cursor, sql, names, times):
    """Return the median milliseconds of a query over each table."""
    taken = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            started = time.perf_counter()
            cursor.execute(sql.format(name)).fetch_arrow_table()
            taken[name].append(time.perf_counter() - started)
    return [statistics.median(taken[name]) * 1e3 for name in names]


def fragments(workspace, name):
    """Return how many pieces a table is in."""
    import lance

    folder = workspace / ".thanosql" / "tables" / f"{name}.lance"
    return len(lance.dataset(folder).get_fragments())


def sqlite(folder, numbers):
    database = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("CREATE TABLE t (id INTEGER, name VARCHAR, v DOUBLE)")
    started = time.perf_counter()
    for number in numbers:
        database.execute(INSERT.format("t"), row(number))
    rate = len(numbers) / (time.perf_counter() - started)
    database.close()
    return rate


def measure(cursor, workspace, many, times):
    define(cursor, "warm")
    insert(cursor, "warm", range(50))
    define(cursor, "t")
    blocks = []
    for first in range(0, many, ROWS):
        numbers = range(first, min(first + ROWS, many))
        blocks.append(insert(cursor, "t", numbers))
        pieces = fragments(workspace, "t")
        print(f"INSERTs {first:6,} on: {blocks[-1]:4.0f}/s, {pieces} fragments")
    cursor.execute("CREATE TABLE whole AS SELECT * FROM t")
    at_once = {sql: in_turns(cursor, sql, ["t", "whole"], 5) for sql in (SCAN, READ)}
    time.sleep(3)
    settled = {
        sql: in_turns(cursor, sql, ["t", "whole"], times) for sql in (SCAN, READ)
    }
    for when, seen in (("at once", at_once), ("after 3 s", settled)):
        for sql, (small, whole) in seen.items():
            print(f"{when}: {sql:55s} {small:6.2f} ms, written at once {whole:6.2f}")
    print(f"fragments then: {fragments(workspace, 't')}")
    define(cursor, "texts")
    literal = insert(cursor, "texts", range(min(many, ROWS)), literal=True)
    print(f"with values in the text: {literal:.0f}/s")
    print(f"SQLite in process: {sqlite(workspace, range(ROWS)):.0f}/s")
    return blocks, max(small / whole for small, whole in settled.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    parser.add_argument("--many", type=int, default=ROWS, help="INSERTs (1,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        process, location = start_server(workspace)
        try:
            with thanosql.connect(location, token="benchmark") as connection:
                times = 15 if options.quick else 60
                cursor = connection.cursor()
                blocks, ratio = measure(cursor, workspace, options.many, times)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    slowest = min(blocks)
    print(
        f"bar single_row_inserts_per_second: {slowest:.0f} (limit 200) "
        f"{'ok' if slowest >= 200 else 'short'}"
    )
    print(
        f"bar scan_after_inserts_ratio: {ratio:.2f} (limit 1.3) "
        f"{'ok' if ratio <= 1.3 else 'short'}"
    )


if __name__ == "__main__":
    main()
