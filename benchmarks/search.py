"""Exact top-10 by similarity: ours, in SQL, beside numpy and other systems.

    python benchmarks/search.py [--quick] [--sizes N,...] [--peers NAME,...]
                                [--venv DIR] [--rounds N] [--results FILE]
                                [--chart] [--report] [--no-hnsw]

N clustered unit vectors of 512 numbers and an ordinary id and category are stored; the
queries are texts of a CLIP model of that width, some vectors lie around each of them.
Ours is measured where it searches (`Nearest.find`), inside the engine (`Engine.plan`
and `run`), and through `cursor.execute` over Flight, with a server in a process of its
own. numpy is matmul and argpartition on two threads. The other systems run one after
another in an environment of their own (search_requirements.txt, which this script
installs there); pgvector needs PGVECTOR, a libpq address of a server that has it. All
in one run: the ratios count, not the milliseconds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from search_report import bars, keep, kept, show, summarised

import thanosql
import thanosql_server
from thanosql_server.config import Config
from thanosql_server.control import Control
from thanosql_server.engine.engine import Engine
from thanosql_server.ml.clip_encoder import load
from thanosql_server.ml.clip_model import Architecture, open_folder, save
from thanosql_server.scenes import held_out_scenes
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.nearest import Nearest, Search
from thanosql_server.search.resident import Residents
from thanosql_server.storage.workspace import Workspace

DIM, K, THREADS, MANY = 512, 10, 2, 64
CENTRES, SPREAD, CATEGORIES, PART = 1000, 0.6, 1000, 50_000
FULL, QUICK = (25_000, 250_000, 1_000_000), (10_000, 25_000)
PEERS = ("faiss", "duckdb", "lancedb", "sqlite-vec", "chdb", "pgvector")
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
HERE = Path(__file__).parent
SQL = (
    "SELECT id, m_clipen_similarity1 FROM (SEARCH IMAGE text='{text}' USING m AS "
    "SELECT * FROM t{where}) ORDER BY m_clipen_similarity1 DESC LIMIT " + str(K)
)


def wide_model(folder):
    """Write the demo's CLIP with its texts turned into a space of 512 numbers.

    The map keeps angles, so that texts stay as far apart as the demo's are.
    """
    demo = Path(thanosql_server.__file__).parent / "demo_clip"
    architecture, network = open_folder(demo)
    model = architecture.model | {"embed_dim": DIM}
    wide = Architecture(model, architecture.preprocess, None, architecture.merges)
    torch.manual_seed(0)
    target = wide.build()
    weights = target.state_dict()
    for name, value in network.state_dict().items():
        if name in weights and weights[name].shape == value.shape:
            weights[name] = value
    turn = torch.linalg.qr(torch.randn(DIM, architecture.dim)).Q.T
    weights["text_projection"] = network.text_projection.detach() @ turn
    target.load_state_dict(weights)
    (folder / architecture.merges).write_bytes(
        (demo / architecture.merges).read_bytes()
    )
    save(folder, wide, target, {"benchmark": True})


def vectors(rows, queries, file):
    """Write clustered unit vectors to a .npy file and return it mapped."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, DIM), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    centres[: len(queries)] = queries
    shape = (rows, DIM)
    made = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, rows, PART):
        count = min(PART, rows - start)
        noise = random.standard_normal((count, DIM), dtype=np.float32)
        part = centres[random.integers(0, CENTRES, count)]
        part += noise * np.float32(SPREAD / np.sqrt(DIM))
        part /= np.linalg.norm(part, axis=1, keepdims=True)
        made[start : start + count] = part
    return made


def store(workspace, matrix):
    fields = [("id", pa.int64()), ("cat", pa.int64())]
    schema = pa.schema([*fields, ("m_clipen", pa.list_(pa.float32(), DIM))])

    def batches():
        for start in range(0, len(matrix), 8192):
            part = matrix[start : start + 8192]
            ids = np.arange(start, start + len(part))
            flat = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), DIM)
            columns = [pa.array(ids), pa.array(ids * 7919 % CATEGORIES), flat]
            yield pa.record_batch(columns, schema=schema)

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    workspace.tables.create("t", reader)


def timed(search, queries, rounds):
    """Return milliseconds of each of `rounds` searches, and what they found."""
    search(queries[0])
    taken, found = [], []
    for number in range(rounds):
        query = queries[number % len(queries)]
        started = time.perf_counter()
        ids = search(query)
        taken.append((time.perf_counter() - started) * 1e3)
        found.append([int(row) for row in ids])
    return {"ms": taken, "ids": found}


def exact(matrix, queries):
    """The best rows of each query in float64, ties by row."""
    scores = np.concatenate(
        [part.astype("f8") @ queries.T.astype("f8") for part in pieces(matrix)]
    )
    return [np.argsort(-column, kind="stable")[:K].tolist() for column in scores.T]


def pieces(matrix):
    for start in range(0, len(matrix), PART):
        yield matrix[start : start + PART]


def with_numpy(matrix, query):
    scores = matrix @ query
    best = np.argpartition(-scores, K)[:K]
    return best[np.argsort(-scores[best])]


def of_the_core(nearest, table, filter, query):
    search = Search(table, "m_clipen", query[None], K, filter)
    (found,) = nearest.find(search, Control())
    return found.ids  # one fragment: the place in it is the id


def of_the_engine(engine, where, text):
    plan = engine.plan(SQL.format(text=text, where=where))
    rows = [batch for batch in plan.run(Control()) if batch is not None]
    return pa.Table.from_batches(rows, plan.schema)["id"].to_pylist()


def of_a_cursor(cursor, where, text):
    rows = cursor.execute(SQL.format(text=text, where=where)).fetchall()
    return [row[0] for row in rows]


FILTERS = {
    "": (None, ""),
    ", 50 % kept": (pc.field("cat") < 500, " WHERE cat < 500"),
    ", 5 % kept": (pc.field("cat") < 50, " WHERE cat < 50"),
    ", 0.1 % kept": (pc.field("cat") < 1, " WHERE cat < 1"),
}


def in_process(folder, matrix, queries, texts, rounds):
    """Measure numpy and ours in this process; return figures by name."""
    figures = {}
    loaded = np.array(matrix)
    figures["numpy, 2 threads"] = timed(partial(with_numpy, loaded), queries, rounds)
    workspace = Workspace.open(Config(workspace=folder))
    table = workspace.tables.open("t")
    product, control = Int8Product(THREADS), Control()
    plain, nearest = (
        Nearest(Residents(0), product),
        Nearest(Residents(8 << 30, THREADS), product),
    )
    search = Search(table, "m_clipen", queries[:1], K)
    nearest.path(table, "m_clipen", DIM)  # imports numkong
    for name, one in (("full scan", plain), ("first search", nearest)):
        started = time.perf_counter()
        (found,) = one.find(search, control)
        took = (time.perf_counter() - started) * 1e3
        figures[f"ours, {name}"] = {"ms": [took], "ids": [found.rows()]}
    for name, (filter, _) in FILTERS.items():
        run = partial(of_the_core, nearest, table, filter)
        figures[f"ours, search alone{name}"] = timed(run, queries, rounds)
    many = Search(table, "m_clipen", asked(loaded), K)
    taken = []
    for _ in range(max(2, rounds // 5)):
        started = time.perf_counter()
        nearest.find(many, control)
        taken.append((time.perf_counter() - started) * 1e3 / len(many.queries))
    figures[f"ours, {MANY} at once, each"] = {"ms": taken, "ids": []}
    workspace.close()
    engine = Engine(Config(workspace=folder, threads=THREADS))
    for text in texts:
        of_the_engine(engine, " LIMIT 0", text)  # embeds the text
    for name, (_, where) in FILTERS.items():
        run = partial(of_the_engine, engine, where)
        figures[f"ours, in the engine{name}"] = timed(run, texts, rounds)
    engine.close()
    # Others use the machine, too: the same once more, to see by how much it varies.
    figures["numpy, again"] = timed(partial(with_numpy, loaded), queries, rounds)
    return figures


def asked(matrix):
    """Return queries as search_many has them: rows of the table, slightly moved."""
    random = np.random.default_rng(1)
    moved = matrix[:: len(matrix) // MANY][:MANY]
    return moved + random.standard_normal(moved.shape, np.float32) * np.float32(0.02)


def over_flight(folder, texts, rounds):
    """Measure ours through a server; return figures, and its memory in MB."""
    token = folder / "token"
    token.write_text("benchmark")
    options = ["--workspace", str(folder), "--port", "0", "--token-file", str(token)]
    command = [sys.executable, "-c", SERVE, "serve", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        location = re.search(r"grpc://\S+", process.stdout.readline())[0]
        figures = {}
        with thanosql.connect(location, token="benchmark") as connection:
            cursor = connection.cursor()
            for text in texts:
                of_a_cursor(cursor, " LIMIT 0", text)
            # Searches a little and in the plain way, so that only the codes are new.
            of_a_cursor(cursor, " WHERE cat < 1", texts[0])
            before = memory_mb(process)
            for name, (_, where) in FILTERS.items():
                run = partial(of_a_cursor, cursor, where)
                figures[f"ours, over Flight{name}"] = timed(run, texts, rounds)
            return figures, memory_mb(process) - before
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def memory_mb(process):
    """Memory of a process that is its own: mapped files do not count."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024


def with_peers(names, python, files, rounds, folder):
    """Measure the other systems; return figures, or why there are none, by name."""
    figures = {}
    for name in names:
        if isinstance(python, str):
            figures[name] = python
            continue
        with tempfile.TemporaryDirectory(dir=folder) as own:
            run = subprocess.run(
                [python, HERE / "search_peers.py", name, *files, str(rounds), own],
                capture_output=True,
                text=True,
            )
        figures[name] = (
            json.loads(run.stdout.splitlines()[-1])
            if run.returncode == 0
            else run.stderr.strip().splitlines()[-1]
        )
    return figures


def environment(folder):
    """Return a Python with the other systems, or why there is none."""
    python = folder / "bin" / "python"
    if python.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [python, "-m", "pip", "install", "--quiet"]
    install += ["-r", HERE / "search_requirements.txt"]
    run = subprocess.run(install, capture_output=True, text=True)
    return python if run.returncode == 0 else run.stderr.strip().splitlines()[-1]


def measure(rows, options, folder):
    """Measure everything at one size; return figures and the server's memory in MB."""
    workspace = Workspace.open(Config(workspace=folder / "w"))
    with workspace.models.create("m") as staged:
        wide_model(staged)
    texts = [scene.caption() for scene in held_out_scenes(20)]
    queries = load(workspace.models.open("m").folder).encode_texts(texts)
    files = folder / "vectors.npy", folder / "queries.npy"
    matrix = vectors(rows, queries, files[0])
    np.save(files[1], queries)
    store(workspace, matrix)
    workspace.close()
    truth = exact(matrix, queries)
    rounds = options.rounds
    figures = in_process(folder / "w", matrix, queries, texts, rounds)
    flight, memory = over_flight(folder / "w", texts, rounds)
    figures |= flight
    few = min(rounds, 7 if rows > 100_000 else rounds)
    figures |= with_peers(options.peers, options.python, files, few, folder)
    result = {"figures": summarised(figures, truth), "memory_mb": memory}
    for name in ("search alone", "in the engine", "over Flight"):
        assert result["figures"][f"ours, {name}"]["recall"] == 1, name
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 and 25,000 rows")
    parser.add_argument("--sizes", help="numbers of rows, with commas")
    parser.add_argument("--peers", help=f"of {','.join(PEERS)}; all without --quick")
    parser.add_argument("--venv", type=Path, help="keep the others' environment here")
    parser.add_argument("--rounds", type=int, default=25, help="searches each")
    parser.add_argument("--results", type=Path, help="keep the figures here, as JSON")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--chart", action="store_true", help="draw docs/search.png")
    parser.add_argument("--no-hnsw", action="store_true", help="skip search_hnsw.py")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    if options.sizes:
        sizes = tuple(int(size) for size in options.sizes.split(","))
    default = ("faiss", "duckdb") if options.quick and options.venv else PEERS
    default = () if options.quick and not options.venv else default
    options.peers = default if options.peers is None else options.peers.split(",")
    results = kept(options.results)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        needed = options.chart or (options.peers and not options.report)
        options.python = environment(options.venv or home / "venv") if needed else None
        for rows in () if options.report else sizes:
            folder = home / str(rows)
            folder.mkdir()
            results[str(rows)] = measure(rows, options, folder)
            keep(results, options.results)
            show(rows, results[str(rows)])
            shutil.rmtree(folder)
        if options.chart:
            draw(results, options.python, home / "results.json")
    held = bars(results)
    hnsw = HERE / "search_hnsw.py"
    if hnsw.exists() and not options.report and not options.no_hnsw:
        quick = ["--quick"] if options.quick else []
        held &= subprocess.run([sys.executable, hnsw, *quick]).returncode == 0
    sys.exit(0 if held else 1)


def draw(results, python, file):
    """Draw the chart in the environment that has matplotlib."""
    if isinstance(python, str):
        sys.exit(f"no chart: {python}")
    keep(results, file)
    chart = HERE.parent / "docs" / "search.png"
    subprocess.run([python, HERE / "search_chart.py", file, chart], check=True)


if __name__ == "__main__":
    main()
