"""All pictures of a training table, decoded once, in one file on disk.

Training visits the pictures many times in random order. Decoding them once is what
makes an epoch cheap, and a memory-mapped file keeps memory bounded: the operating
system holds as much of it as there is room for.
"""

from __future__ import annotations

import errno
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.errors import (
    InvalidData,
    ResourceExhausted,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)
from thanosql_server.ml.decoding import Failure, Unreadable, decode_batches
from thanosql_server.ml.media import UnreadableImage, open_image, read_size
from thanosql_server.ml.pixels import to_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.control import Control

SAMPLE = 256
"""Pictures whose headers decide the size of all."""
SMALLEST, LARGEST = 16, 64
"""Limits of the size chosen; more than 64 pixels costs hours on two cores."""


@dataclass
class Survey:
    """What the pictures look like, gathered while they are decoded."""

    pictures: int = 0
    colourful: int = 0
    flat: int = 0

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Take one picture (3, h, w) into account."""
        self.pictures += 1
        self.colourful += _chroma(pixels) > 4
        self.flat += _background_share(pixels) > 0.5

    @property
    def channels(self) -> int:
        """3 if more than one picture in a hundred has colours, else 1."""
        return 3 if self.colourful > self.pictures / 100 else 1

    @property
    def augmentation(self) -> str:
        """The recipe that suits most of the pictures; see `augment`."""
        if self.channels == 3:
            return "photo"
        return "digits" if self.flat > self.pictures / 2 else "grey"


def _chroma(pixels: NDArray[np.uint8]) -> float:
    """Return the mean distance between the largest and smallest colour, 0..255."""
    return float((pixels.max(0) - pixels.min(0)).mean())


def _background_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of pixels that look like the median of the border.

    What looks alike is within a tenth of the picture's own range: drawings have a
    background (MNIST: 0.67 to 0.94), photographs seldom do (median 0.36).
    """
    level = pixels.mean(0)
    border = np.concatenate([level[0], level[-1], level[:, 0], level[:, -1]])
    alike = np.abs(level - np.median(border)) <= np.ptp(level) / 10
    return float(alike.mean())


@dataclass(frozen=True)
class Spool:
    """The pictures (n, 3, size, size) on disk, and what they look like.

    Attributes:
        pixels: memory-mapped.
        survey: what was seen while they were decoded.
        unreadable: pictures that were skipped.
        kept: for each path whether its picture is among the pixels.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    survey: Survey
    unreadable: Unreadable
    kept: NDArray[np.bool_] = field(repr=False)

    @property
    def size(self) -> int:
        """Side of a picture in pixels."""
        return int(self.pixels.shape[-1])


def spool(
    paths: Iterable[str | None],
    resolve: Callable[[str], Path],
    file: Path,
    control: Control,
    *,
    image_size: int | None = None,
    total: int = 0,
    threads: int = 2,
) -> Spool:
    """Decode all pictures into the file and return them memory-mapped.

    Args:
        paths: as their user wrote them; NULLs are skipped silently.
        resolve: turns such a text into a file.
        file: a new file, to be deleted by the caller after use.
        control: checked and given the progress; unreadable pictures are one warning.
        image_size: side in pixels; None to choose by the first pictures.
        total: number of paths if known, for the progress.
        threads: threads that read and decode.

    Raises:
        InvalidData: fewer than two pictures could be read.
        ResourceExhausted: the disk is full.
    """
    first = list(islice(iterator := iter(paths), SAMPLE))
    size = image_size or _choose_size(first, resolve)
    survey, unreadable, kept = Survey(), Unreadable(), bytearray()

    def read(path: Path) -> NDArray[np.uint8]:
        return to_pixels(open_image(path, decode_side=size), size, 3)

    pictures = decode_batches(
        chain(first, iterator),
        resolve,
        read,
        control,
        batch_size=64,
        threads=threads,
    )
    with disk_errors(), file.open("wb") as out, closing(pictures):
        for batch in pictures:
            for picture in batch:
                kept.append(isinstance(picture, np.ndarray))
                if isinstance(picture, Failure):
                    unreadable.add(picture.path, picture.reason)
                elif picture is not None:
                    survey.add(picture)
                    out.write(picture.tobytes())
            unreadable.seen = survey.pictures + unreadable.count
            control.report("reading", unreadable.seen, total)
    unreadable.warn(control, "were skipped")
    _require_two(survey.pictures, unreadable)
    shape = (survey.pictures, 3, size, size)
    pixels = np.memmap(file, np.uint8, "r", shape=shape)
    return Spool(pixels, survey, unreadable, np.frombuffer(kept, np.bool_))


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourceExhausted(
            "no room on the server's disk for the decoded pictures; free some space "
            "or choose a smaller image_size"
        ) from error


def _require_two(readable: int, unreadable: Unreadable) -> None:
    """Refuse to train on nothing: a contrast needs two pictures."""
    if readable >= 2:
        return
    because = f" ({unreadable.examples[0]})" if unreadable.examples else ""
    raise InvalidData(
        f"training needs at least two readable pictures, found {readable} "
        f"of {unreadable.seen}{because}"
    )


def _choose_size(paths: list[str | None], resolve: Callable[[str], Path]) -> int:
    """Return the usual shorter side in multiples of 4, within the limits."""
    sides = list(_shorter_sides(paths, resolve))
    if not sides:
        return SMALLEST
    usual = -(-int(median(sides)) // 4) * 4
    return max(SMALLEST, min(LARGEST, usual))


def _shorter_sides(
    paths: list[str | None], resolve: Callable[[str], Path]
) -> Iterator[int]:
    """Yield the shorter side of each readable picture."""
    for path in paths:
        if path is None:
            continue
        try:
            yield min(read_size(resolve(path)))
        except (UnreadableImage, ThanoSQLError):
            continue  # reported when it is decoded


def paths_of(
    batches: Iterable[pa.RecordBatch], column: str, what: str = "paths of pictures"
) -> Iterator[str | None]:
    """Yield the texts of one column, NULLs as None.

    Args:
        batches: rows that hold the column.
        column: its name.
        what: what the column holds, for errors.

    Raises:
        UndefinedColumn: there is no such column.
        InvalidData: the column does not hold text.
    """
    for batch in batches:
        names = batch.schema.names
        if column not in names:
            raise UndefinedColumn(
                f"there is no column '{column}' with {what}{nearest(column, names)}"
            )
        yield from _texts(batch.column(names.index(column)), column, what)


def _texts(values: pa.Array, column: str, what: str) -> list[str | None]:
    """Return an array of any text type (plain, large, view, dictionary) as texts."""
    try:
        texts: list[str | None] = values.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid as error:
        raise InvalidData(f"column '{column}' does not hold {what}") from error
    if not _is_text(values.type):
        raise InvalidData(f"column '{column}' holds {values.type}, not {what}")
    return texts


def _is_text(kind: pa.DataType) -> bool:
    """Whether the type holds text, also behind a dictionary."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )
