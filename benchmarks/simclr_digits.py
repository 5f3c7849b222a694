"""Does the SimCLR that the server carries know handwriting it has never seen?

    python benchmarks/simclr_digits.py [--train] [--digits N] [--epochs N] [--keep DIR]
                                       [--data DIR]

Judges `tutorial_search_simclr`, or with --train one that is built anew, through the
driver, with the statement that made it: on drawn digits alone, so that nobody's
handwriting is in its weights. The judges are 200 digits drawn with other seeds and, if
--data has them, the 200 test pictures of the real MNIST. For each, precision@4 counts
how many of the four nearest others show the same digit.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import thanosql
import thanosql_server
from thanosql_server.control import Control
from thanosql_server.digits import write_digits
from thanosql_server.ml.model_folder import WEIGHTS
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.ml.simclr_encoder import load

SHIPPED = Path(thanosql_server.__file__).parent / "tutorial_search_simclr"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
TRAIN_SEED, TEST_SEED = 2_000_000, 3_000_000
BARS = {"drawn": 0.95, "mnist": 0.85}
STATEMENT = """BUILD MODEL tutorial_search_simclr
USING SimCLR
OPTIONS (
    image_col="image_path",
    max_epochs={epochs},
    overwrite=True
    )
AS
SELECT *
FROM digits_train"""


def build(workspace, digits, epochs):
    """Draw digits, train on them with the statement, and return the model."""
    write_digits(workspace / "drawn", "drawn", "train", digits, TRAIN_SEED)
    statement, started = STATEMENT.format(epochs=epochs), time.perf_counter()
    print(statement)
    with thanosql.connect(str(workspace)) as connection:
        cursor = connection.cursor()
        cursor.execute("COPY digits_train FROM 'drawn/mnist_train.csv'")
        cursor.execute(statement)
    seconds = time.perf_counter() - started
    print(f"built in {seconds:.0f} s, {digits * epochs / seconds:.0f} digits/s")
    [config] = workspace.glob(".thanosql/models/tutorial_search_simclr/*/config.json")
    halve(config.parent / WEIGHTS)
    return config.parent


def halve(weights):
    """Store the weights in half precision; loading makes them float32 again."""
    halved = {
        name: tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor
        for name, tensor in load_file(weights).items()
    }
    save_file(halved, weights)


def judge(name, encoder, folder, paths, labels):
    """Return precision@4 of the pictures among themselves; print it with kNN@1."""
    arrays = embed_paths(paths, folder.joinpath, encoder, Control())
    flat = np.concatenate([array.flatten().to_numpy() for array in arrays])
    vectors = flat.reshape(len(paths), encoder.dim)
    among = vectors @ vectors.T
    np.fill_diagonal(among, -2)
    nearest = np.argsort(-among, axis=1)[:, :4]
    same = labels[nearest] == labels[:, None]
    print(f"  {name:<8} nearest {same[:, 0].mean():.3f}  precision@4 {same.mean():.3f}")
    return same.mean()


def table(folder):
    """Return paths below `folder` and labels of its test table."""
    with (folder / "mnist_test.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([int(row["label"]) for row in rows])
    return [f"test/{row['filename']}" for row in rows], labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="build the model anew")
    parser.add_argument("--digits", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="copy the model built to this folder")
    parser.add_argument("--data", type=Path, default=DATA, help="MNIST as JPEG files")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace, model = Path(folder), SHIPPED
        if given.train:
            model = build(workspace, given.digits, given.epochs)
        if given.keep:
            shutil.copytree(model, given.keep, dirs_exist_ok=True)
        encoder = load(model)
        drawn = workspace / "judge"
        write_digits(drawn, "judge", "test", 200, TEST_SEED)
        found = {"drawn": judge("drawn", encoder, drawn, *table(drawn))}
        if given.data.is_dir():
            found["mnist"] = judge("mnist", encoder, given.data, *table(given.data))
        megabytes = (model / WEIGHTS).stat().st_size / 1e6
    for name, value in found.items():
        verdict = "ok" if value >= BARS[name] else "short"
        print(f"bar precision@4 on {name}: {value:.3f} (limit {BARS[name]}) {verdict}")
    verdict = "ok" if megabytes <= 2.6 else "short"
    print(f"bar megabytes: {megabytes:.2f} (limit 2.6) {verdict}")


if __name__ == "__main__":
    main()
