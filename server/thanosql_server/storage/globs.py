"""Which files a pattern such as `sales/**/part-*.parquet`, or a folder, means.

`*`, `?` and `[...]` stand for signs of one name, `**` for any number of folders. Names
that begin with a dot are met only by a pattern that says the dot. Every file and every
folder on the way must lie, links followed, in a folder that statements may read.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from thanosql_server.errors import (
    InvalidData,
    InvalidValue,
    PermissionDenied,
    ResourceExhausted,
    UndefinedFile,
)
from thanosql_server.storage.image_folders import is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.storage.paths import PathPolicy

MOST_FILES = 100_000
"""How many files one statement may read."""

_SIGNS = re.compile(r"[*?\[]")
_DEEP = "**"
_Any = TypeVar("_Any")


class Found(NamedTuple):
    """A file: where it is, and its path as the user would write it."""

    path: Path
    shown: str


def is_glob(text: str) -> bool:
    """Return whether a path is a pattern rather than the name of one file."""
    return _SIGNS.search(text) is not None


def split(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Return the folder in front of the first sign of a pattern, and the other parts.

    Raises:
        InvalidValue: `**` is there more than once, or `..` behind a sign.
    """
    parts = PurePosixPath(pattern).parts
    first = next(n for n, part in enumerate(parts) if is_glob(part))
    rest = parts[first:]
    if rest.count(_DEEP) > 1:
        raise InvalidValue(f"'{pattern}' has '**' more than once; one is enough")
    if ".." in rest:
        raise InvalidValue(f"'{pattern}' has '..' behind a wildcard; leave it out")
    if rest[-1] == _DEEP:
        rest = (*rest, "*")
    return str(PurePosixPath(*parts[:first])), rest


def matching_files(
    pattern: str, policy: PathPolicy, control: Control | None = None
) -> list[Found]:
    """Return the files that a pattern means, sorted by path.

    Raises:
        UndefinedFile: there is none, or no such folder.
        PermissionDenied: a file or a folder on the way lies where none may be read.
        InvalidData: a folder cannot be listed.
        InvalidValue: the pattern is none.
        ResourceExhausted: there are more than `MOST_FILES`.
        Cancelled: the statement was cancelled.
    """
    base, rest = split(pattern)
    top = policy.existing_folder(base)
    walk = _Walk(policy, control)
    # Without a folder in front, the paths begin with what was found.
    start = "" if base == "." else base
    found = list(limited(pattern, walk.files(top, start, rest, ())))
    if not found:
        where = "" if PurePosixPath(pattern).is_absolute() else _RELATIVE
        raise UndefinedFile(f"no file matches '{pattern}'{where}")
    return sorted(found, key=lambda one: one.shown)


_RELATIVE = "; relative paths start in the server's workspace"


def files_below(
    folder: Path,
    shown: str,
    policy: PathPolicy,
    refused: list[PermissionDenied],
    control: Control | None = None,
) -> Iterator[Found]:
    """Yield the files in a folder and in those below it, in no particular order.

    What may not be read is left out, and its error put into `refused`; other errors
    are those of `matching_files`.
    """
    return _Walk(policy, control, refused).files(folder, shown, (_DEEP, "*"), ())


def matches(pattern: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Return whether the parts of a path are what those of a pattern mean."""
    if not pattern or not names:
        return not pattern and not names
    first, rest = pattern[0], pattern[1:]
    if first == _DEEP:
        return matches(rest, names) or (
            not names[0].startswith(".") and matches(pattern, names[1:])
        )
    return _is_match(names[0], first) and matches(rest, names[1:])


def limited(pattern: str, found: Iterable[_Any]) -> Iterator[_Any]:
    """Yield what was found, up to `MOST_FILES`; raise ResourceExhausted beyond."""
    for count, one in enumerate(found, 1):
        if count > MOST_FILES:
            raise ResourceExhausted(
                f"'{pattern}' means more than the {MOST_FILES:,} files that one "
                "statement may read; copy them in several statements"
            )
        yield one


def _is_match(name: str, pattern: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatchcase(name, pattern)


class _Walk:
    """A walk through folders that may be read."""

    def __init__(
        self,
        policy: PathPolicy,
        control: Control | None,
        refused: list[PermissionDenied] | None = None,
    ) -> None:
        self._policy = policy
        self._control = control
        self._refused = refused

    def files(
        self, folder: Path, shown: str, pattern: tuple[str, ...], above: tuple[str, ...]
    ) -> Iterator[Found]:
        """Yield the files below a folder that a pattern means, each once.

        Args:
            folder: its real path.
            shown: its path as the user would write it.
            pattern: parts that the path below the folder must match.
            above: real paths of the folders that `**` went through, to notice links
                that lead in circles.
        """
        first, rest = pattern[0], pattern[1:]
        if first == _DEEP:
            if str(folder) in above:
                return
            yield from self.files(folder, shown, rest, ())
            inside = (*above, str(folder))
            for below in self._readable(folder, shown, "*", os.path.isdir):
                yield from self.files(*below, pattern, inside)
        elif rest:
            for below in self._readable(folder, shown, first, os.path.isdir):
                yield from self.files(*below, rest, ())
        else:
            yield from self._readable(folder, shown, first, os.path.isfile)

    def _readable(
        self,
        folder: Path,
        shown: str,
        pattern: str,
        is_wanted: Callable[[Path], bool],
    ) -> Iterator[Found]:
        """Yield what in one folder has a matching name, and may be read."""
        for name in self._names(folder, shown, pattern):
            if not is_wanted(folder / name):
                continue
            one = Found(
                Path(os.path.realpath(folder / name)), os.path.join(shown, name)
            )
            if self._policy.allows(one.path):
                yield one
            else:
                self._refuse(one)

    def _refuse(self, one: Found) -> None:
        error = PermissionDenied(
            f"'{one.shown}' is outside the folders this server may read; move it into "
            "the workspace, or start the server with --allow-path for its folder"
        )
        if self._refused is None:
            raise error
        self._refused.append(error)

    def _names(self, folder: Path, shown: str, pattern: str) -> list[str]:
        if self._control is not None:
            self._control.check()
        if not is_glob(pattern):
            return [pattern] if os.path.lexists(folder / pattern) else []
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries]
        except OSError as failure:
            raise InvalidData(
                f"the folder '{shown or '.'}' cannot be listed: {failure.strerror}"
            ) from failure
        return [n for n in names if _is_match(n, pattern) and is_text(n)]
