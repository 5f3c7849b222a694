"""Writes hub.toml for a folder of data sets and models: the other side of `hub`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.storage.hub_download import sha256_of
from thanosql_server.storage.hub_manifest import MANIFEST, parse_manifest
from thanosql_server.storage.models import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_manifest(hub: Path, data_type: str = "image") -> None:
    """Describe the folders `datasets/<name>` and `models/<name>` in hub.toml.

    Args:
        hub: the folder that holds both; gets the file.
        data_type: of all data sets.

    Raises:
        InvalidData: a name or a file cannot be part of a hub.
        KeyError: config.json of a model names no family.
    """
    lines: list[str] = []
    for folder in _folders(hub / "datasets"):
        lines += _entry(folder, data_type=data_type)
    for folder in _folders(hub / "models"):
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        known = {"dim": config["dim"]} if isinstance(config.get("dim"), int) else {}
        lines += _entry(folder, family=config["family"], **known)
    content = "\n".join(lines) + "\n"
    parse_manifest(content.encode(), f"'{hub.name}'")
    (hub / MANIFEST).write_text(content, "utf-8")


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir())


def _entry(folder: Path, **values: str | int) -> Iterator[str]:
    """Yield the lines of one entry; JSON strings and numbers are TOML's, too."""
    yield f"[{folder.parent.name}.{json.dumps(folder.name)}]"
    for key, value in values.items():
        yield f"{key} = {json.dumps(value)}"
    yield "files = ["
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue  # what a server derived from the rest, or an editor left
        path = json.dumps(file.relative_to(folder).as_posix())
        sha256 = sha256_of(file, Control())
        size = file.stat().st_size
        yield f'  {{ path = {path}, sha256 = "{sha256}", size = {size} }},'
    yield "]"
    yield ""
