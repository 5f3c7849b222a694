"""Indexes: folders beside the data of the table they belong to.

`<table>.lance/_thanosql_indexes/<name>` holds what was asked for and the generations
that were made of it, `g1`, `g2` and so on, of which the newest counts. A generation is
written in the scratch folder and renamed into place, so that it is there whole or not
at all; it tells which of the table's files it was made of, and is never trusted beyond
that. An index goes with its table wherever that goes: it is renamed and dropped with
it. Names are unique in the workspace; whoever takes one, or puts a generation in its
place, holds the lock of `TableStore.naming`.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.errors import (
    Conflict,
    DuplicateObject,
    ResourceExhausted,
    UndefinedObject,
    UndefinedTable,
    nearest,
)
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.index_files import seal, write_durably
from thanosql_server.storage.index_records import (
    DEFINITION,
    FOLDER,
    Definition,
    Index,
    generations,
    read_indexes,
)
from thanosql_server.storage.names import quote_name, unquote_name
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.storage.schemas import SchemaStore
    from thanosql_server.storage.scratch import Scratch
    from thanosql_server.storage.table import Table

_SUFFIX = ".lance"
_SETTLED_NS = 50_000_000
"""Folders that changed this recently are looked at again: their clocks are coarse."""


class IndexStore:
    """All indexes of one workspace; safe from any thread and process.

    Their names are taken once in all schemas.
    """

    def __init__(self, schemas: SchemaStore, scratch: Scratch) -> None:
        self._schemas = schemas
        self._scratch = scratch
        self._known: dict[str, tuple[tuple[int, ...], tuple[Index, ...]]] = {}

    def of(self, place: str) -> tuple[Index, ...]:
        """Return the indexes of one table, by name."""
        root = os.path.join(place, FOLDER)
        known = self._known.get(place)
        if known is not None and _times(root, known[1]) == known[0]:
            return known[1]
        found = tuple(read_indexes(place))
        times = _times(root, found)
        if times is None:
            self._known.pop(place, None)
        elif max(times) < time.time_ns() - _SETTLED_NS:
            self._known[place] = (times, found)
        return found

    def all(self) -> list[Index]:
        """Return the indexes of all tables, by their names."""
        places = sorted(
            place
            for space in self._schemas.all()
            for place in space.tables.folder.glob(f"*{_SUFFIX}/{FOLDER}")
        )
        found = [one for place in places for one in self.of(str(place.parent))]
        return sorted(found, key=lambda one: one.definition.name)

    def find(self, name: str) -> Index:
        """Return an index.

        Raises:
            UndefinedObject: there is none of this name.
        """
        found = self.all()
        for one in found:
            if one.definition.name == name:
                return one
        hint = nearest(name, [one.definition.name for one in found])
        raise UndefinedObject(f"there is no index '{name}'{hint}")

    def exists(self, name: str) -> bool:
        """Return whether the name of an index is taken."""
        return any(one.definition.name == name for one in self.all())

    def create(
        self,
        table: Table,
        definition: Definition,
        write: Callable[[Path], dict[str, Any]],
    ) -> None:
        """Make an index in one step.

        Args:
            table: what it belongs to.
            definition: what was asked for.
            write: fills a folder with the files of the first generation and returns
                its facts.

        Raises:
            DuplicateObject: the name is taken.
            UndefinedTable: the table was dropped meanwhile.
        """
        self.require_free(definition.name)
        staged = self._scratch.new_path()
        try:
            staged.mkdir()
            write_durably(staged / DEFINITION, json.dumps(asdict(definition)))
            self._write(staged / "g1", definition, write)
            with self._placing(table.place):
                self.require_free(definition.name)
                root = Path(table.place) / FOLDER
                root.mkdir(exist_ok=True)
                path = root / quote_name(definition.name, "index")
                if path.exists():  # what is left of one that nobody can read
                    self._scratch.discard(path)
                staged.rename(path)
        finally:
            remove_tree(staged)

    def renew(
        self,
        index: Index,
        definition: Definition,
        write: Callable[[Path], dict[str, Any]],
    ) -> None:
        """Put a new generation in the place of the old ones.

        Whoever calls holds the index (see `held`).

        Raises:
            Conflict: the index or its table was dropped meanwhile.
        """
        staged = self._scratch.new_path()
        try:
            self._write(staged, definition, write)
            with self._placing(index.place):
                if not index.folder.is_dir():
                    raise FolderGone
                old = generations(index.folder)
                number = max(old, default=0) + 1
                staged.rename(index.folder / f"g{number}")
            for _, path in sorted(old.items()):
                self._scratch.discard(path)
        except (FolderGone, UndefinedTable):
            raise Conflict(f"index '{definition.name}' was dropped meanwhile") from None
        finally:
            remove_tree(staged)

    @contextmanager
    def held(self, index: Index) -> Iterator[None]:
        """Keep others from renewing an index meanwhile; they may drop it.

        Raises:
            Conflict: somebody else is at it, or it was dropped.
        """
        try:
            with locked(index.folder, exclusive=True, wait=False):
                yield
        except (FolderBusy, FolderGone):
            raise Conflict(
                f"index '{index.definition.name}' is being renewed or was dropped"
            ) from None

    def is_held(self, index: Index) -> bool:
        """Return whether somebody is renewing an index."""
        try:
            with locked(index.folder, wait=False):
                return False
        except FolderBusy:
            return True
        except FolderGone:
            return False

    def drop(self, index: Index) -> None:
        """Remove an index.

        Raises:
            UndefinedObject: it is gone already.
        """
        with self._schemas.public.tables.naming():
            try:
                self._scratch.discard(index.folder)
            except FileNotFoundError:
                name = index.definition.name
                raise UndefinedObject(f"there is no index '{name}'") from None

    def require_free(self, name: str) -> None:
        """Raise DuplicateObject if there is an index of this name."""
        if self.exists(name):
            raise DuplicateObject(
                f"index '{name}' already exists; choose another name, or DROP INDEX it"
            )

    def _write(
        self,
        folder: Path,
        definition: Definition,
        write: Callable[[Path], dict[str, Any]],
    ) -> None:
        folder.mkdir()
        try:
            facts = write(folder)
            kept = {"definition": asdict(definition), "identity": uuid.uuid4().hex}
            seal(folder, facts | kept)
        except OSError as failure:
            raise ResourceExhausted(
                f"index '{definition.name}' cannot be written: {failure.strerror}"
            ) from failure

    @contextmanager
    def _placing(self, place: str) -> Iterator[None]:
        """Keep others from dropping the table and from taking names."""
        try:
            with self._schemas.public.tables.naming(), locked(Path(place)):
                yield
        except FolderGone:
            raise UndefinedTable(
                f"table '{unquote_name(Path(place).stem)}' was dropped or renamed "
                "meanwhile"
            ) from None


def _times(root: str, indexes: tuple[Index, ...]) -> tuple[int, ...] | None:
    """Return when the folders of a table's indexes last changed; None without any."""
    try:
        return (
            os.stat(root).st_mtime_ns,
            *(os.stat(one.folder).st_mtime_ns for one in indexes),
        )
    except FileNotFoundError:
        return None
