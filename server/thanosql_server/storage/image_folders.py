"""A folder of pictures, or of sounds or videos, as rows: path, file name, label."""

from __future__ import annotations

import os
import posixpath
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.paths import PathPolicy

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff")
"""Extensions of the files that are taken for pictures, in any case."""

AUDIO_EXTENSIONS = ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "aac")
VIDEO_EXTENSIONS = ("mp4", "m4v", "webm", "ogv", "mov", "avi", "mkv", "wmv", "mpg")

_OTHER_MEDIA = {
    "audio_path": ("audio files", frozenset(AUDIO_EXTENSIONS)),
    "video_path": ("videos", frozenset(VIDEO_EXTENSIONS)),
}
"""Path column -> what its files are called, and which they are."""

_BATCH_ROWS = 8192


def list_images(
    folder: Path,
    shown: str,
    extensions: tuple[str, ...] | None,
    policy: PathPolicy,
) -> pa.RecordBatchReader:
    """Return one row for each picture below `folder`, sorted by path.

    The columns are image_path, filename and label. If sounds are asked for and nothing
    else, the first is called audio_path; for videos, video_path. The label is the name
    of the folder that holds the file, NULL for those right in the imported folder.
    Files and folders whose names begin with a dot are left out, as are links that lead
    out of the folders that the server may read.

    Args:
        folder: where to look.
        shown: the folder as the user wrote it; paths begin with it.
        extensions: of the files wanted, without dots; None for `IMAGE_EXTENSIONS`.
        policy: says which folders may be read.

    Raises:
        InvalidData: there are no such files, or a folder cannot be listed; the latter
            also from the stream.
    """
    wanted = tuple(e.lower().lstrip(".") for e in extensions or IMAGE_EXTENSIONS)
    column, words = _medium(wanted)
    images = _ImageFolder(shown, frozenset(wanted), policy).images(folder)
    first = next(images, None)
    if first is None:
        raise InvalidData(
            f"there are no {words} in '{shown}'; looked for files ending in "
            f"{', '.join(wanted)}"
        )
    schema = pa.schema([(name, pa.string()) for name in (column, "filename", "label")])
    batches = _batches(schema, chain([first], images))
    return pa.RecordBatchReader.from_batches(schema, batches)


def _medium(wanted: tuple[str, ...]) -> tuple[str, str]:
    """Return the path column and the word for files with these extensions."""
    for column, (words, extensions) in _OTHER_MEDIA.items():
        if extensions.issuperset(wanted):
            return column, words
    return "image_path", "pictures"


def _batches(
    schema: pa.Schema, rows: Iterator[tuple[str, str, str | None]]
) -> Iterator[pa.RecordBatch]:
    while some := list(islice(rows, _BATCH_ROWS)):
        columns = zip(*some, strict=True)
        arrays = [pa.array(column, pa.string()) for column in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


class _ImageFolder:
    """A walk through one folder."""

    def __init__(self, shown: str, wanted: frozenset[str], policy: PathPolicy) -> None:
        self._shown = shown
        self._wanted = wanted
        self._policy = policy

    def images(
        self, folder: Path, inside: tuple[str, ...] = (), above: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, str, str | None]]:
        """Yield path, file name and label; folders and files in one order by name.

        Args:
            folder: where to look.
            inside: names of the folders from the imported one down to this one.
            above: real paths of those folders, to notice links that lead in circles.
        """
        real = os.path.realpath(folder)
        if real in above:
            return
        label = inside[-1] if inside else None
        for name, is_folder in self._entries(folder, inside):
            if is_folder:
                yield from self.images(folder / name, (*inside, name), (*above, real))
            else:
                yield posixpath.join(self._shown, *inside, name), name, label

    def _entries(self, folder: Path, inside: tuple[str, ...]) -> list[tuple[str, bool]]:
        """Return the pictures and folders in one folder, and which is which, sorted."""
        try:
            with os.scandir(folder) as entries:
                seen = [e for e in entries if self._is_visible(e)]
                folders = [(e.name, True) for e in seen if _is_folder(e)]
                files = [(e.name, False) for e in seen if self._is_picture(e)]
        except OSError as failure:
            where = posixpath.join(self._shown, *inside)
            raise InvalidData(
                f"the folder '{where}' cannot be listed: {failure.strerror}"
            ) from failure
        return sorted(folders + files)

    def _is_visible(self, entry: os.DirEntry[str]) -> bool:
        if entry.name.startswith(".") or not is_text(entry.name):
            return False
        return not entry.is_symlink() or self._policy.allows(Path(entry.path))

    def _is_picture(self, entry: os.DirEntry[str]) -> bool:
        extension = os.path.splitext(entry.name)[1].removeprefix(".")
        return extension.lower() in self._wanted and _is_file(entry)


# Entries know what they are without another look at the disk; links do not, and raise
# where they lead in circles.
def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_file(entry: os.DirEntry[str]) -> bool:
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def is_text(name: str) -> bool:
    """Return whether a file name is Unicode, which Linux does not demand."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
