"""A decoded picture to the square of bytes that a network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_pixels(image: Image.Image, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the middle square of the picture, resized: (channels, size, size).

    The shorter side is scaled to `size` (bicubic, antialiased) and the longer one cut
    on both ends, as torchvision's evaluation transforms do.

    Args:
        image: a picture as `media.open_image` returns it.
        size: side of the result in pixels.
        channels: 1 for grey, 3 for red, green, blue.
    """
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    array = np.asarray(image, dtype=np.uint8)
    return array.reshape(size, size, channels).transpose(2, 0, 1)
