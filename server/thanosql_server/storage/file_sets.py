"""The files that one COPY reads: those of a pattern or of a folder, all of one kind."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidData, InvalidValue, PermissionDenied, nearest
from thanosql_server.storage.globs import (
    MOST_FILES,
    Found,
    files_below,
    limited,
)
from thanosql_server.storage.importers import FILE_KINDS, IMAGE_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.paths import PathPolicy

_SAME = {
    "pqt": "parquet",
    "arrows": "arrow",
    "feather": "arrow",
    "jsonl": "json",
    "ndjson": "json",
    "xlsm": "xlsx",
}
"""Extensions that say the same as another."""


def require_one_kind(pattern: str, found: list[Found]) -> None:
    """Refuse files that one statement cannot read.

    Raises:
        InvalidValue: they are of several kinds, or one is of no known kind.
    """
    for one in found:
        kind = _extension(one.shown)
        if kind in IMAGE_EXTENSIONS:
            raise InvalidValue(
                f"'{pattern}' matches pictures; COPY lists those of a folder, whose "
                "path has no wildcard"
            )
        if kind not in FILE_KINDS:
            raise InvalidValue(
                f"'{one.shown}' is of no known kind; files that can be read end in "
                f"{', '.join(FILE_KINDS)}{nearest(kind, FILE_KINDS)}"
            )
    kinds = _kinds(found)
    if len(kinds) > 1:
        raise InvalidValue(
            f"'{pattern}' matches files of several kinds, {' and '.join(kinds[:3])}; "
            f"let the pattern end in one of them, as in '*.{kinds[0]}'"
        )


def files_of_folder(
    folder: Path, shown: str, policy: PathPolicy, control: Control | None = None
) -> list[Found]:
    """Return the files in a folder and those below it, sorted by path.

    There are none if the folder holds a picture, or no file that holds rows.

    Raises:
        InvalidData: there are other files beside, or files of several kinds.
        Exception: see `matching_files`.
    """
    found: list[Found] = []
    refused: list[PermissionDenied] = []
    for one in files_below(folder, shown, policy, refused, control):
        if _extension(one.shown) in IMAGE_EXTENSIONS:
            return []
        if len(found) <= MOST_FILES and not _is_aside(one.shown, shown):
            found.append(one)
    kinds = _kinds(found)
    known = [kind for kind in kinds if kind in FILE_KINDS]
    if known and len(kinds) > 1:
        some = PurePosixPath(shown) / "**" / f"*.{known[0]}"
        others = " and ".join(kind or "none" for kind in islice(kinds, 3))
        raise InvalidData(
            f"the folder '{shown}' holds files of several kinds, {others}; name those "
            f"to read by a pattern, as in '{some}'"
        )
    if known and refused:
        raise refused[0]
    files = list(limited(shown, found)) if known else []
    return sorted(files, key=lambda one: one.shown)


def _is_aside(path: str, folder: str) -> bool:
    """Return whether a name on the way says "no data", as Spark's `_SUCCESS` does."""
    inside = PurePosixPath(path).relative_to(PurePosixPath(folder))
    return any(part.startswith("_") for part in inside.parts)


def _extension(shown: str) -> str:
    return PurePosixPath(shown).suffix.lower().removeprefix(".")


def _kinds(found: Iterable[Found]) -> list[str]:
    """Return the kinds of the files, each once."""
    extensions = (_extension(one.shown) for one in found)
    return sorted({_SAME.get(extension, extension) for extension in extensions})
