"""Collects all files of a hub's entry in a folder that outlives a killed statement."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from thanosql_server.storage.hub_pool import for_each
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import Entry, HubFile
    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_waiting import Patience

logger = logging.getLogger(__name__)

WORKERS = 8
"""Files of one entry that are fetched at the same time."""


@dataclass(frozen=True)
class Fetching:
    """One statement's fetching of one entry.

    Attributes:
        entry: what is fetched.
        folder: keeps what has arrived when the statement fails or is killed.
        shown: where statements will find a data set, such as `thanosql-dataset/x`.
        patience: how long hubs are waited for.
        control: of the statement.
    """

    entry: Entry
    folder: Path
    shown: str
    patience: Patience
    control: Control

    @property
    def files(self) -> Path:
        """The folder for what the data set or model will consist of."""
        return self.folder / "files"


@dataclass(frozen=True)
class Collected:
    """What was fetched.

    Attributes:
        folder: holds all of it, and nothing else.
        about: where it is from, for `config.json` of a model.
    """

    folder: Path
    about: dict[str, Any] = field(default_factory=dict)


@contextmanager
def staged(
    fetching: Fetching, fetch: Callable[[Fetching], dict[str, Any]]
) -> Iterator[Collected]:
    """Give what `fetch` has put into `fetching.files`; it goes when the block ends.

    If fetching fails, what is there stays, and the next one goes on from it.

    Raises:
        ThanoSQLError: the files cannot be had.
    """
    with _held(fetching.folder, fetching.entry):
        fetching.files.mkdir(exist_ok=True)
        with disk_faults(fetching.entry):
            about = fetch(fetching)
        try:
            yield Collected(fetching.files, about)
        finally:
            remove_tree(fetching.folder)


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


def unreachable(what: str, source: Source, failure: Exception) -> ThanoSQLError:
    """Return the error that says why `what` cannot be had from a hub."""
    if isinstance(failure, Missing):
        return UndefinedFile(f"{source.shown} has no {what}")
    return HubUnreachable(f"{what} cannot be fetched from {source.shown}: {failure}")


def download_key(entry: Entry) -> str:
    """Return a name for the download: another one once the hub has other files."""
    content = "".join(f"{file.path}\0{file.sha256}\0" for file in entry.files)
    digest = hashlib.sha256((content or entry.name).encode()).hexdigest()
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


def _require_room(fetching: Fetching, size: int) -> None:
    folder = fetching.folder
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if size - there > free:
        raise ResourceExhausted(
            f"{fetching.entry.words} has {size >> 20} MiB, and the server's disk has "
            f"{free >> 20} MiB left"
        )


def collect(
    fetching: Fetching,
    source: Source,
    files: Sequence[HubFile],
    into: Path,
    below: str = "",
) -> None:
    """Fetch every file that is not there yet, some at the same time.

    Args:
        fetching: whose folder keeps what has arrived.
        source: the hub.
        files: what to fetch.
        into: folder that gets them.
        below: where in the hub their paths begin, such as `models/m/`.

    Raises:
        ThanoSQLError: one of them cannot be had.
    """
    size = sum(file.size for file in files)
    _require_room(fetching, size)
    collection = _Collection(fetching, source, into, below)

    def watch() -> None:
        fetching.control.report("fetching", collection.done, size)

    for_each(files, collection.fetch, watch, WORKERS)
    fetching.control.report("fetching", size, size)


class _Collection:
    """The files of an entry on their way, and how many bytes have come."""

    def __init__(
        self, fetching: Fetching, source: Source, into: Path, below: str
    ) -> None:
        self._fetching = fetching
        self._source = source
        self._into = into
        self._below = below
        self._lock = threading.Lock()
        self.done = 0

    def fetch(self, file: HubFile, leash: Control) -> None:
        """Fetch one file, unless an earlier statement has done so."""
        target = self._into / file.path
        if _is_there(target, file, leash):
            self._count(file.size)
            return
        digest = hashlib.sha256(file.path.encode()).hexdigest()
        part = self._fetching.folder / f"{digest}.part"
        where = f"{self._below}{file.path}"
        patience = self._fetching.patience
        counted = 0

        def report(have: int) -> None:
            nonlocal counted
            self._count(have - counted)
            counted = have

        try:
            Download(self._source, where, file, part, patience, leash, report).run()
        except (Missing, Refused, Broken) as failure:
            what = f"'{file.path}' of {self._fetching.entry.words}"
            raise unreachable(what, self._source, failure) from None
        report(file.size)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)

    def _count(self, more: int) -> None:
        with self._lock:
            self.done += more


def _is_there(target: Path, file: HubFile, control: Control) -> bool:
    """Return whether an earlier statement has fetched this file, sound."""
    if not target.is_file() or target.stat().st_size != file.size:
        return False
    return sha256_of(target, control) == file.sha256
