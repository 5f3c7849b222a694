"""JPEGs decoded by torchvision: the pixels that Pillow gives, in less of its time.

Both use libjpeg in the same way, so the pixels are the same to the bit. Only plain
files are taken; for all others, and for the words about damaged ones, there is Pillow.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from torchvision.io import ImageReadMode, decode_jpeg

from thanosql_server.ml.media import MAX_PIXELS, is_upright, open_file, open_header

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

MAX_BYTES = 256 << 20
"""Larger files are left to Pillow, which does not read them as a whole."""

_BEGINNING = b"\xff\xd8\xff"


def read_jpeg(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8] | None:
    """Return the pixels (height, width, 3) of a plain JPEG, else None.

    A JPEG is plain if it is grey or of three colours, and upright.

    Raises:
        UnreadableImage: as `media.open_image`, as far as the file's header shows it.
    """
    with open_file(path) as file:
        if not _begins_as_jpeg(file) or not _is_plain(open_header(file, max_pixels)):
            return None
        file.seek(0)
        data = torch.from_numpy(np.fromfile(file, np.uint8))
    try:
        pixels = decode_jpeg(data, mode=ImageReadMode.RGB)
    except RuntimeError:  # damaged: Pillow says how, or reads what there is
        return None
    array: NDArray[np.uint8] = pixels.permute(1, 2, 0).numpy()
    return array


def _begins_as_jpeg(file: IO[bytes]) -> bool:
    size = os.fstat(file.fileno()).st_size
    return size <= MAX_BYTES and os.pread(file.fileno(), 3, 0) == _BEGINNING


def _is_plain(image: Image.Image) -> bool:
    kind = image.format == "JPEG" and image.mode in ("L", "RGB")
    return kind and is_upright(image)
