"""The history of tables: one version per commit, for as long as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lance

from thanosql_server.storage.faults import translated
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.names import entries
from thanosql_server.storage.newest import removing_versions
from thanosql_server.storage.versions import forget_old_versions, in_utc

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

    from thanosql_server.storage.tables import TableStore

_OPERATIONS = {
    "Append": "insert",
    "Delete": "delete",
    "Update": "update",
    "Overwrite": "replace",
    "Restore": "restore",
    "Rewrite": "compact",
}
"""Lance's operations in our words; all others change columns."""


@dataclass(frozen=True)
class Version:
    """One version of a table.

    Attributes:
        number: counts the commits of the table from 1.
        committed: when it was made, in UTC.
        operation: what made it: create, insert, update, delete, alter, replace, restore
            or compact; None if that is no longer known.
        rows: its number of rows.
        bytes: the size of its files, which versions share.
    """

    number: int
    committed: datetime
    operation: str | None
    rows: int
    bytes: int


@dataclass(frozen=True)
class Removed:
    """What a VACUUM removed."""

    versions: int
    bytes: int


class History:
    """The versions of the tables of one schema; safe from any thread and process.

    Args:
        tables: the tables.
    """

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a table that are there, the oldest first.

        Raises:
            UndefinedTable: there is no such table.
        """
        folder = self._tables.folder_of(name)
        with translated("reading", name):
            dataset = lance.dataset(folder)
            return [_version(dataset, one) for one in dataset.versions()]

    def restore(self, name: str, version: int | datetime) -> None:
        """Make an old version the newest one, in one commit that copies nothing.

        Raises:
            UndefinedTable: there is no such table.
            InvalidValue: there is no such version, or no longer.
        """
        table = self._tables.open(name, version)
        with self._tables.writing(name) as folder, translated("restoring", name):
            old: Any = lance.dataset(folder, version=table.version)
            old.restore()
            forget_old_versions(folder, self._tables.kept)

    def vacuum(self, name: str, kept: timedelta | None = None) -> Removed:
        """Remove versions replaced longer ago than `kept`, and files of no version.

        Files that no version knows may be those of a statement that is writing now.
        They go only if nobody writes to the table; else they stay for the next time.

        Raises:
            UndefinedTable: there is no such table.
        """
        folder = self._tables.folder_of(name)
        limit = self._tables.kept if kept is None else kept
        try:
            with locked(folder, exclusive=True, wait=False):
                return _cleaned(name, folder, limit, alone=True)
        except FolderGone:
            self._tables.folder_of(name)
            raise
        except FolderBusy:
            with self._tables.writing(name):
                return _cleaned(name, folder, limit, alone=False)


def _version(dataset: lance.LanceDataset, facts: Any) -> Version:
    number, counts = facts["version"], facts["metadata"]
    return Version(
        number,
        in_utc(facts["timestamp"]),
        _operation(dataset, number),
        int(counts.get("total_rows", 0)),
        int(counts.get("total_files_size", 0)),
    )


def _cleaned(name: str, folder: Path, kept: timedelta, *, alone: bool) -> Removed:
    with translated("cleaning up", name), removing_versions(folder):
        removed = lance.dataset(folder).cleanup_old_versions(
            older_than=kept, delete_unverified=alone
        )
        stray = _without_stray_marks(folder) if alone else 0
    return Removed(int(removed.old_versions), int(removed.bytes_removed) + stray)


def _without_stray_marks(folder: Path) -> int:
    """Remove marks of deleted rows that no version has, and return their bytes.

    Lance looks for them in some cases only. Nobody may write to the table.
    """
    files = {path.stem: path for path in entries(folder / "_deletions")}
    newest = lance.dataset(folder)
    if len(files) <= len(_marks(newest)):
        return 0
    for one in newest.versions():
        for known in _marks(lance.dataset(folder, version=one["version"])):
            files.pop(known, None)
    size = sum(path.stat().st_size for path in files.values())
    for path in files.values():
        path.unlink()
    return size


def _marks(dataset: lance.LanceDataset) -> list[str]:
    """Return the names of a version's files of marks, without what they end in."""
    metadata = [fragment.metadata for fragment in dataset.get_fragments()]
    return [
        f"{one.id}-{one.deletion_file.read_version}-{one.deletion_file.id}"
        for one in metadata
        if one.deletion_file is not None
    ]


def _operation(dataset: lance.LanceDataset, number: int) -> str | None:
    try:
        transaction = dataset.read_transaction(number)
    except Exception:  # its file has gone; Lance has one exception type for all
        return None
    if transaction is None:
        return None
    kind = type(transaction.operation).__name__
    if kind == "Overwrite" and transaction.read_version == 0:
        return "create"
    return _OPERATIONS.get(kind, "alter")
