"""Draws handwritten-looking digits: the pictures of the demo, made where it runs.

Every picture follows from its seed alone: a digit as pen strokes or in a typeface, with
its own slant, size, pen width, place, blur and noise, white on black like MNIST.
"""

from __future__ import annotations

import csv
import math
import random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

    Point = tuple[float, float]
    Stroke = list[Point]

SIDE = 28
_SCALE = 6  # drawn larger and scaled down, which smooths the edges
_SEGMENTS = 24


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Return points of an ellipse's arc; angles in turns, clockwise from the right."""
    turns = [start + (end - start) * i / _SEGMENTS for i in range(_SEGMENTS + 1)]
    return [
        (x + rx * math.cos(math.tau * t), y + ry * math.sin(math.tau * t))
        for t in turns
    ]


# Pen strokes in a box from (-0.5, -0.5), top left, to (0.5, 0.5).
_STROKES: dict[int, list[Stroke]] = {
    0: [_arc(0, 0, 0.32, 0.5, 0, 1)],
    1: [[(-0.18, -0.3), (0.05, -0.5), (0.05, 0.5)]],
    2: [[*_arc(0, -0.23, 0.3, 0.27, 0.5, 1.1), (-0.32, 0.5), (0.34, 0.5)]],
    3: [
        _arc(-0.04, -0.25, 0.3, 0.25, 0.55, 1.25),
        _arc(-0.04, 0.25, 0.34, 0.25, 0.75, 1.45),
    ],
    4: [[(0.1, -0.5), (-0.34, 0.15), (0.36, 0.15)], [(0.16, -0.2), (0.16, 0.5)]],
    5: [
        [
            (0.3, -0.5),
            (-0.24, -0.5),
            (-0.28, -0.06),
            *_arc(0, 0.18, 0.32, 0.31, 0.65, 1.42),
        ]
    ],
    6: [[(0.22, -0.5), (-0.2, -0.1), *_arc(0, 0.22, 0.3, 0.28, 0.5, 1.5)]],
    7: [[(-0.32, -0.46), (0.33, -0.46), (-0.08, 0.5)]],
    8: [_arc(0, -0.25, 0.25, 0.24, 0.25, 1.25), _arc(0, 0.25, 0.31, 0.26, 0.75, 1.75)],
    9: [_arc(0, -0.22, 0.28, 0.28, 0, 1), [(0.28, -0.2), (0.2, 0.5)]],
}


def draw_digit(digit: int, seed: int) -> Image.Image:
    """Return a grey picture of SIDE x SIDE pixels; the same for the same arguments."""
    chance = random.Random(f"{digit}/{seed}")
    canvas = Image.new("L", (SIDE * _SCALE, SIDE * _SCALE))
    draw = ImageDraw.Draw(canvas)
    if chance.random() < 0.3:
        _print(draw, digit, chance)
        slant = chance.uniform(-0.22, 0.22)
        canvas = canvas.rotate(math.degrees(slant), Image.Resampling.BICUBIC)
    else:
        _write(draw, digit, chance)
    canvas = canvas.filter(
        ImageFilter.GaussianBlur(chance.uniform(0.3, 0.9) * _SCALE / 2)
    )
    small = canvas.resize((SIDE, SIDE), Image.Resampling.BOX)
    noise = np.random.default_rng(chance.getrandbits(32)).normal(
        0, chance.uniform(2, 14), (SIDE, SIDE)
    )
    noisy = np.clip(np.asarray(small, dtype=np.float32) + noise, 0, 255)
    return Image.fromarray(noisy.astype(np.uint8))


def _print(draw: ImageDraw.ImageDraw, digit: int, chance: random.Random) -> None:
    """Draw the digit in Pillow's own typeface."""
    middle = SIDE * _SCALE / 2
    place = (
        middle + chance.uniform(-1.5, 1.5) * _SCALE,
        middle + chance.uniform(-1.5, 1.5) * _SCALE,
    )
    font = ImageFont.load_default(chance.uniform(19, 25) * _SCALE)
    width = chance.choice((0, 1, 3))
    draw.text(place, str(digit), fill=255, font=font, anchor="mm", stroke_width=width)


def _write(draw: ImageDraw.ImageDraw, digit: int, chance: random.Random) -> None:
    """Draw the digit as strokes of a pen, with the tremble of a hand."""
    angle, slant = chance.uniform(-0.2, 0.2), chance.uniform(-0.3, 0.3)
    size = chance.uniform(17, 21) * _SCALE
    stretch = chance.uniform(0.8, 1.2)
    middle = SIDE * _SCALE / 2
    dx, dy = (chance.uniform(-1.5, 1.5) * _SCALE for _ in range(2))
    pen = round(chance.uniform(1.6, 3.4) * _SCALE)
    for stroke in _STROKES[digit]:
        drift_x, drift_y = chance.uniform(-0.04, 0.04), chance.uniform(-0.04, 0.04)
        points = []
        for x, y in stroke:
            x, y = (x + drift_x) * stretch - y * slant, y + drift_y
            x, y = (
                x * math.cos(angle) - y * math.sin(angle),
                x * math.sin(angle) + y * math.cos(angle),
            )
            points.append((middle + dx + x * size, middle + dy + y * size))
        draw.line(points, fill=255, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)


def write_digits(folder: Path, shown: str, name: str, count: int, seed: int) -> None:
    """Write `count` pictures and their table, as the MNIST tutorial has them.

    Args:
        folder: gets `name/<number>.jpg` and `mnist_<name>.csv`.
        shown: the folder as statements name it.
        name: `train` or `test`.
        count: pictures, the digits taking turns.
        seed: of the first picture; 923.jpg of `test` is an 8, as in the tutorial.
    """
    pictures = folder / name
    pictures.mkdir(parents=True, exist_ok=True)
    numbers = [1000 + i for i in range(count)]
    if name == "test" and count > 8:
        numbers[8] = 923
    with (folder / f"mnist_{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image_path", "filename", "label"])
        for i, number in enumerate(numbers):
            digit = i % 10
            draw_digit(digit, seed + i).save(pictures / f"{number}.jpg", quality=92)
            table.writerow([f"{shown}/{name}/{number}.jpg", f"{number}.jpg", digit])
