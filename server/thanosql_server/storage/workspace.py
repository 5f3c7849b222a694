"""The folder a server works in: the user's files and, under `.thanosql`, ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidValue
from thanosql_server.storage.hub import Hubs
from thanosql_server.storage.indexes import IndexStore
from thanosql_server.storage.models import ModelStore
from thanosql_server.storage.paths import OUR_FOLDER, PathPolicy
from thanosql_server.storage.scratch import Scratch
from thanosql_server.storage.tables import TableStore
from thanosql_server.storage.unfinished import Unfinished
from thanosql_server.storage.views import ViewStore

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql_server.config import Config


@dataclass(frozen=True)
class Workspace:
    """What a server keeps; several servers may share one folder.

    Attributes:
        paths: which of the user's files statements may read.
        tables: all tables.
        indexes: all indexes of tables.
        views: all views.
        models: all models.
        hubs: where data sets and models can be had.
        unfinished: what interrupted statements have embedded.
    """

    paths: PathPolicy
    tables: TableStore
    indexes: IndexStore
    views: ViewStore
    models: ModelStore
    hubs: Hubs
    unfinished: Unfinished
    _scratch: Scratch
    _spill: Scratch

    @classmethod
    def open(cls, config: Config) -> Workspace:
        """Open the workspace, make its folders, and clean up after killed servers.

        Raises:
            InvalidValue: the folder cannot be made or written.
        """
        ours = config.workspace.resolve() / OUR_FOLDER
        try:
            scratch = Scratch(ours / "trash")
            spill = Scratch(ours / "spill")
            views = ViewStore(ours / "views", scratch)
            tables = TableStore(ours / "tables", scratch, views)
            indexes = IndexStore(ours / "tables", scratch, tables)
            models = ModelStore(ours / "models", scratch)
            paths = PathPolicy(config.workspace, config.allowed_paths, config.mounts)
            hubs = Hubs(config.hubs, ours / "downloads", scratch, paths, models)
            unfinished = Unfinished(ours / "unfinished")
        except OSError as failure:
            raise InvalidValue(
                f"the workspace '{config.workspace}' cannot be used: {failure.strerror}"
            ) from failure
        return cls(
            paths, tables, indexes, views, models, hubs, unfinished, scratch, spill
        )

    @property
    def spill_folder(self) -> Path:
        """The folder for what does not fit in memory; it goes with the process."""
        return self._spill.folder

    def close(self) -> None:
        """Remove what is half-written; the workspace cannot be used afterwards."""
        self._scratch.close()
        self._spill.close()
