"""Views: queries kept as text under `<workspace>/.thanosql/views`, one file each.

A file is written in the scratch folder and renamed into place. Tables and views share
one space of names; whoever makes either holds the lock of `TableStore.naming`.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import DuplicateObject, InternalError, UndefinedTable
from thanosql_server.storage.names import entries, quote_name, unquote_name

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql_server.storage.scratch import Scratch
    from thanosql_server.storage.tables import TableStore

_SUFFIX = ".json"


@dataclass(frozen=True)
class View:
    """A view: its query as it was written, and its columns' names if it has others."""

    query: str
    columns: tuple[str, ...] | None = None


class ViewStore:
    """All views of one workspace; safe from any thread and process."""

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._scratch = scratch

    def names(self) -> list[str]:
        """Return the names of all views, sorted."""
        files = (path for path in entries(self._folder) if path.suffix == _SUFFIX)
        return sorted(name for path in files if (name := unquote_name(path.stem)))

    def exists(self, name: str) -> bool:
        """Return whether there is a view of this name."""
        return self._path(name).exists()

    def open(self, name: str) -> View:
        """Return a view.

        Raises:
            UndefinedTable: there is no such view.
            InternalError: its file is damaged.
        """
        try:
            kept = json.loads(self._path(name).read_text("utf-8"))
            columns = kept["columns"]
            return View(kept["query"], None if columns is None else tuple(columns))
        except FileNotFoundError:
            raise UndefinedTable(f"there is no view '{name}'") from None
        except (ValueError, KeyError, TypeError):
            raise InternalError(
                f"the file of view '{name}' is damaged; DROP VIEW removes it"
            ) from None

    def create(
        self, name: str, view: View, tables: TableStore, *, overwrite: bool
    ) -> None:
        """Keep a view.

        Raises:
            DuplicateObject: there is a table of this name, or a view.
        """
        staged = self._scratch.new_path()
        _write(staged, json.dumps(asdict(view), ensure_ascii=False))
        try:
            with tables.naming():
                if tables.exists(name):
                    raise DuplicateObject(
                        f"there is a table '{name}'; choose another name for the view"
                    )
                if self.exists(name) and not overwrite:
                    raise DuplicateObject(
                        f"view '{name}' already exists; choose another name, or write "
                        "CREATE OR REPLACE VIEW"
                    )
                staged.replace(self._path(name))
        finally:
            staged.unlink(missing_ok=True)

    def drop(self, name: str) -> None:
        """Remove a view.

        Raises:
            UndefinedTable: there is no such view.
        """
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise UndefinedTable(f"there is no view '{name}'") from None

    def _path(self, name: str) -> Path:
        return self._folder / (quote_name(name, "view") + _SUFFIX)


def _write(path: Path, text: str) -> None:
    """Write a file so that it is whole once it has its name, whatever happens."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())
