"""What was fetched from a hub becomes a model, whatever form it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.storage.hub_models import place_folder
from thanosql_server.storage.models import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import Entry
    from thanosql_server.storage.hub_staging import Collected


def place_model(
    collected: Collected, entry: Entry, model: Path, control: Control
) -> None:
    """Fill the empty folder `model`: with a model's files, or from one checkpoint.

    Raises:
        InvalidData: what was fetched is not what the hub announces.
        NotSupported: there is no such architecture.
    """
    if (collected.folder / CONFIG).is_file():
        place_folder(collected, entry, model, control)
        return
    from thanosql_server.ml.clip_import import import_checkpoint  # torch takes seconds

    [checkpoint] = collected.folder.iterdir()
    control.report("importing", 0)
    about = {**collected.about, "hub_entry": entry.name}
    import_checkpoint(checkpoint, entry.architecture, model, about)
