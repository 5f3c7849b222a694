"""Models by name: those of the workspace, and those that a hub would give."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.engine.fetched import place_model
from thanosql_server.errors import (
    InvalidData,
    Position,
    ThanoSQLError,
    UndefinedObject,
    nearest,
)
from thanosql_server.ml.families import family, preload
from thanosql_server.storage.models import Model

if TYPE_CHECKING:
    from thanosql_server.ml.families import Family
    from thanosql_server.storage.hub_manifest import Entry
    from thanosql_server.storage.workspace import Workspace

NOT_FETCHED = 0
"""Version of a model that a hub has and the workspace will have; true ones count
from 1."""


@dataclass(frozen=True)
class ModelHandle:
    """A model as statements refer to it: nothing of it is loaded yet.

    It may not be there yet, see `Models.ensure`; what planning needs is known.
    """

    model: Model
    family: Family

    @property
    def name(self) -> str:
        """The model's name in lower case."""
        return self.model.name

    @property
    def dim(self) -> int:
        """Numbers per embedding."""
        return int(self.model.config["dim"])


class Models:
    """Finds models, and fetches those that only a hub has if it may.

    Args:
        workspace: has models and hubs.
        fetch: whether a statement may fetch a model that it names.
    """

    def __init__(self, workspace: Workspace, *, fetch: bool = False) -> None:
        self._workspace = workspace
        self._may_fetch = fetch

    def find(
        self,
        name: str,
        position: Position | None = None,
        control: Control | None = None,
    ) -> ModelHandle:
        """Return the model called `name`, in whatever case it is written.

        A model that only a hub has, and that may be fetched, is fetched here if the
        hub does not say enough of it to plan a statement; else by `ensure`.

        Args:
            name: as the statement has it.
            position: where the statement has it.
            control: of the statement, if it runs already.

        Raises:
            UndefinedObject: there is no such model; says which GET to run, if any.
        """
        models, name = self._workspace.models, name.lower()
        if models.exists(name):
            return _handle(models.open(name))
        if not self._may_fetch:
            raise UndefinedObject(self._absent(name), position=position)
        control = control or Control()
        try:
            entry = self._workspace.hubs.offers.find("models", name, control).entry
            if entry.dim is not None:
                return _handle(_announced(name, entry))
            self._fetch(name, control)
        except ThanoSQLError as error:
            raise error.at(position) from None
        return _handle(models.open(name))

    def ensure(
        self, handle: ModelHandle, control: Control, position: Position | None = None
    ) -> ModelHandle:
        """Return the model as it is in the workspace, fetched now if it is not there.

        Raises:
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        if handle.model.version != NOT_FETCHED:
            return handle
        try:
            if not self._workspace.models.exists(handle.name):
                self._fetch(handle.name, control)
            return self.present(handle)
        except ThanoSQLError as error:
            raise error.at(position) from None

    def present(self, handle: ModelHandle) -> ModelHandle:
        """Return the same model, as the workspace has it by now.

        Raises:
            ThanoSQLError: it is not there, or is not what the hub has announced.
        """
        if handle.model.version != NOT_FETCHED:
            return handle
        present = _handle(self._workspace.models.open(handle.name))
        if (present.dim, present.family) != (handle.dim, handle.family):
            raise InvalidData(
                f"model '{handle.name}' was announced as a {handle.family.name} of "
                f"{handle.dim} numbers, and is a {present.family.name} of "
                f"{present.dim}; run the statement again"
            )
        return present

    def is_current(self, handle: ModelHandle) -> bool:
        """Return whether the workspace still has exactly this model."""
        try:
            return self._workspace.models.open(handle.name) == handle.model
        except ThanoSQLError:
            return False

    def _fetch(self, name: str, control: Control) -> None:
        self._workspace.hubs.fetch_model(name, control, place_model)

    def _absent(self, name: str) -> str:
        """Return the sentence about a model that is not there: what to do."""
        at_hand = self._workspace.hubs.offers.known_at_hand("models")
        offered = next((one for one in at_hand if one.lower() == name), None)
        hint = (
            (f"; GET THANOSQL MODEL {offered} fetches it" if offered else "")
            or nearest(name, [*self._workspace.models.names(), *at_hand])
            or "; LIST MODEL shows those there are"
        )
        return f"there is no model '{name}'{hint}"

    def preload(self) -> None:
        """Import what the workspace's models need; meant for a thread of its own.

        torch and open_clip take ten seconds, which the first search would wait for.
        """
        models = self._workspace.models
        with suppress(ThanoSQLError):  # of a damaged model, its first use tells
            for name in models.names():
                preload(models.open(name).config["family"])


def _handle(model: Model) -> ModelHandle:
    return ModelHandle(model, family(model.config["family"]))


def _announced(name: str, entry: Entry) -> Model:
    """Return the model that an entry will become, as far as it is known."""
    config = {"family": entry.category, "dim": entry.dim}
    since = datetime.fromtimestamp(0, timezone.utc)
    return Model(name, NOT_FETCHED, Path(), config, {}, since)
