"""Picture sets with labels for the SimCLR benchmark; the labels only judge."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class PictureSet:
    """Files of a folder with a label each."""

    folder: Path
    names: list[str]
    labels: np.ndarray

    def __len__(self):
        return len(self.names)

    def images(self):
        for name in self.names:
            with Image.open(self.folder / name) as image:
                yield image.copy()


def mnist(folder, part):
    """`train` (1,000) or `test` (200) pictures of the real MNIST."""
    with (folder / f"mnist_{part}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"{part}/{row['filename']}" for row in rows]
    return PictureSet(folder, names, np.array([int(row["label"]) for row in rows]))


def save(folder, drawn):
    """Write drawn (picture, label) pairs as PNG files."""
    folder.mkdir(parents=True)
    names, labels = [], []
    for index, (picture, label) in enumerate(drawn):
        names.append(f"{index}.png")
        labels.append(label)
        picture.save(folder / names[-1])
    return PictureSet(folder, names, np.array(labels))


def drawn_digits(rng, count, side=28):
    """Digits of Pillow's own font, slanted, moved and stretched; a stand-in only."""
    for index in range(count):
        image = Image.new("L", (4 * side, 4 * side))
        font = ImageFont.load_default(size=int(rng.uniform(2.4, 3.4) * side))
        x, y = rng.uniform(-0.3, 0.3, 2) * side + 2 * side
        pen = ImageDraw.Draw(image)
        width = int(rng.integers(0, 5))
        pen.text(
            (x, y), str(index % 10), 255, font=font, anchor="mm", stroke_width=width
        )
        turned = image.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC)
        slant = rng.uniform(-0.3, 0.3)
        data = (1, slant, -slant * 2 * side, 0, 1, 0)
        turned = turned.transform(image.size, Image.Transform.AFFINE, data)
        yield turned.resize((side, side), Image.Resampling.LANCZOS), index % 10


def photo_crops(rng, count, side=96):
    """Crops of two photographs (scikit-learn's), in changing light.

    A label is one of 20 places in one of the two photographs.
    """
    from sklearn.datasets import load_sample_images

    photos = load_sample_images().images
    for _ in range(count):
        which, row, column = rng.integers(2), rng.integers(4), rng.integers(5)
        photo = photos[which]
        height, width, _ = photo.shape
        size = int(rng.uniform(0.75, 1.25) * side)
        y = (row + 0.5 + rng.uniform(-0.25, 0.25)) * height / 4 - size / 2
        x = (column + 0.5 + rng.uniform(-0.25, 0.25)) * width / 5 - size / 2
        y, x = int(np.clip(y, 0, height - size)), int(np.clip(x, 0, width - size))
        light = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
        cut = (photo[y : y + size, x : x + size] * light).clip(0, 255)
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
        yield Image.fromarray(cut.astype(np.uint8)), which * 20 + row * 5 + column


PAINTS = ((220, 40, 40), (40, 160, 60), (50, 80, 220), (230, 200, 40), (150, 60, 180))


def colour_scenes(rng, count, side=96):
    """A large shape among small boxes; a label is a shape (of 5) in a paint (of 5)."""
    for _ in range(count):
        paper = _colour(rng, 120)
        image = Image.new("RGB", (2 * side, 2 * side), paper)
        pen = ImageDraw.Draw(image)
        for _ in range(rng.integers(2, 6)):
            x, y = (int(v) for v in rng.integers(0, 2 * side, 2))
            r = int(rng.integers(8, 24))
            pen.rectangle([x, y, x + r, y + r // 2], fill=_colour(rng, 0))
        shape, paint = int(rng.integers(5)), int(rng.integers(5))
        varied = np.array(PAINTS[paint]) + rng.integers(-25, 26, 3)
        fill = tuple(int(v) for v in varied.clip(0, 255))
        r = int(rng.integers(32, 60))
        x, y = (int(v) for v in rng.integers(r, 2 * side - r, 2))
        _shape(pen, shape, (x, y, r), fill, paper)
        small = np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))
        noisy = small + rng.normal(0, 8, small.shape)
        yield Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), 5 * shape + paint


def _colour(rng, darkest):
    return tuple(int(v) for v in rng.integers(darkest, 256, 3))


def _shape(pen, shape, place, fill, paper):
    x, y, r = place
    box = [x - r, y - r, x + r, y + r]
    if shape in (0, 4):
        pen.ellipse(box, fill=fill)
    if shape == 1:
        pen.rectangle(box, fill=fill)
    if shape == 2:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=fill)
    if shape == 3:
        pen.rectangle([x - r, y - r // 3, x + r, y + r // 3], fill=fill)
        pen.rectangle([x - r // 3, y - r, x + r // 3, y + r], fill=fill)
    if shape == 4:
        pen.ellipse([x - r // 2, y - r // 2, x + r // 2, y + r // 2], fill=paper)
