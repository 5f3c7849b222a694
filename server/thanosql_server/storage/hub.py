"""Hubs: data sets and models that GET THANOSQL brings into a workspace.

A hub is a folder or a server with a `hub.toml` (see `hub_manifest`). What is fetched is
collected under `.thanosql/downloads` and appears in one step; what was fetched when a
statement failed or was killed stays there, and the next one goes on from it.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    DuplicateObject,
    InvalidData,
    ThanoSQLError,
    UndefinedObject,
    nearest,
)
from thanosql_server.storage.folder_lock import locked
from thanosql_server.storage.hub_built_in import BUILT_IN, make
from thanosql_server.storage.hub_manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    WORDS,
    Entry,
    Kind,
    parse_manifest,
)
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_sources import source_of
from thanosql_server.storage.hub_staging import (
    disk_faults,
    remove_old,
    staged,
    unreachable,
)
from thanosql_server.storage.hub_waiting import Patience, read_small
from thanosql_server.storage.models import CONFIG
from thanosql_server.storage.scratch import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.models import ModelStore
    from thanosql_server.storage.paths import PathPolicy
    from thanosql_server.storage.scratch import Scratch

DATASETS = "thanosql-dataset"
"""Folder of the workspace in which data sets appear, as the tutorials name it."""


@dataclass(frozen=True)
class Offer:
    """An entry and the hub that has it, None for what is built in."""

    entry: Entry
    source: Source | None


class Hubs:
    """All hubs of one server, in the order in which they are asked.

    Args:
        locations: folders and addresses, as the configuration gives them.
        downloads: folder for what is not complete yet.
        scratch: for what is replaced.
        paths: where the workspace is.
        models: where models go.
        patience: how long hubs are waited for.

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
    ) -> None:
        self._sources = [source_of(location) for location in locations]
        remove_old(downloads)
        self._downloads = downloads
        self._scratch = scratch
        self._paths = paths
        self._models = models
        self._patience = patience or Patience()

    def entries(self, kind: Kind, control: Control) -> list[Entry]:
        """Return what there is, sorted by name; the first hub that has a name wins.

        A hub that cannot be read is left out with a warning.
        """
        found: dict[str, Entry] = {}
        offers, failures = self._offers(kind, control)
        for offer in offers:
            found.setdefault(offer.entry.name, offer.entry)
        for failure in failures:
            control.warn(failure.message)
        return [found[name] for name in sorted(found)]

    def find(self, kind: Kind, name: str, control: Control) -> Offer:
        """Return the first offer of that name, exactly or else in another case.

        Raises:
            UndefinedObject: no hub has it.
            ThanoSQLError: a hub cannot be read, and the others do not have it.
        """
        offers, failures = self._offers(kind, control)
        wanted = name.lower()
        alike = [offer for offer in offers if offer.entry.name.lower() == wanted]
        if alike:
            for failure in failures:
                control.warn(failure.message)
            exact = (offer for offer in alike if offer.entry.name == name)
            return next(exact, alike[0])
        if failures:
            raise failures[0]
        word = WORDS[kind]
        hint = nearest(name, [offer.entry.name for offer in offers])
        listing = f"; LIST THANOSQL {word.replace(' ', '').upper()} shows what there is"
        raise UndefinedObject(f"no hub has a {word} '{name}'{hint or listing}")

    def has_at_hand(self, kind: Kind, name: str) -> bool:
        """Return whether a hub has it that can be read without a network."""
        offers, _ = self._offers(kind, Control(), local_only=True)
        return any(offer.entry.name.lower() == name.lower() for offer in offers)

    def fetch_model(self, name: str, control: Control) -> None:
        """Get the model that a hub has under `name`, unless it is there by now.

        Raises:
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        offer = self.find("models", name, control)
        with suppress(DuplicateObject):
            self.get_model(offer, name.lower(), control, overwrite=False)

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
        with self._collected(offer, control) as folder, disk_faults(offer.entry):
            # A rename may reach the disk before the bytes that it makes visible.
            os.sync()
            control.check()
            target.parent.mkdir(exist_ok=True)
            with locked(target.parent, exclusive=True):
                _require_free(target, name, overwrite)
                self._swap_in(folder, target)

    def get_model(
        self, offer: Offer, name: str, control: Control, *, overwrite: bool
    ) -> None:
        """Put a model into the workspace under `name`, whole or not at all.

        Raises:
            DuplicateObject: there is a model of this name, and not to be replaced.
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        with (
            self._models.create(name, overwrite=overwrite) as model,
            self._collected(offer, control) as folder,
            disk_faults(offer.entry),
        ):
            _require_family(folder, offer.entry)
            for path in folder.iterdir():
                path.rename(model / path.name)
            control.check()

    def _offers(
        self, kind: Kind, control: Control, *, local_only: bool = False
    ) -> tuple[list[Offer], list[ThanoSQLError]]:
        """Return what hubs have, then what is built in, and why some say nothing."""
        asked = [s for s in self._sources if s.is_local or not local_only]
        offers, failures = [], []
        for source, answer in zip(asked, self._answers(asked, control), strict=True):
            if isinstance(answer, ThanoSQLError):
                failures.append(answer)
            else:
                offers += [Offer(entry, source) for entry in answer]
        offers += [Offer(entry, None) for entry in BUILT_IN]
        return [offer for offer in offers if offer.entry.kind == kind], failures

    def _answers(
        self, asked: list[Source], control: Control
    ) -> list[tuple[Entry, ...] | ThanoSQLError]:
        """Ask hubs at the same time, so that several dead ones cost no more than one.

        Raises:
            Cancelled: the statement was cancelled.
        """

        def ask(source: Source) -> tuple[Entry, ...] | ThanoSQLError:
            try:
                return self._manifest(source, control)
            except Cancelled:
                raise
            except ThanoSQLError as failure:
                return failure

        with ThreadPoolExecutor(max(len(asked), 1), "hubs") as pool:
            return list(pool.map(ask, asked))

    def _manifest(self, source: Source, control: Control) -> tuple[Entry, ...]:
        try:
            content = read_small(
                source, MANIFEST, MAX_MANIFEST_BYTES, control, self._patience
            )
        except (Missing, Refused, Broken) as failure:
            raise unreachable(MANIFEST, source, failure) from None
        return parse_manifest(content, source.shown)

    @contextmanager
    def _collected(self, offer: Offer, control: Control) -> Iterator[Path]:
        """Give a folder with everything in it, below which nothing else is."""
        if offer.source is not None:
            with staged(
                offer.entry, offer.source, self._downloads, self._patience, control
            ) as folder:
                yield folder
            return
        folder = self._scratch.new_path()
        try:
            with disk_faults(offer.entry):
                folder.mkdir()
                shown = f"{DATASETS}/{offer.entry.name}"
                make(offer.entry.name, folder, shown, control)
            yield folder
        finally:
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


def _require_family(folder: Path, entry: Entry) -> None:
    """Refuse a model that is not what the hub announces."""
    try:
        family = json.loads((folder / CONFIG).read_text("utf-8"))["family"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InvalidData(
            f"{CONFIG} of {entry.words} in the hub names no family; nothing was changed"
        ) from None
    if str(family).lower() != entry.category.lower():
        raise InvalidData(
            f"{entry.words} is announced as {entry.category}, but its {CONFIG} "
            f"says {str(family)[:60]}; nothing was changed"
        )
