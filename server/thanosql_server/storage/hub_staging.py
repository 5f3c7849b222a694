"""Collects all files of a hub's entry in a folder that outlives a killed statement."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import queue
import shutil
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.errors import (
    Conflict,
    HubUnreachable,
    InternalError,
    ResourceExhausted,
    ThanoSQLError,
    UndefinedFile,
)
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.hub_download import Download, sha256_of
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_waiting import POLL_SECONDS
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thanosql_server.storage.hub_manifest import Entry, HubFile
    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_waiting import Patience

logger = logging.getLogger(__name__)

WORKERS = 8
"""Files of one entry that are fetched at the same time."""

KEPT_SECONDS = 7 * 24 * 3600.0
"""How long an unfinished download waits to be continued."""


@contextmanager
def staged(
    entry: Entry, source: Source, downloads: Path, patience: Patience, control: Control
) -> Iterator[Path]:
    """Give a folder with all files of `entry`, checked; it goes when the block ends.

    If the download fails, what is there stays, and the next one goes on from it.

    Raises:
        ThanoSQLError: the files cannot be had.
    """
    folder = downloads / _key(entry)
    files = folder / "files"
    with _held(folder, entry):
        files.mkdir(exist_ok=True)
        with disk_faults(entry):
            _require_room(entry, folder)
            _Collection(entry, source, folder, patience).run(control)
        try:
            yield files
        finally:
            remove_tree(folder)


@contextmanager
def disk_faults(entry: Entry) -> Iterator[None]:
    """Turn what the disk raises into our errors."""
    try:
        yield
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceExhausted(
                f"the server's disk is full, which stopped fetching {entry.words}; "
                "what was fetched is kept for the next try"
            ) from None
        logger.exception("fetching %s", entry.words)
        reason = os.strerror(failure.errno or 0)
        raise InternalError(
            f"{entry.words} could not be written to the server's disk: {reason}"
        ) from None


def remove_old(downloads: Path) -> None:
    """Remove downloads that nobody has continued for `KEPT_SECONDS`."""
    for folder in downloads.glob("*"):
        # Busy ones are being continued right now.
        with (
            suppress(FolderBusy, FolderGone, OSError),
            locked(folder, exclusive=True, wait=False),
        ):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                remove_tree(folder)


def unreachable(what: str, source: Source, failure: Exception) -> ThanoSQLError:
    """Return the error that says why `what` cannot be had from a hub."""
    if isinstance(failure, Missing):
        return UndefinedFile(f"{source.shown} has no {what}")
    return HubUnreachable(f"{what} cannot be fetched from {source.shown}: {failure}")


def _key(entry: Entry) -> str:
    """Return a name for the download: another one once the hub has other files."""
    content = "".join(f"{file.path}\0{file.sha256}\0" for file in entry.files)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"{entry.kind}-{digest[:32]}"


@contextmanager
def _held(folder: Path, entry: Entry) -> Iterator[None]:
    """Keep other statements, of any process, from fetching the same."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, exclusive=True, wait=False):
            yield
    except (FolderBusy, FolderGone):
        raise Conflict(
            f"another statement fetches {entry.words} right now; wait for it, or run "
            "the statement again"
        ) from None


def _require_room(entry: Entry, folder: Path) -> None:
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if entry.size - there > free:
        raise ResourceExhausted(
            f"{entry.words} has {entry.size >> 20} MiB, and the server's disk has "
            f"{free >> 20} MiB left"
        )


class _Collection:
    """Fetches every file of an entry that is not there yet, some at the same time.

    Over the internet a small file costs little but the wait for its first byte.
    """

    def __init__(
        self, entry: Entry, source: Source, folder: Path, patience: Patience
    ) -> None:
        self._entry = entry
        self._source = source
        self._folder = folder
        self._patience = patience
        self._lock = threading.Lock()
        self._done = 0
        # Stops the workers; the statement's own control stays as it is.
        self._leash = Control()
        self._files: queue.SimpleQueue[HubFile] = queue.SimpleQueue()
        for file in entry.files:
            self._files.put(file)

    def run(self, control: Control) -> None:
        """Fetch until all is there, or raise the first failure."""
        total = self._entry.size
        with ThreadPoolExecutor(WORKERS, "hub-file") as pool:
            pending = {pool.submit(self._work) for _ in range(WORKERS)}
            try:
                while pending:
                    control.report("fetching", self._done, total)
                    finished, pending = wait(pending, POLL_SECONDS, FIRST_EXCEPTION)
                    for worker in finished:
                        worker.result()
            finally:
                self._leash.cancel()
        control.report("fetching", total, total)

    def _work(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._leash.check()
                self._fetch(self._files.get_nowait())

    def _fetch(self, file: HubFile) -> None:
        target = self._folder / "files" / file.path
        if _is_there(target, file, self._leash):
            self._count(file.size)
            return
        part = self._folder / f"{hashlib.sha256(file.path.encode()).hexdigest()}.part"
        where = f"{self._entry.kind}/{self._entry.name}/{file.path}"
        counted = 0

        def report(have: int) -> None:
            nonlocal counted
            self._count(have - counted)
            counted = have

        try:
            Download(
                self._source, where, file, part, self._patience, self._leash, report
            ).run()
        except (Missing, Refused, Broken) as failure:
            what = f"'{file.path}' of {self._entry.words}"
            raise unreachable(what, self._source, failure) from None
        report(file.size)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)

    def _count(self, more: int) -> None:
        with self._lock:
            self._done += more


def _is_there(target: Path, file: HubFile, control: Control) -> bool:
    """Return whether an earlier statement has fetched this file, sound."""
    if not target.is_file() or target.stat().st_size != file.size:
        return False
    return sha256_of(target, control) == file.sha256
