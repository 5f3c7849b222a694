"""One generation of an index on disk: files with checksums, written once.

A generation is a folder with the files of whoever made it and a manifest, which names
each with its size and CRC-32 and carries a CRC-32 of itself. What does not agree with
it, because it was torn or put there by somebody else, is not read.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
FORMAT = 1
"""Changes with what a generation holds; others are not read but made anew."""

_CHUNK = 4 << 20


class DamagedIndex(Exception):
    """A file of an index is torn, foreign, or of another format."""


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Describe the files of a folder in its manifest, and flush all to the disk."""
    files = {}
    for path in sorted(folder.iterdir()):
        _flush(path)
        files[path.name] = [path.stat().st_size, _crc(path)]
    body = {"format": FORMAT, "facts": dict(facts), "files": files}
    text = _canonical(body)
    sealed = {"crc": zlib.crc32(text.encode()), "body": body}
    write_durably(folder / MANIFEST, json.dumps(sealed))
    _flush(folder)


def facts_of(folder: Path) -> dict[str, Any]:
    """Return what a manifest tells, with the bytes of all files as `bytes`.

    Raises:
        DamagedIndex: it is not there, torn, or of another format.
    """
    try:
        sealed = json.loads((folder / MANIFEST).read_text("utf-8"))
        body = sealed["body"]
        whole = zlib.crc32(_canonical(body).encode()) == sealed["crc"]
        if not whole or body["format"] != FORMAT:
            raise DamagedIndex(f"{folder.name}: the manifest is not ours")
        facts: dict[str, Any] = body["facts"]
        total = sum(size for size, _ in body["files"].values())
        return facts | {"bytes": total, "files": body["files"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedIndex(f"{folder.name}: {error}") from None


def check_files(folder: Path, files: Mapping[str, list[int]]) -> None:
    """Compare the files of a generation with what its manifest says of them.

    Raises:
        DamagedIndex: one is not there, or is not what was written.
    """
    for name, (size, crc) in files.items():
        path = folder / name
        try:
            if path.stat().st_size != size or _crc(path) != crc:
                raise DamagedIndex(f"{folder.name}: {name} is not what was written")
        except OSError as error:
            raise DamagedIndex(f"{folder.name}: {error}") from None


def write_durably(path: Path, text: str) -> None:
    """Write a file so that it is on the disk when this returns."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _crc(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found = zlib.crc32(chunk, found)
    return found


def _flush(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
