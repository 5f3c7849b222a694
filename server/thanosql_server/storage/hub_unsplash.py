"""The data set `unsplash_data`: the Lite data set of Unsplash, with its photos.

Its archive holds a table of 25,000 photos with their addresses at images.unsplash.com,
and no picture. The photos are fetched one by one, some at the same time; those that are
there when a statement fails or is killed need not be fetched again.
"""

from __future__ import annotations

import csv
import io
import re
import threading
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from PIL import Image

from thanosql_server.errors import HubUnreachable, InvalidData
from thanosql_server.scenes import COLUMNS
from thanosql_server.storage.hub_manifest import HubFile
from thanosql_server.storage.hub_pool import for_each
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_staging import collect, unreachable
from thanosql_server.storage.hub_waiting import read_small, size_of
from thanosql_server.storage.hub_web import HttpSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_staging import Fetching

WORKERS = 16
"""Photos that are fetched at the same time."""

MAX_PHOTO_BYTES = 16 << 20
MAX_PHOTO_SIDE = 8192

MISSING_PERCENT = 5
"""Share of photos that may be gone; the archive is years old, and some always are."""

_TABLE = re.compile(r"(.*/)?photos\.[ct]sv\d*")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Photo:
    """A row of the archive's table, as far as it is kept."""

    id: str
    address: str
    description: str
    ai_description: str


@dataclass(frozen=True)
class UnsplashLite:
    """Where the archive and the photos are.

    Attributes:
        address: what has the archive.
        archive: its path there.
        sha256: of the archive, as Unsplash states it.
        photos: what all addresses of photos begin with; others are not followed.
        query: asks for a size and a format; see
            https://unsplash.com/documentation#dynamically-resizable-images.
    """

    address: str
    archive: str
    sha256: str
    photos: str
    query: str

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put table and photos into `fetching.files`; see `hub_staging.staged`."""
        raw = fetching.folder / "raw"
        raw.mkdir(exist_ok=True)
        self._fetch_archive(fetching, raw)
        photos = read_photos(raw / self.archive)
        _Photos(self, fetching, photos).fetch()
        _write_table(fetching, photos)
        return {}

    def _fetch_archive(self, fetching: Fetching, raw: Path) -> None:
        source = HttpSource(self.address)
        what = f"the archive of {fetching.entry.words}"
        try:
            size = size_of(source, self.archive, fetching.control, fetching.patience)
            if size is None:
                raise Refused("it does not say how long the file is")
        except (Missing, Refused, Broken) as failure:
            raise unreachable(what, source, failure) from None
        file = HubFile(self.archive, self.sha256, size)
        collect(fetching, source, (file,), raw)


def read_photos(archive: Path) -> list[Photo]:
    """Return the rows of the archive's table of photos, in order.

    Raises:
        InvalidData: it is no such archive.
    """
    try:
        with zipfile.ZipFile(archive) as files:
            tables = sorted(n for n in files.namelist() if _TABLE.fullmatch(n))
            photos = [photo for name in tables for photo in _rows(files, name)]
    except (zipfile.BadZipFile, zlib.error, EOFError, csv.Error, ValueError) as failure:
        raise _wrong(str(failure)) from None
    if not photos:
        raise _wrong("it has no photos")
    return photos


def _rows(files: zipfile.ZipFile, name: str) -> Iterator[Photo]:
    with files.open(name) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
        for row in csv.DictReader(lines, delimiter="\t"):
            values = [row.get(column) or "" for column in COLUMNS if column != _PATH]
            # The id becomes the name of a file.
            if not _ID.fullmatch(values[0]):
                raise _wrong(f"{values[0][:60]!a} is no id of a photo")
            yield Photo(*values)


_PATH = "image_path"


def _wrong(reason: str) -> InvalidData:
    return InvalidData(
        f"the archive of Unsplash cannot be read: {reason[:200]}; nothing was changed"
    )


class _Photos:
    """The photos on their way."""

    def __init__(
        self, place: UnsplashLite, fetching: Fetching, photos: list[Photo]
    ) -> None:
        self._place = place
        self._source = HttpSource(place.photos.rstrip("/"), place.query)
        self._fetching = fetching
        self._photos = photos
        silence = fetching.patience.silence
        self._patience = replace(fetching.patience, first=2 * silence)
        self._lock = threading.Lock()
        self._done = 0
        self._gone = 0

    def fetch(self) -> None:
        """Fetch what is not there yet; warn of what is gone.

        Raises:
            HubUnreachable: the host does not answer, or too many photos are gone.
        """
        control, total = self._fetching.control, len(self._photos)

        def watch() -> None:
            control.report("fetching photos", self._done, total)

        for_each(self._photos, self._fetch_one, watch, WORKERS)
        control.report("fetching photos", total, total)
        if self._gone:
            control.warn(
                f"{self._gone} of {total} photos of {self._fetching.entry.words} are "
                f"gone from {self._place.photos} and were left out"
            )

    def _fetch_one(self, photo: Photo, leash: Control) -> None:
        target = self._fetching.files / f"{photo.id}.jpg"
        if not (target.is_file() and is_jpeg(target.read_bytes())):
            content = self._content(photo, leash)
            if content is not None and is_jpeg(content):
                part = self._fetching.folder / f"{photo.id}.part"
                part.write_bytes(content)
                part.rename(target)
            else:
                target.unlink(missing_ok=True)
                self._count_gone()
        with self._lock:
            self._done += 1

    def _content(self, photo: Photo, leash: Control) -> bytes | None:
        """Return the photo's bytes, None if the host has none."""
        if not photo.address.startswith(self._place.photos):
            return None
        path = unquote(photo.address.removeprefix(self._place.photos))
        try:
            return read_small(
                self._source, path, MAX_PHOTO_BYTES, leash, self._patience
            )
        except (Missing, Refused, InvalidData):
            return None
        except Broken as failure:
            what = f"photo '{photo.id}' of {self._fetching.entry.words}"
            raise unreachable(what, self._source, failure) from None

    def _count_gone(self) -> None:
        total = len(self._photos)
        with self._lock:
            self._gone += 1
            if self._gone * 100 > MISSING_PERCENT * total:
                raise HubUnreachable(
                    f"{self._gone} of {total} photos of {self._fetching.entry.words} "
                    f"cannot be had from {self._place.photos}, which is too many; what "
                    "was fetched is kept for the next try"
                )


def is_jpeg(content: bytes) -> bool:
    """Return whether this is a whole JPEG picture of reasonable size."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if max(image.size) > MAX_PHOTO_SIDE:
                return False
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _write_table(fetching: Fetching, photos: list[Photo]) -> None:
    """Write `unsplash.csv`, with a row for every photo that is there."""
    path = fetching.files / "unsplash.csv"
    # An earlier statement may have had an archive with other photos.
    wanted = {f"{photo.id}.jpg" for photo in photos}
    for other in list(fetching.files.iterdir()):
        if other.name not in wanted:
            other.unlink()
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for photo in photos:
            picture = f"{photo.id}.jpg"
            if (fetching.files / picture).is_file():
                shown = f"{fetching.shown}/{picture}"
                texts = photo.description, photo.ai_description
                table.writerow([photo.id, shown, photo.address, *texts])
