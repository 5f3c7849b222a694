"""A picture file as a small JPEG that a page can hold."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from thanosql_server.ml.media import UnreadableImage, open_image

if TYPE_CHECKING:
    from pathlib import Path

QUALITY = 80
TALLEST = 2
"""How many times its width a thumbnail may be high; a strip would fill a page."""


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG, and the width and height in pixels at which it is to be shown."""

    jpeg: bytes
    width: int
    height: int


def thumbnail(path: Path, width: int) -> Thumbnail:
    """Return the picture in a file, to be shown at most `width` pixels wide.

    Its proportions are kept, and a picture that is smaller is not made larger here:
    whoever shows it does that.

    Raises:
        UnreadableImage: there is no such file, or it is not a usable picture.
    """
    image = open_image(path, decode_side=width)
    scale = min(width / image.width, TALLEST * width / image.height)
    shown = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if scale < 1:
        image = image.resize(shown, Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = BytesIO()
    try:
        image.save(buffer, "JPEG", quality=QUALITY)
    except OSError as error:  # a strip longer than the 65,535 pixels a JPEG can have
        raise UnreadableImage("too long for a thumbnail") from error
    return Thumbnail(buffer.getvalue(), *shown)
