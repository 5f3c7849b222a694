"""The folder a server works in: the user's files and, under `.thanosql`, ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidValue
from thanosql_server.storage.hub import Hubs
from thanosql_server.storage.indexes import IndexStore
from thanosql_server.storage.models import ModelStore
from thanosql_server.storage.paths import OUR_FOLDER, PathPolicy
from thanosql_server.storage.remote_files import RemoteFiles
from thanosql_server.storage.schemas import SchemaStore
from thanosql_server.storage.scratch import Scratch
from thanosql_server.storage.unfinished import Unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql_server.config import Config
    from thanosql_server.storage.tables import TableStore
    from thanosql_server.storage.views import ViewStore


@dataclass(frozen=True)
class Workspace:
    """What a server keeps; several servers may share one folder.

    Attributes:
        paths: which of the user's files statements may read.
        schemas: the schemas, with the tables and views of each.
        indexes: all indexes of tables.
        models: all models.
        hubs: where data sets and models can be had.
        remote: which files of other machines statements may read.
        unfinished: what interrupted statements have embedded.
        scratch: where files grow until they are whole.
    """

    paths: PathPolicy
    schemas: SchemaStore
    indexes: IndexStore
    models: ModelStore
    hubs: Hubs
    remote: RemoteFiles
    unfinished: Unfinished
    scratch: Scratch
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
            kept = timedelta(hours=config.version_retention)
            schemas = SchemaStore(ours, scratch, kept)
            indexes = IndexStore(schemas, scratch)
            models = ModelStore(ours / "models", scratch)
            paths = PathPolicy(config.workspace, config.allowed_paths, config.mounts)
            hubs = Hubs(config.hubs, ours / "downloads", scratch, paths, models)
            remote = RemoteFiles(config.allowed_urls, config.max_fetched_bytes, scratch)
            unfinished = Unfinished(ours / "unfinished")
        except OSError as failure:
            raise InvalidValue(
                f"the workspace '{config.workspace}' cannot be used: {failure.strerror}"
            ) from failure
        return cls(
            paths, schemas, indexes, models, hubs, remote, unfinished, scratch, spill
        )

    @property
    def tables(self) -> TableStore:
        """The tables of the schema `public`."""
        return self.schemas.public.tables

    @property
    def views(self) -> ViewStore:
        """The views of the schema `public`."""
        return self.schemas.public.views

    @property
    def spill_folder(self) -> Path:
        """The folder for what does not fit in memory; it goes with the process."""
        return self._spill.folder

    def close(self) -> None:
        """Remove what is half-written; the workspace cannot be used afterwards."""
        self.scratch.close()
        self._spill.close()
