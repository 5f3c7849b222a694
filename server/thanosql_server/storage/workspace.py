"""The folder a server works in: the user's files and, under `.thanosql`, ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.storage.models import ModelStore
from thanosql_server.storage.paths import OUR_FOLDER, PathPolicy
from thanosql_server.storage.scratch import Scratch
from thanosql_server.storage.tables import TableStore

if TYPE_CHECKING:
    from thanosql_server.config import Config


@dataclass(frozen=True)
class Workspace:
    """What a server keeps; several servers may share one folder.

    Attributes:
        paths: which of the user's files statements may read.
        tables: all tables.
        models: all models.
    """

    paths: PathPolicy
    tables: TableStore
    models: ModelStore
    _scratch: Scratch

    @classmethod
    def open(cls, config: Config) -> Workspace:
        """Open the workspace, make its folders, and clean up after killed servers."""
        ours = config.workspace.resolve() / OUR_FOLDER
        scratch = Scratch(ours / "trash")
        return cls(
            PathPolicy(config.workspace, config.allowed_paths, config.mounts),
            TableStore(ours / "tables", scratch),
            ModelStore(ours / "models", scratch),
            scratch,
        )

    def close(self) -> None:
        """Remove what is half-written; the workspace cannot be used afterwards."""
        self._scratch.close()
