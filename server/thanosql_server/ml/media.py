"""A file's bytes to a decoded picture, or one short reason why not.

The reason never holds a path: the caller names the picture as its user wrote it.
"""

from __future__ import annotations

import stat
import threading
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_PIXELS = 100_000_000
"""Pictures beyond this are refused by their header: decoded they fill 300 MB."""

# Only what COPY imports. Pillow can open far more, some of it through external
# programs (EPS calls Ghostscript), which untrusted files must not reach.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")

_METADATA = frozenset({"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"})
_ORIENTATION = 0x0112
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_pillow_lock = threading.Lock()


class UnreadableImage(ValueError):
    """A picture that cannot be used; `reason` is a few words without a path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def open_image(
    path: Path, *, max_pixels: int = MAX_PIXELS, decode_side: int = 0
) -> Image.Image:
    """Return the picture in the file, upright and fully decoded, as L or RGB.

    Transparent parts become white, 16-bit greys are scaled to 8 bits, and of an
    animation the first frame is taken.

    Args:
        path: a file of this machine.
        max_pixels: pictures whose header announces more are not decoded.
        decode_side: if not 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 scale as long
            as both sides stay at least twice this long: 2 to 3 times faster for
            photographs.

    Raises:
        UnreadableImage: there is no such file, or it is not a usable picture.
    """
    with open_file(path) as file:
        image = open_header(file, max_pixels)
        return _decode(image, decode_side)


def read_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return width and height in pixels, of the header alone.

    Raises:
        UnreadableImage: as `open_image`.
    """
    with open_file(path) as file:
        return open_header(file, max_pixels).size


def open_file(path: Path) -> IO[bytes]:
    """Open the file if it can be a picture at all.

    Raises:
        UnreadableImage: there is no such file, or it cannot be read.
    """
    _check_file(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableImage(_words(error)) from error


def _check_file(path: Path) -> None:
    """Refuse what would block (a pipe) or can never be a picture."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableImage("no such file") from error
    except (OSError, ValueError) as error:
        raise UnreadableImage(_words(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImage("a folder")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not a regular file")
    if status.st_size == 0:
        raise UnreadableImage("empty file")


def open_header(file: IO[bytes], max_pixels: int) -> Image.Image:
    """Read the header only and refuse a picture that is too large to decode.

    Raises:
        UnreadableImage: it is not one of FORMATS, or larger than `max_pixels`.
    """
    try:
        with _pillow_as_we_need_it():
            image = Image.open(file, formats=FORMATS)
    except Exception as error:  # a damaged header may raise nearly anything
        raise UnreadableImage("not a picture") from error
    width, height = image.size
    if width * height > max_pixels:
        size, limit = f"{width} x {height} pixels", _count(max_pixels)
        raise UnreadableImage(f"{size} exceed the limit of {limit}")
    return image


def is_upright(image: Image.Image) -> bool:
    """Return whether a picture's metadata leaves it as it is stored."""
    if not _METADATA & image.info.keys():
        return True
    try:
        with _pillow_as_we_need_it():
            return bool(image.getexif().get(_ORIENTATION, 1) == 1)
    except Exception:  # damaged metadata may raise nearly anything
        return False


def _decode(image: Image.Image, decode_side: int) -> Image.Image:
    """Decode all pixels and bring them into the form that `open_image` promises."""
    kind = image.format or "picture"
    try:
        if decode_side:
            image.draft(None, (2 * decode_side, 2 * decode_side))
        image.load()
        with _pillow_as_we_need_it():
            upright = ImageOps.exif_transpose(image)
        return _plain(upright)
    except Exception as error:  # damaged data too: struct.error, EOFError, ...
        raise UnreadableImage(_damage(kind, error)) from error


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture as L or RGB of 8 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_bytes(image)
    if image.has_transparency_data:
        return _on_white(image)
    target = "L" if image.mode in _GREY_MODES else "RGB"
    return image if image.mode == target else image.convert(target)


def _scaled_to_bytes(image: Image.Image) -> Image.Image:
    """Map wide greys to 0..255, where `convert` would clip them.

    Whole numbers are taken as 16 bits; floats have no agreed range and are stretched
    from their smallest to their largest.
    """
    grey = np.asarray(image, dtype=np.float32)
    low, high = 0.0, 65535.0
    if image.mode == "F":
        low, high = float(grey.min()), float(grey.max())
    scaled = (grey - low) * (255 / max(high - low, 1e-12))
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a picture with transparent parts on white, as a page would show it."""
    grey = image.mode in _GREY_MODES
    layered = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, layered).convert("L" if grey else "RGB")


@contextmanager
def _pillow_as_we_need_it() -> Iterator[None]:
    """Silence Pillow's warnings and lift its size check, for a moment.

    Our own limit replaces Pillow's, whose error does not tell the size. Both settings
    belong to the whole process, hence the lock; the filter names Pillow's modules
    only, so that even a filter left behind by a race hides nothing of anybody else's.
    """
    with _pillow_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _damage(kind: str, error: Exception) -> str:
    """Say what is wrong with a picture whose header was fine."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    text = str(error).lower()
    cut = "truncated" in text or isinstance(error, EOFError)
    return f"truncated {kind}" if cut else f"damaged {kind}"


def _words(error: Exception) -> str:
    """Return the system's words for an error, without the path it names."""
    return (getattr(error, "strerror", None) or "cannot be read").lower()


def _count(pixels: int) -> str:
    """Return 100000000 as `100 million`."""
    whole, rest = divmod(pixels, 1_000_000)
    return f"{whole} million" if whole and not rest else f"{pixels:,}"
