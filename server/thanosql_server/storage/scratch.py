"""A place for half-written and dropped things, emptied after killed processes.

Every process writes in a folder of its own, `<pid>-<random>`, beside a file of the same
name that it keeps locked (flock) while it lives. The kernel drops the lock however the
process ends, so whoever gets the lock of another's file may remove its folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import time
import uuid
import weakref
from typing import TYPE_CHECKING

from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked

if TYPE_CHECKING:
    from pathlib import Path

KEPT_SECONDS = 7 * 24 * 3600.0
"""How long the work of an interrupted statement waits to be continued."""

_LOCK_SUFFIX = ".lock"


class Scratch:
    """This process's folder below `parent`, on the same file system as its siblings."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        lock, path = _create_locked(parent)
        self._folder = path.with_suffix("")
        self._folder.mkdir()
        self._numbers = itertools.count(1)
        self._close = weakref.finalize(self, _release, lock, path)

    @property
    def folder(self) -> Path:
        """The folder itself, for whoever names their own things in it."""
        return self._folder

    def new_path(self) -> Path:
        """Return a path that nothing else uses; nothing is there yet."""
        return self._folder / str(next(self._numbers))

    def discard(self, path: Path) -> None:
        """Move a file or folder out of sight in one step, then remove it.

        Raises:
            FileNotFoundError: somebody else was faster.
        """
        hidden = self.new_path()
        path.rename(hidden)
        remove_tree(hidden)

    def close(self) -> None:
        """Remove the folder and give up its lock."""
        self._close()


def remove_old(parent: Path) -> None:
    """Remove the folders below `parent` that nobody has come back to for a week."""
    for folder in parent.glob("*"):
        # Busy ones are being continued right now.
        with (
            contextlib.suppress(FolderBusy, FolderGone, OSError),
            locked(folder, exclusive=True, wait=False),
        ):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as possible; the next server tries the rest."""
    shutil.rmtree(folder, ignore_errors=True)


def _create_locked(parent: Path) -> tuple[int, Path]:
    """Create and lock a file that no other process can have taken for abandoned."""
    while True:
        path = parent / f"{os.getpid()}-{uuid.uuid4().hex[:8]}{_LOCK_SUFFIX}"
        lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        # Between the two steps a starting process may have locked and removed it.
        if _try_lock(lock) and path.exists():
            return lock, path
        os.close(lock)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"*{_LOCK_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDWR)
            if _try_lock(lock):
                _release(lock, path)
            else:
                os.close(lock)


def _release(lock: int, path: Path) -> None:
    """Remove the folder first: as long as it is there, its file must be, too."""
    folder = path.with_suffix("")
    remove_tree(folder)
    if not folder.exists():
        path.unlink(missing_ok=True)
    os.close(lock)
