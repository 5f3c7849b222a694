"""Speed and exactness of a CLIP's image tower in each precision of the CPU.

    python benchmarks/clip_precisions.py [--architecture ViT-B-32-quickgelu]
    python benchmarks/clip_precisions.py --model demo_clip

All precisions take turns in one run, so that whatever else the machine does meets all
of them. The weights are random unless a model is named; cosines are to float32, over
the same pictures. Bars: int8 at 1.9 times float32 with a cosine of at least 0.999,
half precision with a cosine of at least 0.999.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import thanosql_server
from thanosql_server.errors import NotSupported
from thanosql_server.ml.clip_encoder import ClipEncoder, load
from thanosql_server.ml.clip_model import Architecture, save
from thanosql_server.ml.placement import Placement

if TYPE_CHECKING:
    import numpy as np

PRECISIONS = ("fp32", "int8", "fp16", "bf16")


def folder_of(arguments: argparse.Namespace, scratch: Path) -> Path:
    if arguments.model:
        return Path(thanosql_server.__file__).parent / arguments.model
    torch.manual_seed(0)
    architecture = Architecture.named(arguments.architecture)
    save(scratch, architecture, architecture.build(), {})
    return scratch


def pictures(size: int, count: int) -> np.ndarray:
    """Soft patches of colour under noise, as photographs have both."""
    rng = torch.Generator().manual_seed(1)
    coarse = torch.rand((count, 3, 6, 6), generator=rng)
    soft = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")
    noisy = soft + 0.08 * torch.randn((count, 3, size, size), generator=rng)
    return (noisy.clamp(0, 1) * 255).to(torch.uint8).numpy()


def load_all(folder: Path, precisions: list[str]) -> dict[str, ClipEncoder]:
    """Load each encoder twice: the second int8 tower is the kept one."""
    encoders = {}
    for precision in precisions:
        for attempt in ("first", "second"):
            began = time.perf_counter()
            try:
                encoders[precision] = load(
                    folder, placement=Placement("cpu", precision)
                )
            except NotSupported as error:
                print(f"{precision}: {error}")
                break
            seconds = time.perf_counter() - began
            print(f"{precision}: {attempt} load {seconds:.2f} s")
    return encoders


def bar(name: str, value: float, limit: float) -> None:
    verdict = "ok" if value >= limit else "short"
    print(f"bar {name}: {value:.5g} (limit {limit}) {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="ViT-B-32-quickgelu")
    parser.add_argument("--model", help="a model that ships with the server")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    parser.add_argument("--quick", action="store_true", help="fewer pictures, no bf16")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.rounds = 32, 3
        arguments.precisions = [p for p in arguments.precisions if p != "bf16"]
    with tempfile.TemporaryDirectory() as scratch:
        encoders = load_all(folder_of(arguments, Path(scratch)), arguments.precisions)
    pixels = pictures(encoders["fp32"].architecture.image_size, arguments.pictures)
    vectors, seconds = {}, {precision: [] for precision in encoders}
    for number in range(arguments.rounds + 1):
        for precision, encoder in encoders.items():
            began = time.perf_counter()
            vectors[precision] = encoder.encode_images(pixels)
            if number:  # the first round warms up
                seconds[precision].append(time.perf_counter() - began)
    print(f"\n{torch.get_num_threads()} threads, {len(pixels)} pictures per call")
    print("precision  images/s  times fp32  least cosine  mean cosine")
    exact = statistics.median(seconds["fp32"])
    for precision, taken in seconds.items():
        cosine = (vectors[precision] * vectors["fp32"]).sum(1)
        median = statistics.median(taken)
        print(
            f"{precision:9}  {len(pixels) / median:8.1f}  {exact / median:10.2f}"
            f"  {cosine.min():12.6f}  {cosine.mean():11.6f}"
        )
        if precision != "fp32":
            bar(f"{precision} cosine", float(cosine.min()), 0.999)
        if precision == "int8":
            bar("int8 times fp32", exact / median, 1.9)


if __name__ == "__main__":
    main()
