"""The data set `mnist_data`: digits of MNIST in the layout of the tutorials.

MNIST (LeCun, Cortes, Burges) is two idx files for training, images and labels. A file
`<n>.jpg` is the n-th picture of these, counted from 0, in `train` and in `test`: so it
was in the tutorials' own data, of which 26 pictures and their labels are on record. The
idx format is described at https://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import csv
import gzip
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from thanosql_server.errors import InvalidData
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_staging import collect, unreachable
from thanosql_server.storage.hub_waiting import size_of
from thanosql_server.storage.hub_web import HttpSource
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.storage.hub_manifest import HubFile
    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_staging import Fetching

IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801
REPORTED = 50


@dataclass(frozen=True)
class Part:
    """One table, such as `train`.

    Attributes:
        name: of the table and of the folder of pictures.
        per_digit: pictures of each digit.
        digits: their order in the table.
        below: only pictures with a smaller number are taken.
        first: pictures at the head of their digit.
        last: pictures at the end of their digit.
        among: further pictures that are taken.
    """

    name: str
    per_digit: int
    digits: tuple[int, ...]
    below: int
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    among: tuple[int, ...] = ()

    @property
    def named(self) -> tuple[int, ...]:
        """All pictures that are asked for by number."""
        return (*self.first, *self.among, *self.last)


@dataclass(frozen=True)
class Mnist:
    """Where MNIST is, and what to take of it.

    Attributes:
        mirrors: addresses that have both files; the first that answers is taken.
        images: idx3 file, compressed with gzip.
        labels: idx1 file, likewise.
        parts: the tables; the first chooses first.
    """

    mirrors: tuple[str, ...]
    images: HubFile
    labels: HubFile
    parts: tuple[Part, ...]

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put tables and pictures into `fetching.files`; see `hub_staging.staged`."""
        raw = fetching.folder / "raw"
        raw.mkdir(exist_ok=True)
        source = self._answering(fetching)
        collect(fetching, source, (self.images, self.labels), raw)
        # What a killed statement has decoded may be half a file.
        remove_tree(fetching.files)
        fetching.files.mkdir()
        images, labels = _read(raw / self.images.path, raw / self.labels.path)
        taken = choose(labels, self.parts)
        _write(fetching, taken, images, labels)
        return {}

    def _answering(self, fetching: Fetching) -> Source:
        """Return the first mirror that gives the file of images, asking all at once.

        Raises:
            ThanoSQLError: none does; says why the first does not.
        """
        sources = [HttpSource(mirror) for mirror in self.mirrors]
        path = self.images.path

        def ask(source: Source) -> Exception | None:
            try:
                size_of(source, path, fetching.control, fetching.patience)
            except (Missing, Refused, Broken) as failure:
                return failure
            return None

        with ThreadPoolExecutor(len(sources), "hubs") as pool:
            failures = list(pool.map(ask, sources))
        for source, failure in zip(sources, failures, strict=True):
            if failure is None:
                return source
        assert failures[0] is not None
        what = f"'{path}' of {fetching.entry.words}"
        raise unreachable(what, sources[0], failures[0])


def _read(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pictures (n, height, width) and labels (n,) of two idx files."""
    try:
        pictures = read_idx(gzip.decompress(images.read_bytes()), IMAGES_MAGIC)
        digits = read_idx(gzip.decompress(labels.read_bytes()), LABELS_MAGIC)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as failure:
        raise InvalidData(
            f"the files of MNIST cannot be read ({failure}); nothing was changed"
        ) from None
    if len(pictures) != len(digits):
        raise InvalidData(
            f"MNIST has {len(pictures)} pictures and {len(digits)} labels; nothing was "
            "changed"
        )
    return pictures, digits


def read_idx(content: bytes, magic: int) -> NDArray[np.uint8]:
    """Return the array of bytes in an idx file, in the shape that it states.

    Raises:
        ValueError: it is no such file, or not all of it.
    """
    dimensions = magic & 0xFF
    header = np.frombuffer(content, ">u4", 1 + dimensions)
    if header[0] != magic:
        raise ValueError("no idx file of bytes")
    values = np.frombuffer(content, np.uint8, offset=header.nbytes)
    return values.reshape([int(length) for length in header[1:]])


def choose(labels: NDArray[np.uint8], parts: tuple[Part, ...]) -> dict[str, list[int]]:
    """Return the numbers of the pictures of each part, in the order of its table.

    No picture is in two parts, and the same labels give the same choice.

    Raises:
        InvalidData: there are too few of a digit.
    """
    chosen: dict[str, list[int]] = {}
    # What one part names, no other may draw.
    taken = {number for part in parts for number in part.named}
    for part in parts:
        chosen[part.name] = []
        for digit in part.digits:
            numbers = np.flatnonzero(labels[: part.below] == digit).tolist()
            group = _group(part, digit, numbers, taken)
            taken.update(group)
            chosen[part.name] += group
    return chosen


def _group(part: Part, digit: int, numbers: list[int], taken: set[int]) -> list[int]:
    """Return the pictures of one digit: the first, those between, the last."""
    there = set(numbers)
    first, among, last = (
        [number for number in named if number in there]
        for named in (part.first, part.among, part.last)
    )
    free = [number for number in numbers if number not in taken]
    missing = part.per_digit - len(first) - len(among) - len(last)
    if missing > len(free):
        raise InvalidData(
            f"MNIST has too few pictures of the digit {digit} for '{part.name}'; "
            "nothing was changed"
        )
    drawn = random.Random(f"{part.name}/{digit}").sample(free, max(missing, 0))
    return [*first, *sorted(among + drawn), *last]


def _write(
    fetching: Fetching,
    chosen: dict[str, list[int]],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> None:
    """Write the pictures and a table per part."""
    total, done = sum(map(len, chosen.values())), 0
    for name, numbers in chosen.items():
        folder = fetching.files / name
        folder.mkdir()
        path = fetching.files / f"mnist_{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["image_path", "filename", "label"])
            for number in numbers:
                picture = f"{number}.jpg"
                Image.fromarray(images[number]).save(folder / picture, quality=95)
                shown = f"{fetching.shown}/{name}/{picture}"
                table.writerow([shown, picture, int(labels[number])])
                done += 1
                if done % REPORTED == 0:
                    fetching.control.report("decoding", done, total)
