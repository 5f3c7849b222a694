"""How an entry is had: from a hub, or made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from thanosql_server.storage.hub_staging import collect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import Entry
    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_staging import Fetching


class Recipe(Protocol):
    """How an entry is had."""

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put all files into `fetching.files`.

        Returns:
            Where they are from; of a model, for its config.json.
        """


@dataclass(frozen=True)
class FromHub:
    """The files that hub.toml lists."""

    source: Source

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put all files into `fetching.files`; see `Recipe.fetch`."""
        entry = fetching.entry
        below = f"{entry.kind}/{entry.name}/"
        collect(fetching, self.source, entry.files, fetching.files, below)
        return {
            "source": self.source.shown.removeprefix("the hub "),
            "licence": entry.licence,
            "file": entry.files[0].path,
            "sha256": entry.files[0].sha256,
        }


@dataclass(frozen=True)
class Here:
    """Made or copied on this machine: at once, so that nothing needs to be resumed."""

    make: Callable[[Path, str, Control], None]

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put all files into `fetching.files`; see `Recipe.fetch`."""
        self.make(fetching.files, fetching.shown, fetching.control)
        return {}


@dataclass(frozen=True)
class Offer:
    """An entry and how it is had."""

    entry: Entry
    recipe: Recipe
