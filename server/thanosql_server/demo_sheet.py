"""The demo's result as one picture: each query beside the pictures that it found."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import pyarrow as pa

SIDE, GAP, HEAD = 140, 16, 28
_LETTERS = 16
"""Letters in a line of a tile."""


@dataclass(frozen=True)
class Row:
    """One search.

    Attributes:
        query: the text that was searched for, None for a picture.
        found: rows of PRINT IMAGE: similarities and pictures' bytes, the best first.
        similarity: the column of the similarities.
    """

    query: str | None
    found: pa.Table
    similarity: str


def sheet(rows: list[Row]) -> Image.Image:
    """Return the queries, one below the other, with what they found to the right.

    A search by a picture is taken to have found that picture first.
    """
    tiles = max(row.found.num_rows for row in rows) + 1
    width = GAP + (SIDE + GAP) * tiles + GAP
    canvas = Image.new("RGB", (width, (SIDE + HEAD + GAP) * len(rows)), "white")
    for number, row in enumerate(rows):
        _draw(canvas, row, (SIDE + HEAD + GAP) * number)
    return canvas


def _draw(canvas: Image.Image, row: Row, top: int) -> None:
    """Draw one search; similarities stand over the pictures."""
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(16)
    files = row.found.column("picture").to_pylist()
    pictures = [Image.open(io.BytesIO(file)).convert("RGB") for file in files]
    first = pictures[0] if row.query is None else _words(row.query)
    labels = ["query", *(f"{s.as_py():.3f}" for s in row.found.column(row.similarity))]
    for i, (tile, label) in enumerate(zip([first, *pictures], labels, strict=True)):
        x = GAP + (SIDE + GAP) * i + (GAP if i else 0)
        middle = (x + SIDE / 2, top + HEAD / 2)
        draw.text(middle, label, "black", font, anchor="mm")
        resized = tile.resize((SIDE, SIDE), Image.Resampling.NEAREST)
        canvas.paste(resized, (x, top + HEAD))


def _words(text: str) -> Image.Image:
    """Return a tile with the text of a query."""
    tile = Image.new("RGB", (SIDE, SIDE), "#f0f0f0")
    lines = "\n".join(textwrap.wrap(text, _LETTERS))
    middle = (SIDE / 2, SIDE / 2)
    ImageDraw.Draw(tile).multiline_text(
        middle, lines, "black", ImageFont.load_default(15), anchor="mm", align="center"
    )
    return tile
