"""TPC-H through Flight, beside DataFusion and DuckDB on the same rows in one run.

A server of its own process gets the eight tables with COPY from Parquet. Each of the 22
queries then goes to it through the driver, to DataFusion in this process over the
Parquet files, and to DuckDB over them and over tables of its own, in turn; the best of
the rounds counts. Our answers must equal DuckDB's.

    pip install tpchgen-cli duckdb
    python benchmarks/tpch.py [--quick] [--scale 1] [--rounds 3] [--data FOLDER]
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import datafusion
import duckdb
from slow_reader import start_server

import thanosql

TABLES = (
    "region", "nation", "supplier", "customer", "part", "partsupp", "orders",
    "lineitem",
)  # fmt: skip
FIXTURE = Path(__file__).parents[1] / "tests" / "unit" / "sql" / "fixtures" / "tpch.sql"
"""The queries with their validation parameters (TPC-H, clause 2.4)."""

_QUERY = re.compile(r"-- query: (\d+)\n(.*?)(?=-- query: |\Z)", re.DOTALL)
QUERIES = {int(one[1]): one[2] for one in _QUERY.finditer(FIXTURE.read_text("utf-8"))}
LIMIT = 1.3
TOLERANCE = 1e-9


def generate(folder, scale):
    """Write the tables as Parquet files, if they are not there."""
    if all((folder / f"{name}.parquet").exists() for name in TABLES):
        return
    command = Path(sys.executable).with_name("tpchgen-cli")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [command, "parquet", "-s", str(scale), f"--output-dir={folder}"], check=True
    )


def of_datafusion(folder):
    """Return what asks DataFusion over the files."""
    context = datafusion.SessionContext()
    for name in TABLES:
        context.register_parquet(name, str(folder / f"{name}.parquet"))
    return lambda text: context.sql(text).to_arrow_table()


def of_duckdb(folder, kind):
    """Return what asks DuckDB, over the files or over tables of its own."""
    threads = len(os.sched_getaffinity(0))
    database = duckdb.connect(config={"threads": threads})
    for name in TABLES:
        path = folder / f"{name}.parquet"
        database.execute(f"CREATE {kind} {name} AS SELECT * FROM '{path}'")
    return lambda text: database.sql(text).to_arrow_table()


def load(cursor, files):
    """Copy the files into tables; return the seconds it took."""
    started = time.perf_counter()
    for name in TABLES:
        cursor.execute(f"COPY {name} FROM '{files}/{name}.parquet'")
    return time.perf_counter() - started


def measure(systems, rounds):
    """Return the best seconds of each system and query, and the last answers."""
    seconds = {name: dict.fromkeys(QUERIES, math.inf) for name in systems}
    answers = {name: {} for name in systems}
    for _ in range(rounds):
        for number, text in QUERIES.items():
            for name, ask in systems.items():
                started = time.perf_counter()
                answers[name][number] = ask(text)
                took = time.perf_counter() - started
                seconds[name][number] = min(seconds[name][number], took)
    return seconds, answers


def differences(ours, theirs):
    """Yield what differs between two answers, in words."""
    left = [tuple(row.values()) for row in ours.to_pylist()]
    right = [tuple(row.values()) for row in theirs.to_pylist()]
    if len(left) != len(right):
        yield f"{len(left)} rows, not {len(right)}"
        return
    for at, (one, other) in enumerate(zip(left, right, strict=True)):
        if not all(map(same, one, other)):
            yield f"row {at}: {one}, not {other}"
            return


def same(one, other):
    """Whether two values are equal, floating-point ones to nine digits.

    DataFusion's average and quotient of decimals are decimals, DuckDB's are not: what
    has fewer decimal places than the other may differ by one in the last of them.
    """
    numbers = (int, float, Decimal)
    if not (isinstance(one, numbers) and isinstance(other, numbers)):
        return one == other
    step = 0.0
    if isinstance(one, Decimal) and isinstance(other, float):
        step = 10.0 ** int(one.as_tuple().exponent)
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=max(step, TOLERANCE))


def show(seconds):
    """Print a line per query and the totals; return these."""
    names = list(seconds)
    print("query " + "".join(f"{name:>22}" for name in names))
    for number in QUERIES:
        row = "".join(f"{seconds[name][number] * 1e3:19.0f} ms" for name in names)
        print(f"q{number:<5}{row}")
    totals = {name: sum(of.values()) for name, of in seconds.items()}
    print("total " + "".join(f"{totals[name]:20.2f} s" for name in names))
    return totals


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="scale 0.1, one round")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="where the files are, or shall be")
    given = parser.parse_args()
    scale, rounds = (0.1, 2) if given.quick else (given.scale, given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        files = (given.data or workspace / "files").resolve()
        generate(files, scale)
        process, location = start_server(workspace, "--allow-path", str(files))
        try:
            with thanosql.connect(location, token="benchmark") as connection:
                cursor = connection.cursor()
                print(f"COPY of the eight tables: {load(cursor, files):.1f} s")
                seconds, answers = measure(
                    {
                        "ours over Flight": lambda text: cursor.execute(
                            text
                        ).fetch_arrow_table(),
                        "DataFusion, Parquet": of_datafusion(files),
                        "DuckDB, Parquet": of_duckdb(files, "VIEW"),
                        "DuckDB, its tables": of_duckdb(files, "TABLE"),
                    },
                    rounds,
                )
        finally:
            process.terminate()
            process.wait(30)
    totals = show(seconds)
    wrong = 0
    for number in QUERIES:
        ours = answers["ours over Flight"][number]
        for text in differences(ours, answers["DuckDB, Parquet"][number]):
            wrong += 1
            print(f"q{number} differs: {text}")
    equal = len(QUERIES) - wrong
    print(
        f"bar tpch_equal: {equal} (limit {len(QUERIES)}) {'short' if wrong else 'ok'}"
    )
    ratio = totals["ours over Flight"] / totals["DataFusion, Parquet"]
    mark = "ok" if ratio <= LIMIT else "short"
    print(f"bar tpch_ours/datafusion: {ratio:.2f} (limit {LIMIT}) {mark}")


if __name__ == "__main__":
    main()
