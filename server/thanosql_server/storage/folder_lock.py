"""A lock on a folder that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderGone(Exception):
    """The folder is not there, or another has taken its place."""


class FolderBusy(Exception):
    """Somebody else holds a lock that excludes this one."""


@contextmanager
def locked(
    folder: Path, *, exclusive: bool = False, wait: bool = True
) -> Iterator[None]:
    """Hold a lock (flock) on `folder`: many share it, or one has it exclusively.

    Raises:
        FolderGone: the folder is not there, or was moved before the lock was had.
        FolderBusy: with `wait=False`, somebody else has a lock that excludes this one.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise FolderGone from None
    try:
        _lock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        if not _is_still(folder, descriptor):
            raise FolderGone
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        raise FolderBusy from None


def _is_still(folder: Path, descriptor: int) -> bool:
    """Return whether the path still leads to the folder that is open."""
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False
