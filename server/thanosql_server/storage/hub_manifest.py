"""What a hub offers: `hub.toml`, read and checked.

    [datasets.mnist_data]
    data_type = "image"
    licence = "CC-BY-SA-3.0"
    files = [{ path = "mnist_train.csv", sha256 = "9f86...", size = 52301 }]

    [models.tutorial_search_simclr]
    family = "SimCLR"
    architecture = "resnet8"
    updated = 2026-11-21
    dim = 512
    files = [{ path = "config.json", ... }, { path = "weights.safetensors", ... }]

    [models.laion]
    family = "CLIP"
    architecture = "ViT-B-32"
    files = [{ path = "open_clip_model.safetensors", ... }]

A model is what lies in a model's folder of a workspace, or one checkpoint of an
architecture of open_clip, which becomes such a folder when it is fetched.

The bytes of a file are at `datasets/<name>/<path>` or `models/<name>/<path>` below the
hub. A hub may lie, so nothing in here may name a place outside the entry's own folder.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thanosql_server.errors import InvalidData
from thanosql_server.storage.names import MAX_BYTES, MAX_CHARACTERS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "hub.toml"

MAX_MANIFEST_BYTES = 64 << 20
"""Longest hub.toml; a data set of 25,000 pictures takes about 3 MB."""

Kind: TypeAlias = Literal["datasets", "models"]

WORDS: dict[Kind, str] = {"datasets": "data set", "models": "model"}
"""What errors call the kinds."""

CHECKPOINTS = (".safetensors", ".pt", ".pth", ".bin")
"""Endings of checkpoints."""

CHECKPOINTS_OF = ("clip", "clipen")
"""Names of families, in lower case, whose checkpoints become models when fetched."""

MAX_DIM = 65_536

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class HubFile:
    """One file of an entry: its place below the entry, SHA-256 and bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Entry:
    """A data set or a model of a hub.

    Attributes:
        kind: also the folder in which a hub keeps such entries.
        name: as statements write it.
        category: of a data set its data type, such as `image`; of a model its family.
        files: what it consists of; none if it is built in.
        licence: as the hub states it.
        architecture: of a model, such as `resnet8`.
        updated: when the hub's entry was last changed, in UTC, if it says so.
        dim: of a model, numbers per embedding; statements can then be planned before
            it is fetched.
    """

    kind: Kind
    name: str
    category: str
    files: tuple[HubFile, ...] = field(default=(), repr=False)
    licence: str = ""
    architecture: str = ""
    updated: datetime | None = None
    dim: int | None = None

    @property
    def words(self) -> str:
        """The entry as errors name it."""
        return f"{WORDS[self.kind]} '{self.name}'"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def parse_manifest(content: bytes, shown: str) -> tuple[Entry, ...]:
    """Return the entries of a hub.toml; `shown` names the hub in errors.

    Raises:
        InvalidData: it is no TOML, or an entry is incomplete or leads elsewhere.
    """
    try:
        document = tomllib.loads(content.decode("utf-8"))
    # A hostile file may nest so deep that the parser gives up.
    except (ValueError, RecursionError) as failure:
        reason = " ".join(str(failure).split())[:200]
        raise InvalidData(f"{MANIFEST} of {shown} cannot be read: {reason}") from None
    try:
        return tuple(_entries(document))
    except _Wrong as wrong:
        raise InvalidData(f"{MANIFEST} of {shown} is wrong: {wrong}") from None


class _Wrong(Exception):
    """What is wrong with an entry, without the name of the hub."""


def _entries(document: dict[str, Any]) -> Iterator[Entry]:
    for name, values in _tables(document, "datasets"):
        yield Entry("datasets", name, **_common(values, name, "data_type"))
    for name, values in _tables(document, "models"):
        architecture = _text(values, name, "architecture", "")
        common = _common(values, name, "family")
        _require_model(common, architecture, name)
        dim = _dim(values, name)
        yield Entry("models", name, architecture=architecture, dim=dim, **common)


def _require_model(common: dict[str, Any], architecture: str, name: str) -> None:
    """Refuse files that are neither a model's folder nor one checkpoint."""
    paths = [file.path for file in common["files"]]
    if "config.json" in paths:
        return
    if not (common["category"].lower() in CHECKPOINTS_OF and architecture):
        raise _Wrong(f"model '{name}' has no file config.json")
    if len(paths) > 1 or not paths[0].endswith(CHECKPOINTS):
        raise _Wrong(
            f"model '{name}' needs config.json, or one checkpoint as its only file "
            f"({', '.join(CHECKPOINTS)})"
        )


def _dim(values: dict[str, Any], name: str) -> int | None:
    dim = values.get("dim")
    if dim is None or (type(dim) is int and 0 < dim <= MAX_DIM):
        return dim
    raise _Wrong(f"'dim' of entry '{name}' must be a whole number up to {MAX_DIM}")


def _tables(document: dict[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    tables = document.get(kind, {})
    if not isinstance(tables, dict):
        raise _Wrong(f"'{kind}' must be a table of entries")
    for name, values in tables.items():
        if not _NAME.fullmatch(name) or len(name) > MAX_CHARACTERS:
            raise _Wrong(f"{name[:60]!a} is no name; take letters, digits, '_' and '-'")
        if not isinstance(values, dict):
            raise _Wrong(f"entry '{name}' must be a table")
        yield name, values


def _common(values: dict[str, Any], name: str, category: str) -> dict[str, Any]:
    files = values.get("files")
    if not isinstance(files, list) or not files:
        raise _Wrong(f"entry '{name}' needs a list 'files'")
    checked = tuple(_file(file, name) for file in files)
    _require_apart([file.path for file in checked], name)
    return {
        "category": _text(values, name, category),
        "files": checked,
        "licence": _text(values, name, "licence", ""),
        "updated": _moment(values.get("updated"), name),
    }


def _text(
    values: dict[str, Any], name: str, key: str, default: str | None = None
) -> str:
    value = values.get(key, default)
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise _Wrong(f"entry '{name}' needs a short text '{key}'")
    return value


def _moment(value: object, name: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        zone = value.tzinfo or timezone.utc
        return value.replace(tzinfo=zone).astimezone(timezone.utc)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    raise _Wrong(f"'updated' of entry '{name}' must be a date")


def _file(values: object, name: str) -> HubFile:
    if not isinstance(values, dict):
        raise _Wrong(f"a file of entry '{name}' must be a table")
    path, sha256, size = (values.get(key) for key in ("path", "sha256", "size"))
    if not isinstance(path, str) or not _stays_inside(path):
        raise _Wrong(f"entry '{name}' has a file with an unusable path: {path!a:.100}")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise _Wrong(f"file '{path}' of entry '{name}' needs a 'sha256' of 64 digits")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _Wrong(f"file '{path}' of entry '{name}' needs a 'size' in bytes")
    return HubFile(path, sha256, size)


def _stays_inside(path: str) -> bool:
    """Return whether the path, on any system, is below the folder it starts from."""
    # Cc: control characters, Cs: halves of surrogate pairs.
    if any(c in '\\:*?"<>|' or unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return False
    parts = path.split("/")
    return (
        all(
            part not in ("", ".", "..") and len(part.encode()) <= MAX_BYTES
            for part in parts
        )
        and len(path) < 1024
    )


def _require_apart(paths: list[str], name: str) -> None:
    """Refuse a path that is there twice, or is a folder of another one."""
    seen = set(paths)
    if len(seen) < len(paths):
        raise _Wrong(f"entry '{name}' names a file twice")
    for path in paths:
        parts = path.split("/")
        if any("/".join(parts[:depth]) in seen for depth in range(1, len(parts))):
            raise _Wrong(f"entry '{name}' has '{path}' below what is a file")
