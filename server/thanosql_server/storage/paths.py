"""Which files of the server a statement may read."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePosixPath

from thanosql_server.errors import (
    InvalidValue,
    PermissionDenied,
    UndefinedFile,
    nearest,
)

OUR_FOLDER = ".thanosql"
"""Folder in the workspace that holds tables and models; statements cannot read it."""

_SIBLINGS = 1000
"""How many neighbours of a missing file are compared with its name."""


class PathPolicy:
    """Turns paths as users write them into real ones, inside the allowed folders only.

    Args:
        workspace: folder against which relative paths resolve.
        allowed: further folders that statements may read.
        mounts: prefixes of absolute paths that have a home elsewhere.
    """

    def __init__(
        self,
        workspace: Path,
        allowed: tuple[Path, ...] = (),
        mounts: tuple[tuple[str, Path], ...] = (),
    ) -> None:
        self._workspace = _real(workspace)
        self._private = self._workspace / OUR_FOLDER
        by_length = sorted(mounts, key=lambda mount: len(mount[0]), reverse=True)
        self._mounts = tuple(
            (PurePosixPath(prefix), _real(home)) for prefix, home in by_length
        )
        homes = (home for _, home in self._mounts)
        self._roots = (self._workspace, *map(_real, allowed), *homes)

    def resolve(self, text: str) -> Path:
        """Return the real path that `text` means, whether or not anything is there.

        Symbolic links are followed before the check, so neither they nor ``..`` lead
        out of the allowed folders.

        Raises:
            InvalidValue: the text is no path at all.
            PermissionDenied: the path is outside the allowed folders.
        """
        _require_path(text)
        path = _real(self._placed(text))
        if not self.allows(path):
            raise PermissionDenied(
                f"'{text}' is outside the folders this server may read; move it into "
                "the workspace, or start the server with --allow-path for its folder"
            )
        return path

    def existing_file(self, text: str) -> Path:
        """Return the real path of a regular file.

        Raises:
            UndefinedFile: there is no such file; see `resolve` for other errors.
        """
        path = self.resolve(text)
        # os.path, not Path: the latter raises for names that are too long.
        if os.path.isdir(path):
            raise UndefinedFile(f"'{text}' is a folder; a file is needed here")
        if not os.path.isfile(path):
            raise UndefinedFile(f"there is no file '{text}'{self._hint(text, path)}")
        return path

    def existing_folder(self, text: str) -> Path:
        """Return the real path of a folder.

        Raises:
            UndefinedFile: there is no such folder; see `resolve` for other errors.
        """
        path = self.resolve(text)
        if os.path.isfile(path):
            raise UndefinedFile(f"'{text}' is a file; a folder is needed here")
        if not os.path.isdir(path):
            raise UndefinedFile(f"there is no folder '{text}'{self._hint(text, path)}")
        return path

    def new_file(self, text: str) -> Path:
        """Return the real path where a statement may write a file.

        Only the workspace is written to; other folders are for reading.

        Raises:
            InvalidValue: the text is no path at all.
            PermissionDenied: the path is outside the workspace, or among our files.
            UndefinedFile: its folder is not there, or it is a folder itself.
        """
        _require_path(text)
        path = _real(self._placed(text))
        if not path.is_relative_to(self._workspace) or not self.allows(path):
            raise PermissionDenied(
                f"'{text}' is outside the server's workspace, the only place where "
                "statements write files"
            )
        if os.path.isdir(path):
            raise UndefinedFile(f"'{text}' is a folder; name a file in it")
        if not os.path.isdir(path.parent):
            folder = str(PurePosixPath(text).parent)
            raise UndefinedFile(f"there is no folder '{folder}' to write into")
        return path

    def allows(self, path: Path) -> bool:
        """Return whether `path`, links followed, lies in an allowed folder."""
        path = _real(path)
        if path.is_relative_to(self._private):
            return False
        return any(path.is_relative_to(root) for root in self._roots)

    def _placed(self, text: str) -> Path:
        """Return where `text` points before links are followed."""
        written = PurePosixPath(text)
        for prefix, home in self._mounts:
            if written.is_relative_to(prefix):
                return home / written.relative_to(prefix)
        return self._workspace / text

    def _hint(self, text: str, path: Path) -> str:
        """Return the nearest neighbour's name, or how relative paths are meant."""
        try:
            with os.scandir(path.parent) as entries:
                near = nearest(path.name, [e.name for e in islice(entries, _SIBLINGS)])
        except OSError:
            near = ""
        if near or PurePosixPath(text).is_absolute():
            return near
        return "; relative paths start in the server's workspace"


def _require_path(text: str) -> None:
    if not text:
        raise InvalidValue("a path cannot be empty")
    try:
        unusable = b"\0" in os.fsencode(text)
    except UnicodeEncodeError:
        unusable = True
    if unusable:
        raise InvalidValue(f"{text!a} is not a path; it holds unusable characters")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
