"""What was fetched becomes a model's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidData
from thanosql_server.storage.models import CONFIG

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import Entry
    from thanosql_server.storage.hub_staging import Collected

    class Place(Protocol):
        """Makes a model of what was fetched."""

        def __call__(
            self, collected: Collected, entry: Entry, model: Path, control: Control
        ) -> None:
            """Fill the empty folder `model`."""


def place_folder(
    collected: Collected, entry: Entry, model: Path, control: Control
) -> None:
    """Move what was fetched to `model`, if it is the folder of such a model.

    Raises:
        InvalidData: it is another one.
    """
    if not (collected.folder / CONFIG).is_file():
        raise InvalidData(
            f"{entry.words} in the hub has no {CONFIG}; nothing was changed"
        )
    _require_family(collected.folder, entry)
    for path in collected.folder.iterdir():
        path.rename(model / path.name)


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
