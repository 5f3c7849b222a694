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

import numpy as np
import torch

import thanosql_server
from thanosql_server.errors import NotSupported
from thanosql_server.ml.clip_encoder import load
from thanosql_server.ml.clip_model import Architecture, save
from thanosql_server.ml.placement import Placement

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="ViT-B-32-quickgelu")
    parser.add_argument("--model", help="a model that ships with the server")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of(arguments, Path(scratch))
        encoders = {}
        for precision in arguments.precisions:
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


if __name__ == "__main__":
    main()
