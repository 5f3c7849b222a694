"""Draws scenes with captions: the pictures that the demo finds by text.

A scene is two things beside or above each other, such as "a red circle above a small
blue square". Every picture follows from its scene and a seed alone. A fifth of all
combinations of colours, shapes and places is held out: `training_scenes` never draws
them, `held_out_scenes` draws nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
import random
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Combination = tuple[str, str, str, str, str]

SIDE = 128
HELD_OUT = 1000
COLUMNS = (
    "photo_id",
    "image_path",
    "photo_image_url",
    "photo_description",
    "ai_description",
)
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 40),
    "purple": (150, 60, 190),
    "orange": (245, 140, 30),
    "black": (25, 25, 25),
    "white": (250, 250, 250),
}
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
PLACES = {"above": "below", "to the left of": "to the right of"}
"""How the first thing stands to the second, and the second to the first."""

_SCALE = 3  # drawn larger and scaled down, which smooths the edges


@dataclass(frozen=True)
class Thing:
    """One coloured shape of a scene."""

    colour: str
    shape: str
    small: bool

    def __str__(self) -> str:
        words = f"{'small ' if self.small else ''}{self.colour} {self.shape}"
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@dataclass(frozen=True)
class Scene:
    """Two things: `first` is above or to the left of `second`."""

    first: Thing
    place: str
    second: Thing

    def caption(self, *, reverse: bool = False) -> str:
        """Return the scene in words, seen from its first or from its second thing."""
        if reverse:
            return f"{self.second} {PLACES[self.place]} {self.first}"
        return f"{self.first} {self.place} {self.second}"


@lru_cache
def _combinations() -> tuple[Combination, ...]:
    """Return all 4,512 combinations in one fixed random order."""
    things = list(itertools.product(COLOURS, SHAPES))
    every = [
        (*first, place, *second)
        for first, second in itertools.permutations(things, 2)
        for place in PLACES
    ]
    random.Random("combinations of scenes").shuffle(every)
    return tuple(every)


def held_out_scenes(count: int = HELD_OUT, seed: int = 0) -> list[Scene]:
    """Return up to HELD_OUT scenes that training never sees, all different."""
    chance = random.Random(f"held out/{seed}")
    return [_sized(one, chance) for one in _combinations()[: min(count, HELD_OUT)]]


def training_scenes(count: int, seed: int = 0) -> Iterator[Scene]:
    """Yield scenes of the other combinations, which take turns; sizes differ."""
    chance = random.Random(f"training/{seed}")
    turns = itertools.cycle(_combinations()[HELD_OUT:])
    for combination in itertools.islice(turns, count):
        yield _sized(combination, chance)


def _sized(combination: Combination, chance: random.Random) -> Scene:
    """Return the combination with random sizes."""
    colour, shape, place, other_colour, other_shape = combination
    first, second = (chance.random() < 0.4 for _ in range(2))
    return Scene(
        Thing(colour, shape, first), place, Thing(other_colour, other_shape, second)
    )


def draw_scene(scene: Scene, seed: int, side: int = SIDE) -> Image.Image:
    """Return a colour picture of side x side pixels; the same for the same scene."""
    chance = random.Random(f"{scene}/{seed}")
    background = tuple(round(chance.uniform(105, 185)) for _ in range(3))
    canvas = Image.new("RGB", (side * _SCALE, side * _SCALE), background)
    pen = ImageDraw.Draw(canvas)
    for thing, (x, y) in zip(
        (scene.first, scene.second), _middles(scene, chance), strict=True
    ):
        radius = chance.uniform(0.08, 0.1) if thing.small else chance.uniform(0.15, 0.2)
        _draw_thing(pen, thing, (x, y), radius, side * _SCALE, chance)
    small = canvas.resize((side, side), Image.Resampling.BOX)
    noise = np.random.default_rng(chance.getrandbits(32)).normal(
        0, chance.uniform(1, 8), (side, side, 3)
    )
    noisy = np.clip(np.asarray(small, dtype=np.float32) + noise, 0, 255)
    return Image.fromarray(noisy.astype(np.uint8))


def _middles(scene: Scene, chance: random.Random) -> list[tuple[float, float]]:
    """Return where the two things are, in shares of the side."""
    gap, drift = chance.uniform(0.42, 0.55), chance.uniform(-0.12, 0.12)
    x, y = (0.5 + chance.uniform(-0.06, 0.06) for _ in range(2))
    if scene.place == "above":
        return [(x - drift / 2, y - gap / 2), (x + drift / 2, y + gap / 2)]
    return [(x - gap / 2, y - drift / 2), (x + gap / 2, y + drift / 2)]


def _draw_thing(
    pen: ImageDraw.ImageDraw,
    thing: Thing,
    middle: tuple[float, float],
    radius: float,
    side: int,
    chance: random.Random,
) -> None:
    """Draw one shape; its middle and radius are shares of the side."""
    x, y, r = (side * share for share in (*middle, radius))
    red, green, blue = (
        round(min(255, max(0, part + chance.gauss(0, 7))))
        for part in COLOURS[thing.colour]
    )
    fill = (red, green, blue)
    if thing.shape == "circle":
        pen.ellipse([x - r, y - r, x + r, y + r], fill=fill)
    elif thing.shape == "ring":
        pen.ellipse([x - r, y - r, x + r, y + r], outline=fill, width=round(r * 0.42))
    elif thing.shape == "cross":
        pen.rectangle([x - r, y - 0.3 * r, x + r, y + 0.3 * r], fill=fill)
        pen.rectangle([x - 0.3 * r, y - r, x + 0.3 * r, y + r], fill=fill)
    else:
        pen.polygon(
            [(x + dx * r, y + dy * r) for dx, dy in _CORNERS[thing.shape]], fill
        )


_HALF = math.sqrt(3) / 2
_CORNERS = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(0, -1.1), (1.1 * _HALF, 0.75), (-1.1 * _HALF, 0.75)],
    "diamond": [(0, -1.15), (0.9, 0), (0, 1.15), (-0.9, 0)],
}


def write_scenes(
    folder: Path, shown: str, name: str, scenes: Iterable[Scene], seed: int = 0
) -> None:
    """Write pictures and their table, in the columns of Unsplash's data set.

    Args:
        folder: gets `name/<photo_id>.jpg` and `name.csv`.
        shown: the folder as statements name it.
        name: of the table, such as `scenes_data`.
        scenes: what to draw, one picture each.
        seed: of the first picture. `photo_description` tells the scene from one of
            its things, chosen at random, and `ai_description` from the other.
    """
    (folder / name).mkdir(parents=True, exist_ok=True)
    chance = random.Random(f"captions/{seed}")
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, scene in enumerate(scenes, seed):
            photo = _photo_id(f"{name}/{number}")
            path, url = f"{name}/{photo}.jpg", f"https://scenes.example/{photo}"
            draw_scene(scene, number).save(folder / path, quality=90)
            reverse = chance.random() < 0.5
            captions = [scene.caption(reverse=one) for one in (reverse, not reverse)]
            table.writerow([photo, f"{shown}/{path}", url, *captions])


def _photo_id(text: str) -> str:
    """Return eleven letters and digits, as the ids of Unsplash are."""
    alphabet = string.ascii_letters + string.digits
    return "".join(
        alphabet[byte % 62] for byte in hashlib.sha256(text.encode()).digest()[:11]
    )
