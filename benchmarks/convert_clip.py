"""How much of a model's speed is left in CONVERT? ViT-B/32 on drawn photographs.

    python benchmarks/convert_clip.py [--quick] [--pictures N] [--precisions P ...]

Weights are random and written as a model of a workspace by our own code; the pictures
are JPEGs of about 640 pixels. In each round the same pictures go through

- the bare model, on tensors that are ready (the most that is possible),
- a plain open_clip loop over a DataLoader, with no worker and with two,
- our CONVERT through the driver, in every precision asked for,

one after the other. The peers run in processes of their own, once with threads that
spin for a moment before they sleep, as torch comes, and once with threads that sleep at
once: the former is faster on an idle machine, the latter on a busy one. The better of
the two counts. (Threads that spin on and on would take a core from whoever comes
next.) A bar is the median of the rounds' ratios, so that what else the machine does is
in both sides of it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

ARCHITECTURE = "ViT-B-32-quickgelu"
BATCH = 32
BARE, LOOP_0, LOOP_2 = "bare model", "loop, no worker", "loop, 2 workers"
WAITING = (None, "PASSIVE")
SIZES = [(640, 427), (427, 640), (640, 480), (612, 612), (640, 360)]
CONVERT = """CONVERT USING vit
OPTIONS(table_name='{table}', refresh=True{more})
AS SELECT * FROM {table}"""
PREDICTED = """predicted for two idle cores, as ratios of rates:
  float32 / bare model       0.96  a picture takes 68 ms of the cores in the model, and
                                   3 ms in reading, decoding and resizing
  float32 / loop, no worker  1.2   which decodes for 6 ms while the model waits
  float32 / loop, 2 workers  1.1   which decodes beside the model, twice as long
  int8 / loop, no worker     2.1   the model takes half as long"""


# ---- The peers, in a process of their own ------------------------------------


class Photographs:
    def __init__(self, paths, preprocess):
        self.paths, self.preprocess = paths, preprocess

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.preprocess(Image.open(self.paths[index]))


def prepare(wait_policy):
    """Begin a process: how torch's threads wait is read when torch is loaded."""
    global torch, open_clip
    if wait_policy is not None:
        os.environ["OMP_WAIT_POLICY"] = wait_policy
    import open_clip
    import torch


@cache
def peer(weights):
    """Return open_clip's model with these weights, and its preprocessing."""
    from safetensors.torch import load_file

    network = open_clip.create_model(ARCHITECTURE, load_weights=False)
    network.load_state_dict(load_file(weights))
    return network.eval(), open_clip.image_transform(224, is_train=False)


def bare(weights, paths):
    """Return the seconds that the model alone takes, and no vectors."""
    network, _ = peer(weights)
    batches = torch.randn(len(paths), 3, 224, 224).split(BATCH)
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            network.encode_image(batch, normalize=True)
    return time.perf_counter() - started, None


def loop(workers, weights, paths):
    """Return the seconds of a plain loop, and its vectors."""
    network, preprocess = peer(weights)
    started, vectors = time.perf_counter(), []
    loader = torch.utils.data.DataLoader(
        Photographs(paths, preprocess), batch_size=BATCH, num_workers=workers
    )
    with torch.inference_mode():
        vectors = [network.encode_image(batch, normalize=True) for batch in loader]
    return time.perf_counter() - started, torch.cat(vectors).numpy()


# ---- Ours --------------------------------------------------------------------


def write_model(folder):
    """Make a model with random weights in the workspace; return its weights' file."""
    from thanosql_server.config import Config
    from thanosql_server.ml.clip_model import Architecture, save
    from thanosql_server.storage.workspace import Workspace

    workspace = Workspace.open(Config(folder))
    import torch

    torch.manual_seed(0)
    with workspace.models.create("vit") as made:
        architecture = Architecture.named(ARCHITECTURE)
        save(made, architecture, architecture.build(), {})
    workspace.close()
    [weights] = folder.glob(".thanosql/models/vit/*/weights.safetensors")
    return str(weights)


def draw(folder, rounds, count):
    """Write so many photographs for each round: shapes of a low pass, and grain."""
    rng = np.random.default_rng(0)
    for number in range(rounds):
        (folder / f"photos{number}").mkdir()
        for index in range(count):
            width, height = SIZES[index % len(SIZES)]
            coarse = rng.integers(0, 256, (height // 20, width // 20, 3), np.uint8)
            smooth = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
            grain = rng.integers(-12, 13, (height, width, 3))
            pixels = (np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)
            file = folder / f"photos{number}" / f"{index:05}.jpg"
            Image.fromarray(pixels).save(file, quality=85)


def convert(cursor, table, precision):
    """Return the seconds of a CONVERT, and its vectors in the order of the files."""
    more = "" if precision == "float32" else f", precision='{precision}'"
    started = time.perf_counter()
    cursor.execute(CONVERT.format(table=table, more=more))
    rows = cursor.fetch_arrow_table().sort_by("image_path")
    seconds = time.perf_counter() - started
    vectors = rows["vit_clipen"].combine_chunks().flatten().to_numpy()
    return seconds, vectors.reshape(rows.num_rows, -1)


def measure(folder, rounds, count, precisions, quick):
    """Return each side's rate per round, and the least cosine to the plain loop."""
    import thanosql

    ways = WAITING[:1] if quick else WAITING
    weights = write_model(folder)
    rates, cosines = {}, {}
    with (
        thanosql.connect(str(folder)) as connection,
        connection.cursor() as cursor,
        ExitStack() as stack,
    ):
        processes = [stack.enter_context(beginning(way)) for way in ways]

        def peers(work, *arguments):
            """Return the better of two runs, one for each way to wait."""
            ran = [p.submit(work, *arguments).result() for p in processes]
            return min(ran, key=lambda run: run[0])

        def ours(precision):
            return lambda number, _: convert(cursor, f"photos{number}", precision)

        sides = {
            BARE: lambda _, paths: peers(bare, weights, paths),
            LOOP_0: lambda _, paths: peers(loop, 0, weights, paths),
            LOOP_2: lambda _, paths: peers(loop, 2, weights, paths),
        } | {precision: ours(precision) for precision in precisions}
        if quick:
            del sides[LOOP_2]  # its workers take longer to start than all the rest
        for number in range(rounds):
            cursor.execute(f"COPY photos{number} FROM 'photos{number}'")
        cursor.execute("CREATE TABLE first AS SELECT * FROM photos0 LIMIT 4")
        for precision in precisions:  # loads the model
            convert(cursor, "first", precision)
        peers(bare, weights, range(4))
        for number in range(rounds):
            paths = sorted(map(str, (folder / f"photos{number}").iterdir()))
            vectors = {}
            for side, run in sides.items():
                seconds, vectors[side] = run(number, paths)
                rates.setdefault(side, []).append(count / seconds)
            shown = (f"{side} {rate[-1]:.1f}/s" for side, rate in rates.items())
            print(f"round {number + 1}:", "; ".join(shown), flush=True)
            for side in precisions:
                cosine = float((vectors[side] * vectors[LOOP_0]).sum(1).min())
                cosines[side] = min(cosines.get(side, 1.0), cosine)
    return rates, cosines


def beginning(way):
    """Return a process whose torch waits in this way."""
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=prepare, initargs=(way,)
    )


def bar(name, value, limit, digits=2):
    verdict = "ok" if value >= limit else "short"
    print(f"bar {name}: {value:.{digits}f} (limit {limit}) {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer pictures, no workers"
    )
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--precisions", nargs="+", default=["float32", "int8"])
    given = parser.parse_args()
    rounds, count = (1, 96) if given.quick else (5, given.pictures // 5)
    print(PREDICTED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, rounds, count)
        size = sum(p.stat().st_size for p in folder.rglob("*.jpg")) / (rounds * count)
        print(
            f"{rounds} rounds of {count} pictures of {size / 1024:.0f} KB on "
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        rates, cosines = measure(folder, rounds, count, given.precisions, given.quick)
    for side, rate in rates.items():
        print(f"  {side:<16} {statistics.median(rate):7.1f} pictures/s")

    def ratio(ours, theirs):
        pairs = zip(rates[ours], rates[theirs], strict=True)
        return statistics.median(our / their for our, their in pairs)

    if "float32" in given.precisions:
        for side, limit in ((BARE, 0.95), (LOOP_0, 1.0), (LOOP_2, 1.0)):
            if side not in rates:
                continue
            bar(f"float32 / {side}", ratio("float32", side), limit)
        bar("least cosine, float32", cosines["float32"], 0.9999, 6)
    if "int8" in given.precisions:
        bar(f"int8 / {LOOP_0}", ratio("int8", LOOP_0), 2.0)
        bar("least cosine, int8", cosines["int8"], 0.999, 6)


if __name__ == "__main__":
    main()
