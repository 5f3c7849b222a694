"""What needs no hub: data sets drawn on the spot, and a model of the package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import thanosql_server
from thanosql_server.digits import write_digits
from thanosql_server.scenes import held_out_scenes, write_scenes
from thanosql_server.storage.hub_manifest import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.scenes import Scene

DIGITS = {"train": (1_000, 0), "test": (200, 1_000_000)}
"""Pictures and first seed of the two tables; as many as the tutorials take of MNIST."""

SCENES = 1_000
"""Pictures of `scenes_data`: scenes that no training of the shipped model has seen."""

DEMO_CLIP = Path(thanosql_server.__file__).parent / "demo_clip"
"""A small CLIP that was trained on other scenes than those of `scenes_data`."""


def make(name: str, folder: Path, shown: str, control: Control) -> None:
    """Put the files of `name` into `folder`, which statements call `shown`."""
    _MAKING[name](folder, shown, control)


def _digits(folder: Path, shown: str, control: Control) -> None:
    done, total = 0, sum(count for count, _ in DIGITS.values())
    for table, (count, seed) in DIGITS.items():
        control.report("drawing", done, total)
        write_digits(folder, shown, table, count, seed)
        done += count


def _scenes(folder: Path, shown: str, control: Control) -> None:
    def reported() -> Iterator[Scene]:
        for done, scene in enumerate(held_out_scenes(SCENES)):
            control.report("drawing", done, SCENES)
            yield scene

    write_scenes(folder, shown, "scenes", reported())


def _demo_clip(folder: Path, shown: str, control: Control) -> None:
    control.check()
    shutil.copytree(DEMO_CLIP, folder, dirs_exist_ok=True)


_MAKING: dict[str, Callable[[Path, str, Control], None]] = {
    "digits_data": _digits,
    "scenes_data": _scenes,
    "demo_clip": _demo_clip,
}

BUILT_IN = (
    Entry("datasets", "digits_data", "image"),
    Entry("datasets", "scenes_data", "image"),
    Entry("models", "demo_clip", "CLIP"),
)
