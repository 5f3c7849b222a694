"""Schemas: spaces of names for tables and views.

`public` is always there: its tables and views lie in `.thanosql/tables` and
`.thanosql/views`. Each further schema is a folder `.thanosql/schemas/<name>` with two
such folders in it, made in the scratch folder and renamed into place.
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import EEXIST, ENOTEMPTY
from typing import TYPE_CHECKING

from thanosql_server.errors import (
    DuplicateObject,
    InvalidStatement,
    UndefinedObject,
    nearest,
)
from thanosql_server.storage.names import entries, quote_name, unquote_name
from thanosql_server.storage.paths import OUR_FOLDER
from thanosql_server.storage.scratch import remove_tree
from thanosql_server.storage.tables import TableStore
from thanosql_server.storage.versions import KEPT
from thanosql_server.storage.views import ViewStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path

    from thanosql_server.storage.scratch import Scratch

PUBLIC = "public"
"""The schema of names without a schema; it cannot be dropped."""

_TABLES, _VIEWS = "tables", "views"


def schema_at(tables: Path) -> str:
    """Return the schema whose tables lie in a folder."""
    home = tables.parent
    return PUBLIC if home.name == OUR_FOLDER else unquote_name(home.name) or PUBLIC


@dataclass(frozen=True)
class Space:
    """The tables and views of one schema; they share one space of names."""

    schema: str
    tables: TableStore
    views: ViewStore

    @classmethod
    def under(
        cls, folder: Path, schema: str, scratch: Scratch, kept: timedelta
    ) -> Space:
        """Return the tables and views that are kept in a folder."""
        views = ViewStore(folder / _VIEWS, scratch)
        return cls(schema, TableStore(folder / _TABLES, scratch, views, kept), views)


class SchemaStore:
    """All schemas of one workspace; safe from any thread and process.

    Args:
        ours: the folder in which they lie.
        scratch: where new ones are made.
        kept: how long replaced versions of tables stay.
    """

    def __init__(self, ours: Path, scratch: Scratch, kept: timedelta = KEPT) -> None:
        ours.mkdir(parents=True, exist_ok=True)
        self.public = Space.under(ours, PUBLIC, scratch, kept)
        self._folder = ours / "schemas"
        self._folder.mkdir(exist_ok=True)
        self._scratch = scratch
        self._kept = kept

    def names(self) -> list[str]:
        """Return the names of all schemas, sorted."""
        found = (unquote_name(path.name) for path in entries(self._folder))
        return sorted({PUBLIC, *(name for name in found if name)})

    def exists(self, name: str) -> bool:
        """Return whether there is a schema of this name."""
        return name == PUBLIC or self._path(name).is_dir()

    def open(self, name: str) -> Space:
        """Return the tables and views of a schema.

        Raises:
            UndefinedObject: there is no such schema.
        """
        if name == PUBLIC:
            return self.public
        if not self.exists(name):
            raise self._undefined(name)
        try:
            return Space.under(self._path(name), name, self._scratch, self._kept)
        except FileNotFoundError:
            raise self._undefined(name) from None

    def all(self) -> list[Space]:
        """Return every schema's tables and views, in the order of names."""
        spaces = []
        for name in self.names():
            try:
                spaces.append(self.open(name))
            except UndefinedObject:
                continue  # dropped meanwhile
        return spaces

    def tables(self) -> Iterator[tuple[Space, str]]:
        """Yield every table as its schema and its name, in order; none is opened."""
        for space in self.all():
            for name in space.tables.names():
                yield space, name

    def create(self, name: str) -> None:
        """Make a schema.

        Raises:
            DuplicateObject: there is a schema of this name.
        """
        if self.exists(name):
            raise _duplicate(name)
        staged = self._scratch.new_path()
        try:
            (staged / _TABLES).mkdir(parents=True)
            (staged / _VIEWS).mkdir()
            staged.rename(self._path(name))
        except OSError as failure:
            # Two that make it at once: a folder cannot be renamed to a filled one.
            if failure.errno not in (EEXIST, ENOTEMPTY):
                raise
            raise _duplicate(name) from None
        finally:
            remove_tree(staged)

    def drop(self, name: str, *, cascade: bool = False) -> None:
        """Remove a schema, with what is in it if `cascade` is set.

        Raises:
            UndefinedObject: there is no such schema.
            InvalidStatement: it is not empty, and `cascade` is not set.
            Conflict: another statement is writing to one of its tables.
        """
        space = self.open(name)
        with space.tables.naming(), space.tables.alone():
            held = [*space.tables.names(), *space.views.names()]
            if held and not cascade:
                raise InvalidStatement(
                    f"schema '{name}' holds '{held[0]}'"
                    + (f" and {len(held) - 1} more" if held[1:] else "")
                    + "; DROP SCHEMA ... CASCADE removes it with them"
                )
            self._scratch.discard(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / quote_name(name, "schema")

    def _undefined(self, name: str) -> UndefinedObject:
        return UndefinedObject(
            f"there is no schema '{name}'{nearest(name, self.names())}"
        )


def _duplicate(name: str) -> DuplicateObject:
    return DuplicateObject(f"schema '{name}' already exists")
