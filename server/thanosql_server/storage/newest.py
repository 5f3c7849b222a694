"""The newest versions of tables, found and opened without listing all that are there.

A version is a file, and Lance finds the newest by listing its folder, which takes
longer the more there are (2.5 ms for 5,000). Versions are numbered without gaps, so
whoever knows one looks for the next by name (0.01 ms). Versions go from behind, in no
order: whoever removes some marks the table's folder while it does, and meanwhile the
folder is listed.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import lance
from lance.lance import _Session

from thanosql_server.storage.folder_lock import FolderGone, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_OPEN = 64
"""Tables that are kept open."""

CACHE_BYTES = 16 << 20
"""What each of them may remember of its files (their columns, not their rows)."""

_MOST_STEPS = 64
"""Versions that are looked for one by one; listing is quicker beyond that."""

_LAST = (1 << 64) - 1
"""Lance counts the names of versions down from here, so that the newest comes first."""

_VERSIONS = "_versions"
_CLEANING_NS = 0
"""Time of change of a folder whose old versions are being removed."""

_LOCKS = 256


@dataclass(frozen=True)
class _State:
    """A folder: which one, and whether versions of it were removed since."""

    device: int
    number: int
    entries_changed_ns: int
    changed_ns: int

    @classmethod
    def of(cls, folder: Path) -> _State:
        """Raises FileNotFoundError."""
        seen = os.stat(folder)
        return cls(seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)

    @property
    def settled(self) -> bool:
        return self.entries_changed_ns != _CLEANING_NS


@dataclass(frozen=True)
class _Entry:
    """A version, and how its table's folder and its own file looked then."""

    state: _State
    manifest: tuple[int, int, int]
    dataset: lance.LanceDataset


class Newest:
    """The tables that this process has open; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._committing = tuple(Lock() for _ in range(_LOCKS))

    def open(self, folder: Path) -> lance.LanceDataset:
        """Return the newest version of the table in `folder`; do not change it.

        Raises what Lance raises.
        """
        entry = self._entry(folder)
        if entry is not None:
            known: int = entry.dataset.version
            version = _following(folder, known)
            # Looked at last: what was removed before is marked by now.
            if version is not None and _is(folder, entry.state):
                if version == known and _seen(folder, known) == entry.manifest:
                    return entry.dataset
                newer = lance.dataset(
                    folder, version=version, session=entry.dataset.session()
                )
                return self._remember(folder, entry.state, newer)
        return self._listed(folder)

    def is_known(self, folder: Path) -> bool:
        """Return whether the table that was open last is there, without listing."""
        entry = self._entry(folder)
        return (
            entry is not None
            and _is(folder, entry.state)
            and os.path.exists(_manifest(folder, entry.dataset.version))
        )

    def commit(
        self, folder: Path, read: lance.LanceDataset, operation: Any, **how: Any
    ) -> lance.LanceDataset:
        """Commit on top of whatever others did, unless it touches the same things.

        One commit at a time is tried, or those of one process would get in each
        other's way. Raises what Lance raises.

        Args:
            folder: the table's folder.
            read: the version that the operation was made for.
            operation: Lance's.
            how: more for Lance.
        """
        with self._committing[hash(str(folder)) % _LOCKS]:
            state = _State.of(folder)
            made = lance.LanceDataset.commit(
                read, operation, read_version=read.version, **how
            )
            return self._remember(folder, state, made)

    def _listed(self, folder: Path) -> lance.LanceDataset:
        try:
            state = _State.of(folder)
        except FileNotFoundError:
            state = None
        session = _Session(
            index_cache_size_bytes=CACHE_BYTES, metadata_cache_size_bytes=CACHE_BYTES
        )
        dataset = lance.dataset(folder, session=session)
        return dataset if state is None else self._remember(folder, state, dataset)

    def _entry(self, folder: Path) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(str(folder))
            if entry is not None:
                self._entries.move_to_end(str(folder))
            return entry

    def _remember(
        self, folder: Path, state: _State, dataset: lance.LanceDataset
    ) -> lance.LanceDataset:
        manifest = _seen(folder, dataset.version)
        if not state.settled or manifest is None:
            return dataset
        with self._lock:
            old = self._entries.get(str(folder))
            newer = (
                old is None
                or old.state != state
                or old.dataset.version < dataset.version
            )
            if newer:
                self._entries[str(folder)] = _Entry(state, manifest, dataset)
                self._entries.move_to_end(str(folder))
            while len(self._entries) > MOST_OPEN:
                self._entries.popitem(last=False)
        return dataset


NEWEST = Newest()
"""Of this process: what is on the disk is the same for all its servers."""


@contextmanager
def removing_versions(folder: Path) -> Iterator[None]:
    """Let nobody count on old versions meanwhile; one at a time does this.

    If the process is killed in it, the folder is listed until the next time.
    """
    with _alone(folder):
        os.utime(folder, ns=(_CLEANING_NS, _CLEANING_NS))
        try:
            yield
        finally:
            now = time.time_ns()
            with suppress(FileNotFoundError):  # dropped meanwhile
                os.utime(folder, ns=(now, now))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for others who remove versions; a table may lack the folder they lock."""
    with ExitStack() as lock:
        with suppress(FolderGone):
            lock.enter_context(locked(folder / "_transactions", exclusive=True))
        yield


def _following(folder: Path, known: int) -> int | None:
    """Return the newest version after a known one; None if that is not to be told."""
    version = known
    while os.path.exists(_manifest(folder, version + 1)):
        version += 1
        if version - known == _MOST_STEPS:
            return None
    if version == known and not is_there(folder, known):
        return None
    return version


def _is(folder: Path, state: _State) -> bool:
    try:
        return _State.of(folder) == state
    except FileNotFoundError:
        return False


def is_there(folder: Path, version: int) -> bool:
    """Return whether a version is there, under the name that Lance gives it today."""
    return os.path.exists(_manifest(folder, version))


def _seen(folder: Path, version: int) -> tuple[int, int, int] | None:
    """Return what tells the file of a version from one that was cut short."""
    try:
        seen = os.stat(_manifest(folder, version))
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _manifest(folder: Path, version: int) -> str:
    return os.path.join(folder, _VERSIONS, f"{_LAST - version:020d}.manifest")
