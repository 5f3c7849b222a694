"""Hubs: data sets and models that GET THANOSQL brings into a workspace.

A hub is a folder or a server with a `hub.toml` (see `hub_manifest`). What is fetched is
collected under `.thanosql/downloads` and appears in one step; what was fetched when a
statement failed or was killed stays there, and the next one goes on from it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from thanosql_server.errors import DuplicateObject
from thanosql_server.storage.folder_lock import locked
from thanosql_server.storage.hub_built_in import BUILT_IN
from thanosql_server.storage.hub_models import place_folder
from thanosql_server.storage.hub_offers import Offers
from thanosql_server.storage.hub_recipe import Here
from thanosql_server.storage.hub_staging import (
    Collected,
    Fetching,
    disk_faults,
    download_key,
    staged,
)
from thanosql_server.storage.hub_waiting import Patience
from thanosql_server.storage.scratch import remove_old, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_models import Place
    from thanosql_server.storage.hub_recipe import Offer
    from thanosql_server.storage.models import ModelStore
    from thanosql_server.storage.paths import PathPolicy
    from thanosql_server.storage.scratch import Scratch

DATASETS = "thanosql-dataset"
"""Folder of the workspace in which data sets appear, as the tutorials name it."""


class Hubs:
    """All hubs of one server, in the order in which they are asked.

    Args:
        locations: folders and addresses, as the configuration gives them.
        downloads: folder for what is not complete yet.
        scratch: for what is replaced.
        paths: where the workspace is.
        models: where models go.
        patience: how long hubs are waited for.
        built_in: what needs no hub.

    Attributes:
        offers: what there is.

    Raises:
        InvalidValue: a location is neither a folder nor an address.
    """

    def __init__(
        self,
        locations: Sequence[str],
        downloads: Path,
        scratch: Scratch,
        paths: PathPolicy,
        models: ModelStore,
        patience: Patience | None = None,
        built_in: Sequence[Offer] | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self.offers = Offers(locations, built_in or BUILT_IN, self._patience)
        remove_old(downloads)
        self._downloads = downloads
        self._scratch = scratch
        self._paths = paths
        self._models = models

    def fetch_model(
        self, name: str, control: Control, place: Place | None = None
    ) -> None:
        """Get the model that a hub has under `name`, unless it is there by now.

        Raises:
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        offer = self.offers.find("models", name, control)
        with suppress(DuplicateObject):
            self.get_model(offer, name.lower(), control, overwrite=False, place=place)

    def get_dataset(self, offer: Offer, control: Control, *, overwrite: bool) -> None:
        """Put a data set at `thanosql-dataset/<name>`, whole or not at all.

        Raises:
            DuplicateObject: it is there already, and not to be replaced.
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        name = offer.entry.name
        # Not resolved further: a link in its place is replaced, not what it leads to.
        target = self._paths.resolve(DATASETS) / name
        _require_free(target, name, overwrite)
        with self._collected(offer, control) as collected, disk_faults(offer.entry):
            # A rename may reach the disk before the bytes that it makes visible.
            os.sync()
            control.check()
            target.parent.mkdir(exist_ok=True)
            with locked(target.parent, exclusive=True):
                _require_free(target, name, overwrite)
                self._swap_in(collected.folder, target)

    def get_model(
        self,
        offer: Offer,
        name: str,
        control: Control,
        *,
        overwrite: bool,
        place: Place | None = None,
    ) -> None:
        """Put a model into the workspace under `name`, whole or not at all.

        Args:
            offer: what `find` has returned.
            name: what the model is called here.
            control: of the statement.
            overwrite: whether a model of that name is replaced.
            place: makes the model's folder of what was fetched; by default that is
                such a folder already, and moved.

        Raises:
            DuplicateObject: there is a model of this name, and not to be replaced.
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        with (
            self._models.create(name, overwrite=overwrite) as model,
            self._collected(offer, control) as collected,
            disk_faults(offer.entry),
        ):
            (place or place_folder)(collected, offer.entry, model, control)
            control.check()

    @contextmanager
    def _collected(self, offer: Offer, control: Control) -> Iterator[Collected]:
        """Give a folder with everything in it, below which nothing else is."""
        entry, recipe = offer.entry, offer.recipe
        resumes = not isinstance(recipe, Here)
        key = download_key(entry)
        folder = self._downloads / key if resumes else self._scratch.new_path()
        shown = f"{DATASETS}/{entry.name}"
        fetching = Fetching(entry, folder, shown, self._patience, control)
        try:
            with staged(fetching, recipe.fetch) as collected:
                yield collected
        finally:
            if not resumes:
                remove_tree(folder)

    def _swap_in(self, folder: Path, target: Path) -> None:
        """Move `folder` to `target`; what is there goes, but for a failure."""
        old = self._scratch.new_path()
        if os.path.lexists(target):
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if os.path.lexists(old):
                old.rename(target)
            raise
        remove_tree(old)


def _require_free(target: Path, name: str, overwrite: bool) -> None:
    if os.path.lexists(target) and not overwrite:
        raise DuplicateObject(
            f"data set '{name}' is at '{DATASETS}/{name}' already; replace it with "
            "overwrite=True"
        )
