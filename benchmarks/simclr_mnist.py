"""How good are SimCLR's defaults, and how fast? Against raw pixels and lightly.

    python benchmarks/simclr_mnist.py [--quick] [--data DIR]

Trains on 1,000 pictures of the real MNIST without their labels and judges on 200
others: kNN@1 (the nearest training picture has the same label) and precision@4 (how
many of the four nearest test pictures have). lightly's SimCLR gets the same pictures
and the same number of seconds, in the same process. Then the same question on colour
pictures, where the automatic choice of augmentation must not be worse than another one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import simclr_pictures as sets

from thanosql_server.control import Control
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.ml.simclr import train
from thanosql_server.ml.simclr_encoder import Architecture, SimCLREncoder, load
from thanosql_server.ml.simclr_options import SimCLROptions

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    name: str
    knn: float
    precision: float
    seconds: float = 0.0
    speed: float = 0.0
    cpu: float = 0.0

    def show(self):
        timing = "".ljust(30)
        if self.seconds:
            timing = f"{self.seconds:6.1f} s {self.cpu:6.1f} cpu-s {self.speed:6.0f} /s"
        print(f"  {self.name:<34}{timing:<32}{self.knn:6.3f}{self.precision:8.3f}")
        return self


def head(title):
    print(f"\n{title}")
    print(f"  {'':<34}{'training':<32}{'kNN@1':>6}{'prec@4':>8}")


def judge(name, train_set, test_set, embed, **timing):
    """Measure the embeddings that `embed` gives to both sets."""
    known, asked = embed(train_set), embed(test_set)
    found = train_set.labels[(asked @ known.T).argmax(1)]
    among = asked @ asked.T
    np.fill_diagonal(among, -2)
    four = np.argsort(-among, axis=1)[:, :4]
    precision = (test_set.labels[four] == test_set.labels[:, None]).mean()
    knn = (found == test_set.labels).mean()
    return Line(name, float(knn), float(precision), **timing).show()


def raw_pixels(pictures):
    rows = [
        np.asarray(image.convert("RGB").resize((28, 28)), dtype=np.float32).ravel()
        for image in pictures.images()
    ]
    rows = np.stack(rows)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def encoder_of(encoder):
    def embed(pictures):
        arrays = embed_paths(
            pictures.names, pictures.folder.joinpath, encoder, Control()
        )
        flat = np.concatenate([array.flatten().to_numpy() for array in arrays])
        return flat.reshape(len(pictures), encoder.dim)

    return embed


def untrained(train_set, test_set, channels, size):
    import torch

    torch.manual_seed(0)
    architecture = Architecture(SimCLROptions().backbone, channels, size)
    encoder = SimCLREncoder(architecture, architecture.build())
    return judge("untrained network", train_set, test_set, encoder_of(encoder))


def ours(name, train_set, test_set, **options):
    """Train with the defaults (but for `options`), load what was written, judge it."""
    batch = pa.record_batch({"image_path": train_set.names})
    with tempfile.TemporaryDirectory() as folder:
        cpu = time.process_time()
        metrics = train(
            [batch],
            train_set.folder.joinpath,
            SimCLROptions(**options),
            Path(folder),
            Control(),
        )
        cpu = time.process_time() - cpu
        encoder = load(Path(folder))
    speed = np.mean([epoch["images_per_second"] for epoch in metrics["epochs"]])
    return judge(
        f"{name} ({metrics['augmentation']})",
        train_set,
        test_set,
        encoder_of(encoder),
        seconds=metrics["seconds"],
        speed=float(speed),
        cpu=cpu,
    )


def lightly(train_set, test_set, seconds):
    import simclr_lightly  # it imports torch, which thanosql_server.ml must do first

    cpu = time.process_time()
    backbone, epochs, speed = simclr_lightly.train(train_set, seconds)
    return judge(
        f"lightly's SimCLR, {epochs:.1f} epochs",
        train_set,
        test_set,
        lambda pictures: simclr_lightly.embed(backbone, pictures),
        seconds=seconds,
        speed=speed,
        cpu=time.process_time() - cpu,
    )


def digits(data, scratch, quick):
    """The main question; returns its bars as (name, value, limit, at_least)."""
    if (data / "mnist_train.csv").exists():
        kind, train_set, test_set = "MNIST", *(sets.mnist(data, p) for p in PARTS)
    else:
        rng = np.random.default_rng(0)
        kind = f"drawn digits ({data} holds no MNIST: the bars are not for these)"
        train_set = sets.save(scratch / "train", sets.drawn_digits(rng, 1000))
        test_set = sets.save(scratch / "test", sets.drawn_digits(rng, 200))
    head(f"{kind}: {len(train_set)} pictures to learn, {len(test_set)} to judge")
    judge("raw pixels", train_set, test_set, raw_pixels)
    untrained(train_set, test_set, 1, 28)
    runs = {
        epochs: ours(
            f"ThanoSQL, {epochs} epochs", train_set, test_set, max_epochs=epochs
        )
        for epochs in ((5, 8) if quick else (1, 5, 20))
    }
    five, most = runs[5], runs[max(runs)]
    equal = five if quick else most
    other = lightly(train_set, test_set, equal.seconds)
    return [
        ("knn_after_5_epochs", five.knn, 0.90, True),
        (f"knn_after_{max(runs)}_epochs", most.knn, 0.92, True),
        (f"precision4_after_{max(runs)}_epochs", most.precision, 0.86, True),
        (f"seconds_for_{max(runs)}_epochs", most.seconds, 45.0, False),
        ("knn_ahead_of_lightly_at_equal_time", equal.knn - other.knn, 0.05, True),
        (
            "precision4_ahead_of_lightly_at_equal_time",
            equal.precision - other.precision,
            0.15,
            True,
        ),
    ]


def colours(scratch, quick):
    """Whether the automatic choice is right for colour pictures too."""
    makers = {"crops of two photographs": sets.photo_crops}
    if not quick:
        makers["drawn colour scenes"] = sets.colour_scenes
    bars = []
    for kind, make in makers.items():
        rng = np.random.default_rng(0)
        name, judged = make.__name__, 160 if quick else 300
        count, size, epochs = (240, 32, 8) if quick else (800, 40, 10)
        train_set = sets.save(scratch / f"{name}_train", make(rng, count))
        test_set = sets.save(scratch / f"{name}_test", make(rng, judged))
        head(f"{kind}: {count} pictures to learn, {judged} to judge, {size} pixels")
        judge("raw pixels", train_set, test_set, raw_pixels)
        plain = untrained(train_set, test_set, 3, size)
        runs = {
            augmentation: ours(
                f"ThanoSQL, {epochs} epochs",
                train_set,
                test_set,
                max_epochs=epochs,
                image_size=size,
                augmentation=augmentation,
            )
            for augmentation in (("auto",) if quick else ("auto", "digits"))
        }
        chosen = runs["auto"].knn
        bars.append((f"{name}_knn_above_untrained", chosen - plain.knn, 0.0, True))
        if not quick:
            ahead = chosen - runs["digits"].knn
            bars.append((f"{name}_knn_above_digit_recipe", ahead, 0.0, True))
    return bars


PARTS = ("train", "test")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the MNIST")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")  # lightly's and torchvision's, not ours
    with tempfile.TemporaryDirectory() as scratch:
        bars = digits(chosen.data, Path(scratch) / "digits", chosen.quick)
        bars += colours(Path(scratch), chosen.quick)
    print()
    for name, value, limit, at_least in bars:
        met = value >= limit if at_least else value <= limit
        print(f"bar {name}: {value:.3f} (limit {limit}) {'ok' if met else 'short'}")


if __name__ == "__main__":
    main()
