"""Memory of a server while a client reads a wide table slowly.

A server of its own process gets a table of 400,000 rows x 512 float32 (820 MB of
vectors; 800,000 rows, 1.6 GB, without --quick), and a client that takes one batch at a
time and rests in between. What the server holds must not grow with what the client has
not taken yet, nor with the table.

    python benchmarks/slow_reader.py [--quick]
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import thanosql

DIM, PART = 512, 20_000
LIMIT_MB = 512
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"


def write_vectors(path, rows):
    random = np.random.default_rng(0)
    schema = pa.schema([("id", pa.int64()), ("e", pa.list_(pa.float32(), DIM))])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, PART):
            numbers = pa.array(random.random(PART * DIM, dtype=np.float32))
            vectors = pa.FixedSizeListArray.from_arrays(numbers, DIM)
            ids = pa.array(np.arange(start, start + PART))
            writer.write_batch(pa.record_batch([ids, vectors], schema=schema))


def memory_mb(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def start_server(workspace, *more):
    token = workspace / "token"
    token.write_text("benchmark")
    options = ["--workspace", str(workspace), "--port", "0", "--token-file", str(token)]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", *options, *more],
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, re.search(r"grpc://\S+", process.stdout.readline())[0]


def measure(cursor, process, rest, expected):
    """Read the table with `rest` seconds between batches; return what was seen."""
    before = highest = memory_mb(process)
    started = time.monotonic()
    rows = 0
    for batch in cursor.execute("SELECT * FROM t").fetch_record_batches():
        rows += batch.num_rows
        highest = max(highest, memory_mb(process))
        time.sleep(rest)
    seconds = time.monotonic() - started
    assert rows == expected, rows
    print(
        f"rest {rest * 1e3:4.0f} ms: {seconds:5.1f} s, server {before:.0f} MB before, "
        f"{highest:.0f} MB at most"
    )
    return highest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    quick = parser.parse_args().quick
    rows, rests = (400_000, [0.0, 0.05]) if quick else (800_000, [0.0, 0.05, 0.2])
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write_vectors(workspace / "vectors.parquet", rows)
        process, location = start_server(workspace)
        try:
            with thanosql.connect(location, token="benchmark") as connection:
                cursor = connection.cursor()
                cursor.execute("COPY t FROM 'vectors.parquet'")
                cursor.execute("SELECT count(*) FROM t").fetchall()
                before = memory_mb(process)
                seen = [measure(cursor, process, rest, rows) for rest in rests]
                grown = max(seen) - before
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    mark = "ok" if grown <= LIMIT_MB else "short"
    print(f"bar server_memory_growth_mb: {grown:.0f} (limit {LIMIT_MB}) {mark}")


if __name__ == "__main__":
    main()
