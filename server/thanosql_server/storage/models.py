"""Models: folders of files under `<workspace>/.thanosql/models/<name>/v<N>`.

A model is written in the scratch folder and renamed into place, which is its commit.
The highest N counts; older ones are removed after the commit.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from thanosql_server.errors import (
    DuplicateObject,
    InternalError,
    UndefinedObject,
    nearest,
)
from thanosql_server.storage.folder_lock import locked
from thanosql_server.storage.names import quote_name, unquote_name
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thanosql_server.storage.scratch import Scratch

logger = logging.getLogger(__name__)

CONFIG = "config.json"
METRICS = "metrics.json"

_VERSION = re.compile(r"v([1-9][0-9]*)")


@dataclass(frozen=True)
class Model:
    """One version of one model.

    Attributes:
        name: the model's name.
        version: number of the build, from 1.
        folder: holds config.json, weights and whatever else the family wrote.
        config: contents of config.json, as ``{"family": "SimCLR", "dim": 128}``.
        metrics: contents of metrics.json, empty if there is none.
        created: when it was built, in UTC.
    """

    name: str
    version: int
    folder: Path
    config: dict[str, Any] = field(repr=False)
    metrics: dict[str, Any] = field(repr=False)
    created: datetime


class ModelStore:
    """All models of one workspace; safe from any thread and process."""

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._scratch = scratch

    def names(self) -> list[str]:
        """Return the names of all models, sorted; damaged ones are listed, too."""
        named = ((unquote_name(path.name), path) for path in self._folder.iterdir())
        return sorted(name for name, path in named if name and _newest(path))

    def exists(self, name: str) -> bool:
        """Return whether there is a model of this name."""
        return _newest(self._path(name)) > 0

    def open(self, name: str) -> Model:
        """Return the newest version of a model.

        Raises:
            UndefinedObject: there is no such model.
            InternalError: its files are damaged.
        """
        path = self._path(name)
        version = _newest(path)
        if not version:
            raise self._undefined(name)
        try:
            return _read(name, version, path / f"v{version}")
        except FileNotFoundError:
            # Replaced or deleted since the look; a deleted one is not newer.
            if _newest(path) != version:
                return self.open(name)
            raise _damaged(name) from None
        except (OSError, ValueError) as failure:
            raise _damaged(name) from failure

    def list(self) -> list[Model]:
        """Return all models, sorted by name, without those that are damaged."""
        found = (self._open_or_none(name) for name in self.names())
        return [model for model in found if model]

    @contextmanager
    def create(self, name: str, *, overwrite: bool = False) -> Iterator[Path]:
        """Give a folder to write a model to; it becomes the model when the block ends.

        If the block raises, the folder vanishes and nothing has changed.

        Raises:
            DuplicateObject: the model exists, at the start or at the end of the block.
        """
        self._require_free(name, overwrite)
        staged = self._scratch.new_path()
        staged.mkdir()
        try:
            yield staged
            self._commit(name, staged, overwrite)
        finally:
            remove_tree(staged)

    def delete(self, name: str) -> None:
        """Remove a model with all its versions.

        Raises:
            UndefinedObject: there is no such model.
        """
        with locked(self._folder, exclusive=True):
            if not self.exists(name):
                raise self._undefined(name)
            self._scratch.discard(self._path(name))

    def _open_or_none(self, name: str) -> Model | None:
        try:
            return self.open(name)
        except (InternalError, UndefinedObject) as failure:
            logger.warning("left out of the list of models: %s", failure)
            return None

    def _commit(self, name: str, staged: Path, overwrite: bool) -> None:
        path = self._path(name)
        _flush(staged)
        with locked(self._folder, exclusive=True):
            self._require_free(name, overwrite)
            version = _newest(path) + 1
            path.mkdir(exist_ok=True)
            staged.rename(path / f"v{version}")
            for older in set(_versions(path)) - {version}:
                self._scratch.discard(path / f"v{older}")

    def _require_free(self, name: str, overwrite: bool) -> None:
        if self.exists(name) and not overwrite:
            raise DuplicateObject(
                f"model '{name}' already exists; choose another name, or replace it "
                "with overwrite=True"
            )

    def _path(self, name: str) -> Path:
        return self._folder / quote_name(name, "model")

    def _undefined(self, name: str) -> UndefinedObject:
        near = nearest(name, self.names()) or "; LIST MODEL shows the models there are"
        return UndefinedObject(f"there is no model '{name}'{near}")


def _versions(path: Path) -> list[int]:
    try:
        found = [_VERSION.fullmatch(entry.name) for entry in path.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(match[1]) for match in found if match]


def _newest(path: Path) -> int:
    """Return the highest version of a model, 0 if there is none."""
    return max(_versions(path), default=0)


def _read(name: str, version: int, folder: Path) -> Model:
    config = folder / CONFIG
    metrics = folder / METRICS
    return Model(
        name,
        version,
        folder,
        _read_object(config),
        _read_object(metrics) if metrics.exists() else {},
        datetime.fromtimestamp(config.stat().st_mtime, timezone.utc),
    )


def _read_object(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text("utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds no object")
    return value


def _damaged(name: str) -> InternalError:
    return InternalError(
        f"the files of model '{name}' are damaged; build it again with overwrite=True"
    )


def _flush(folder: Path) -> None:
    """Force all files to the disk: a rename alone may outlive what it renamed."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
