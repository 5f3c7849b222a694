from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Drawings:
    """A folder of small drawings and the table that names them."""

    folder: Path
    names: list[str]
    kinds: np.ndarray

    def batches(self, size=25):
        for start in range(0, len(self.names), size):
            names = self.names[start : start + size]
            yield pa.record_batch({"image_path": names, "number": range(len(names))})

    def resolve(self, text):
        return self.folder / text


def draw(kind, rng, size=16):
    """One of three grey drawings: a ring, a cross, a bar; moved and turned a little."""
    image = Image.new("L", (4 * size, 4 * size), 0)
    pen = ImageDraw.Draw(image)
    x, y = rng.uniform(1.6, 2.4, 2) * size
    r = rng.uniform(0.9, 1.3) * size
    if kind == 0:
        pen.ellipse([x - r, y - r, x + r, y + r], outline=255, width=7)
    if kind == 1:
        pen.line([x - r, y - r, x + r, y + r], fill=255, width=7)
        pen.line([x - r, y + r, x + r, y - r], fill=255, width=7)
    if kind == 2:
        pen.line([x, y - r, x, y + r], fill=255, width=9)
    turned = image.rotate(rng.uniform(-10, 10))
    return turned.resize((size, size), Image.Resampling.LANCZOS)


@pytest.fixture(scope="session")
def drawings(tmp_path_factory):
    """Ninety drawings, thirty of each kind."""
    folder = tmp_path_factory.mktemp("drawings")
    rng = np.random.default_rng(7)
    kinds = np.arange(90) % 3
    names = [f"{index}.png" for index in range(90)]
    for name, kind in zip(names, kinds, strict=True):
        draw(kind, rng).save(folder / name)
    return Drawings(folder, names, kinds)
