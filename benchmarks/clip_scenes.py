"""Does text find pictures after BUILD MODEL ... USING CLIP? On drawn scenes.

    python benchmarks/clip_scenes.py [--train] [--pairs N] [--epochs N] [--keep DIR]

Judges the demo model that the server carries, or with --train one that is built anew,
through the driver, with the statement that made the demo model. The 1,000 scenes it is
judged on show combinations of colours, shapes and places that no training picture
shows: for each caption the 1,000 pictures are ranked, and recall@k counts the captions
whose picture is among the first k.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

import thanosql
import thanosql_server
from thanosql_server.control import Control
from thanosql_server.ml.clip_encoder import load
from thanosql_server.ml.clip_options import ClipOptions
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.scenes import held_out_scenes, training_scenes, write_scenes

DEMO = Path(thanosql_server.__file__).parent / "demo_clip"
TEST_SEED = 1_000_000
BARS = {"recall@1": 0.80, "recall@5": 0.95}
STATEMENT = """BUILD MODEL demo_clip
USING CLIP
OPTIONS (
    image_col="image_path",
    text_col="photo_description",
    max_epochs={epochs},
    overwrite=True
    )
AS
SELECT *
FROM scenes_train"""


def build(workspace, pairs, epochs):
    """Draw the pairs, train on them with the statement, and return the model."""
    started = time.perf_counter()
    write_scenes(workspace, ".", "scenes_train", training_scenes(pairs))
    print(f"{pairs} pairs drawn in {time.perf_counter() - started:.0f} s")
    statement, started = STATEMENT.format(epochs=epochs), time.perf_counter()
    print(statement)
    with thanosql.connect(str(workspace)) as connection:
        cursor = connection.cursor()
        cursor.execute("COPY scenes_train FROM 'scenes_train.csv'")
        cursor.execute(statement)
    seconds = time.perf_counter() - started
    print(f"built in {seconds:.0f} s, {pairs * epochs / seconds:.0f} pairs/s")
    [config] = workspace.glob(".thanosql/models/demo_clip/*/config.json")
    return config.parent


def judge(model, workspace):
    """Rank the held-out pictures for each of their captions; print recall and bars."""
    write_scenes(workspace, ".", "scenes_test", held_out_scenes(), TEST_SEED)
    with (workspace / "scenes_test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    encoder = load(model)
    paths = [row["image_path"] for row in rows]
    arrays = embed_paths(paths, workspace.joinpath, encoder, Control())
    flat = np.concatenate([array.flatten().to_numpy() for array in arrays])
    images = flat.reshape(len(rows), encoder.dim)
    recall = {}
    for column in ("photo_description", "ai_description"):
        texts = encoder.encode_texts([row[column] for row in rows])
        scores = texts @ images.T
        rank = (scores > scores.diagonal()[:, None]).sum(1)
        line = {f"recall@{k}": float((rank < k).mean()) for k in (1, 5, 10)}
        print(f"  {column:<20}", *(f"{k} {v:.3f}" for k, v in line.items()))
        recall = recall or line
    return recall


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="build the model anew")
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=ClipOptions().max_epochs)
    parser.add_argument("--keep", type=Path, help="copy the model built to this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace, model = Path(folder), DEMO
        if given.train:
            model = build(workspace, given.pairs, given.epochs)
        if given.keep:
            shutil.copytree(model, given.keep, dirs_exist_ok=True)
        recall = judge(model, workspace)
        megabytes = (model / "weights.safetensors").stat().st_size / 1e6
    for name, limit in BARS.items():
        verdict = "ok" if recall[name] >= limit else "short"
        print(f"bar {name}: {recall[name]:.3f} (limit {limit}) {verdict}")
    verdict = "ok" if megabytes <= 8 else "short"
    print(f"bar megabytes: {megabytes:.2f} (limit 8) {verdict}")


if __name__ == "__main__":
    main()
