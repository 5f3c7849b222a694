"""Tables: Lance datasets under `<workspace>/.thanosql/tables`, one folder each.

A statement's change is one commit of one manifest file: whatever kills the process,
a table is as it was before or as it is after. A new table is written in the scratch
folder and renamed into place. Writers hold a shared lock (flock) on the table's folder,
so that nobody drops it under them; readers hold none.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from errno import EEXIST, ENOTEMPTY
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
from lance.fragment import write_fragments

from thanosql_server.errors import (
    Conflict,
    DuplicateObject,
    UndefinedObject,
    UndefinedTable,
    nearest,
)
from thanosql_server.storage.columns import (
    declared_schema,
    fitting,
    origin_field,
    storable_schema,
)
from thanosql_server.storage.compaction import locked_alone, rows_in_place
from thanosql_server.storage.faults import Relay, translated
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.generated import with_origins
from thanosql_server.storage.names import entries, quote_name, unquote_name
from thanosql_server.storage.newest import NEWEST
from thanosql_server.storage.scan import ROW_ID
from thanosql_server.storage.scratch import remove_tree
from thanosql_server.storage.table import Table
from thanosql_server.storage.upserts import in_turn
from thanosql_server.storage.versions import KEPT, forget_old_versions, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from thanosql_server.storage.scratch import Scratch
    from thanosql_server.storage.views import ViewStore

__all__ = ["ROW_ID", "Table", "TableStore"]

_SUFFIX = ".lance"


class TableStore:
    """All tables of one schema; safe from any thread and process.

    Attributes:
        kept: how long replaced versions of tables stay.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Scratch,
        views: ViewStore,
        kept: timedelta = KEPT,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._scratch = scratch
        self._views = views
        self.kept = kept

    def names(self) -> list[str]:
        """Return the names of all tables, sorted; damaged ones are listed, too."""
        folders = (path for path in entries(self._folder) if path.suffix == _SUFFIX)
        named = ((unquote_name(path.stem), path) for path in folders)
        return sorted(name for name, path in named if name and _is_table(path))

    def exists(self, name: str) -> bool:
        """Return whether there is a table of this name."""
        return _is_table(self._path(name))

    @property
    def folder(self) -> Path:
        """The folder with a folder for each table."""
        return self._folder

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Keep others from giving a name to a table or a view meanwhile.

        Raises:
            UndefinedObject: the schema was dropped meanwhile.
        """
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(self._folder, exclusive=True))
            except FolderGone:
                raise UndefinedObject("the schema has been dropped meanwhile") from None
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all others from writing to any of the tables meanwhile.

        Raises:
            Conflict: another statement is writing to one.
        """
        with ExitStack() as locks:
            for name in self.names():
                locks.enter_context(self._alone(name, self._path(name)))
            yield

    def open(self, name: str, version: int | datetime | None = None) -> Table:
        """Return a version of a table: that of a number or a time, or the newest.

        Raises:
            UndefinedTable: there is no such table.
            InvalidValue: there is no such version, or no longer.
            DamagedTable: its files are damaged.
        """
        path = self.folder_of(name)
        with translated("opening", name):
            number = None if version is None else number_of(path, version, name)
            return Table(name, path, number, self.kept)

    def create(
        self,
        name: str,
        batches: pa.RecordBatchReader,
        *,
        overwrite: bool = False,
        origins_of: str | None = None,
    ) -> int:
        """Make a table of these rows in one commit and return their number.

        If the stream raises, its exception is raised and nothing has changed.

        Args:
            name: the table's name.
            batches: its rows.
            overwrite: whether to replace a table that exists.
            origins_of: a column whose origins (see `Table.origins`) the stream has, as
                `columns.origin_field`.

        Raises:
            DuplicateObject: the table exists; found before the stream is read.
            InvalidData: a column cannot be stored.
        """
        path = self._path(name)
        exists = _is_table(path)
        if exists and not overwrite:
            raise _duplicate(name)
        self._refuse_view(name)
        given = batches.schema
        ours = [] if origins_of is None else [origin_field(origins_of)]
        theirs = pa.schema([field for field in given if field not in ours])
        kept = pa.schema([*storable_schema(theirs), *ours], metadata=given.metadata)
        source = Relay(batches, kept, fitting(given, kept, hidden=True))
        if exists:
            self._overwrite(name, source)
        else:
            self._create(name, source)
        return source.rows

    def define(self, name: str, schema: pa.Schema, *, overwrite: bool = False) -> None:
        """Make a table without rows, with what is declared of it (see `facts`).

        Raises:
            DuplicateObject: the table exists.
            InvalidData: a column cannot be stored.
        """
        exists = _is_table(self._path(name))
        if exists and not overwrite:
            raise _duplicate(name)
        source = Relay((), with_origins(declared_schema(schema)))
        if exists:
            self._overwrite(name, source)
        else:
            self._create(name, source)

    def rename(self, old: str, new: str) -> None:
        """Give a table another name.

        Raises:
            UndefinedTable: there is no table `old`.
            DuplicateObject: there is a table `new`.
            Conflict: another statement is writing to it.
        """
        path = self._path(old)
        if not _is_table(path):
            raise self._undefined(old)
        if self.exists(new):
            raise DuplicateObject(f"table '{new}' already exists; choose another name")
        with self._alone(old, path):
            self._place(new, path)

    def append(self, name: str, batches: pa.RecordBatchReader) -> int:
        """Add rows to a table in one commit and return their number.

        Columns are matched by name and cast; those not given are NULL.

        Raises:
            UndefinedTable: there is no such table.
            UndefinedColumn: the stream has a column that the table lacks.
            InvalidData: a value does not fit into its column.
            Conflict: the table was replaced meanwhile.
        """
        with self.writing(name) as path:
            with translated("opening", name):
                dataset = NEWEST.open(path)
            fit = fitting(batches.schema, dataset.schema)
            source = Relay(batches, dataset.schema, fit)
            with translated("adding rows to", name, source):
                added = write_fragments(source.reader, dataset, mode="append")
                NEWEST.commit(path, dataset, lance.LanceOperation.Append(added))
        return source.rows

    @contextmanager
    def upserting(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Have the table's keys to oneself; see `upserts.in_turn`.

        Raises:
            UndefinedTable: there is no such table.
        """
        with ExitStack() as turn:
            try:
                turn.enter_context(in_turn(self._path(name), wait))
            except FolderGone:
                raise self._undefined(name) from None
            yield

    def drop(self, name: str) -> None:
        """Remove a table.

        Raises:
            UndefinedTable: there is no such table.
            Conflict: another statement is writing to it.
        """
        path = self._path(name)
        if not _is_table(path):
            raise self._undefined(name)
        with self._alone(name, path):
            self._scratch.discard(path)

    @contextmanager
    def _alone(self, name: str, path: Path) -> Iterator[None]:
        """Keep all others from writing to the table meanwhile."""
        with ExitStack() as lock:
            try:
                lock.enter_context(locked_alone(path))
            except FolderGone:
                raise self._undefined(name) from None
            except FolderBusy:
                raise Conflict(
                    f"another statement is writing to table '{name}'; try again"
                ) from None
            yield

    def _create(self, name: str, source: Relay) -> None:
        staged = self._scratch.new_path()
        try:
            with translated("writing", name, source):
                lance.write_dataset(source.reader, staged)
            self._place(name, staged)
        finally:
            remove_tree(staged)

    def _place(self, name: str, staged: Path) -> None:
        """Commit a new table: rename fails if another one has become the first."""
        path = self._path(name)
        if path.exists() and not _is_table(path):
            self._scratch.discard(path)
        try:
            with self.naming():
                self._refuse_view(name)
                staged.rename(path)
        except OSError as failure:
            if failure.errno not in (EEXIST, ENOTEMPTY):
                raise
            raise _duplicate(name) from None

    def _overwrite(self, name: str, source: Relay) -> None:
        with self.writing(name) as path:
            with translated("replacing", name, source):
                lance.write_dataset(source.reader, path, mode="overwrite")
            forget_old_versions(path, self.kept)

    def _refuse_view(self, name: str) -> None:
        if self._views.exists(name):
            raise DuplicateObject(
                f"there is a view '{name}'; choose another name for the table"
            )

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Keep others from dropping the table meanwhile."""
        path = self._path(name)
        try:
            with locked(path):
                yield path
        except FolderGone:
            raise self._undefined(name) from None

    @contextmanager
    def rows_in_place(self, name: str) -> Iterator[None]:
        """Keep the rows of a table at their row ids; others may add and change some.

        For statements that open a table, work for long and then change what they saw.
        """
        try:
            with rows_in_place(self.folder_of(name)):
                yield
        except FolderGone:
            raise self._undefined(name) from None

    def folder_of(self, name: str) -> Path:
        """Return the folder of a table.

        Raises:
            UndefinedTable: there is no such table.
        """
        path = self._path(name)
        if not (NEWEST.is_known(path) or _is_table(path)):
            raise self._undefined(name)
        return path

    def _path(self, name: str) -> Path:
        return self._folder / (quote_name(name, "table") + _SUFFIX)

    def _undefined(self, name: str) -> UndefinedTable:
        return UndefinedTable(
            f"there is no table '{name}'{nearest(name, self.names())}"
        )


def _is_table(path: Path) -> bool:
    """Return whether a commit was ever made there; its files may be damaged still."""
    try:
        with os.scandir(path / "_versions") as entries:
            return any(entry.name.endswith(".manifest") for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _duplicate(name: str) -> DuplicateObject:
    return DuplicateObject(
        f"table '{name}' already exists; choose another name, or replace it "
        "with overwrite=True"
    )
