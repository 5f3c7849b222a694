"""What a network sees of a picture: which part, at what size.

Whatever decoded the picture, the same bytes go through the same operator, torch's own
resize of bytes: seven times as fast as Pillow's (640 x 427 to 224: 0.4 and 2.6 ms).
Both round after each of two passes; torch's weights have fewer bits, so that about one
byte in two hundred differs from Pillow's by one of 255. (One in four where Pillow does
the passes in the other order, as for pictures twice as high as wide.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

INTERPOLATIONS = ("bicubic", "bilinear")
FITS = ("shortest", "squash")
WIDEST = 64
"""A side more than so many times the other is cut first: resized whole, a picture of
ten million by ten pixels would fill 150 GB."""


@dataclass(frozen=True)
class Framing:
    """How a decoded picture becomes a network's input; geometry of torchvision.

    Attributes:
        height: rows of the input.
        width: columns of the input.
        fit: `shortest` scales the shorter side and cuts the longer one on both ends
            (for squares only), `squash` scales both sides.
        interpolation: `bicubic` or `bilinear`, antialiased.
    """

    height: int
    width: int
    fit: str = "shortest"
    interpolation: str = "bicubic"

    @classmethod
    def of(
        cls, size: int | tuple[int, int], fit: str, interpolation: str
    ) -> Framing | None:
        """Return the framing that these words of open_clip describe, None if none."""
        height, width = (size, size) if isinstance(size, int) else size
        if fit not in FITS or interpolation not in INTERPOLATIONS:
            return None
        if fit == "shortest" and height != width:
            return None
        return cls(height, width, fit, interpolation)

    def apply(self, pixels: Pixels) -> Pixels:
        """Return a picture (h, w, 3) as the network sees it, (3, height, width)."""
        # torch only takes arrays that it could write to; Pillow's are not.
        pixels = np.require(_cut_to_aspect(pixels), requirements="W")
        resized = self._resized(torch.from_numpy(pixels).permute(2, 0, 1)).numpy()
        top = round((resized.shape[1] - self.height) / 2)
        left = round((resized.shape[2] - self.width) / 2)
        part = resized[:, top : top + self.height, left : left + self.width]
        return np.ascontiguousarray(part)

    def _resized(self, picture: torch.Tensor) -> torch.Tensor:
        """Return the picture (3, h, w) resized but not cut."""
        given = (picture.shape[1], picture.shape[2])
        wanted = self._size_before_cutting(*given)
        if wanted == given:
            return picture
        resized: torch.Tensor = interpolate(
            picture[None], size=wanted, mode=self.interpolation, antialias=True
        )[0]
        return resized

    def _size_before_cutting(self, height: int, width: int) -> tuple[int, int]:
        if self.fit == "squash":
            return self.height, self.width
        if height <= width:
            return self.height, int(self.height * width / height)
        return int(self.width * height / width), self.width


def _cut_to_aspect(pixels: Pixels) -> Pixels:
    """Return the middle of a picture that is far longer than wide, or wider."""
    height, width = pixels.shape[:2]
    tall, wide = min(height, WIDEST * width), min(width, WIDEST * height)
    top, left = (height - tall) // 2, (width - wide) // 2
    return pixels[top : top + tall, left : left + wide]
