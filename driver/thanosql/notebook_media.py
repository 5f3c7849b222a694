"""Shows the files of a PRINT under a notebook's cell: pictures, sounds and videos."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

MEDIA = b"thanosql:media"
"""Metadata of the column that PRINT adds: what its bytes are."""

PATH = b"thanosql:path"
"""Metadata of the same column: the name of the column with the paths."""

WIDTH = 240
"""Pixels of a picture or video, the height following."""

MAX_FILES = 100
MAX_BYTES = 64 << 20
"""What one PRINT shows at most: everything shown is stored in the notebook's file."""

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")
"""Beginnings of PNG, JPEG and GIF, which every front end shows as they are."""

_PLAYED = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/mp4",  # the same container; browsers refuse its own type
    "ogv": "video/ogg",
    "webm": "video/webm",
}
"""Extensions of sounds and videos that browsers play, and the types they go by."""


@dataclass(frozen=True)
class Printed:
    """What a result says of the column that PRINT added.

    Attributes:
        column: the column with the files.
        medium: `image`, `audio` or `video`.
        path: the column with the paths, None if the result does not say.
    """

    column: str
    medium: str
    path: str | None


def printed(schema: pa.Schema) -> Printed | None:
    """Return what PRINT added to the columns, None if they are not of a PRINT."""
    for field in schema:
        metadata = field.metadata or {}
        medium = metadata.get(MEDIA, b"").decode()
        if medium in _SHOW:
            path = metadata.get(PATH, b"").decode()
            known = path in schema.names
            return Printed(field.name, medium, path if known else None)
    return None


def show(
    batches: Iterable[pa.RecordBatch], of: Printed, say: Callable[[str], None]
) -> None:
    """Show each row as its path and its file, as the rows arrive.

    Args:
        batches: the rows.
        of: their column of files.
        say: prints a line.
    """
    size = 0
    words = {"image": "pictures", "audio": "audio files", "video": "videos"}
    for count, (path, data) in enumerate(_files(batches, of)):
        size += len(data or b"")
        if count == MAX_FILES or size > MAX_BYTES:
            say(f"Only the first {count} {words[of.medium]} are shown; use LIMIT")
            return
        if path is not None:
            say(path)
        shown = "(no file)" if data is None else _SHOW[of.medium](data, path)
        if isinstance(shown, str):
            say(shown)
        else:
            _display().display(shown)


def _files(
    batches: Iterable[pa.RecordBatch], of: Printed
) -> Iterator[tuple[str | None, bytes | None]]:
    for batch in batches:
        for row in batch.select([c for c in (of.path, of.column) if c]).to_pylist():
            yield row.get(of.path), row[of.column]


def _image(data: bytes, path: str | None) -> Any:
    """Return what shows a picture, or words where it cannot be shown."""
    known = _displayable(data)
    if known is None:
        return "(the picture cannot be shown)"
    return _display().Image(data=known, width=WIDTH, alt=path)


def _audio(data: bytes, path: str | None) -> Any:
    kind = _played(path, "audio")
    if kind is None:
        return "(browsers do not play this kind of audio file)"
    player = _display().Audio(data=data)
    player.mimetype = kind
    return player


def _video(data: bytes, path: str | None) -> Any:
    kind = _played(path, "video")
    if kind is None:
        return "(browsers do not play this kind of video)"
    return _display().Video(data=data, embed=True, mimetype=kind, width=WIDTH)


_SHOW: dict[str, Callable[[bytes, str | None], Any]] = {
    "image": _image,
    "audio": _audio,
    "video": _video,
}


def _played(path: str | None, medium: str) -> str | None:
    """Return the type under which browsers play a file, None if they do not."""
    kind = _PLAYED.get(PurePosixPath(path or "").suffix.lower().removeprefix("."))
    # A player of sounds also plays the sound of a video file, such as ogg or webm.
    return kind if kind and (kind.startswith(medium) or medium == "audio") else None


def _displayable(data: bytes) -> bytes | None:
    """Return a picture as PNG, JPEG or GIF, None if it cannot be made one."""
    if data.startswith(_SIGNATURES):
        return data
    try:
        pillow = importlib.import_module("PIL.Image")
        png = io.BytesIO()
        pillow.open(io.BytesIO(data)).save(png, "PNG")
    except (ImportError, OSError, ValueError):
        return None
    return png.getvalue()


def _display() -> Any:
    """Return IPython's module: whoever shows something has it, others need it not."""
    return importlib.import_module("IPython.display")
