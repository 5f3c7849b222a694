"""What is kept of an index beside its files, and how it is read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.storage.fragments import Fragment
from thanosql_server.storage.index_files import DamagedIndex, check_files, facts_of
from thanosql_server.storage.names import quote_name, unquote_name
from thanosql_server.storage.schemas import schema_at

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "_thanosql_indexes"
"""Where a table's folder has its indexes; Lance leaves it alone."""

DEFINITION = "definition.json"


@dataclass(frozen=True)
class Definition:
    """What CREATE INDEX asked for.

    Attributes:
        name: of the index.
        column: of vectors, as it was called then.
        field: the number of that column, which it keeps when it is renamed.
        metric: name of the measure it serves (see `search.measures`).
        m: links per vector.
        ef_construction: candidates looked at when a vector is put in.
        created: when, in UTC, ISO 8601.
    """

    name: str
    column: str
    field: int
    metric: str
    m: int
    ef_construction: int
    created: str


@dataclass(frozen=True)
class Run:
    """A fragment as a generation covers it: its rows are [start, stop) of all."""

    fragment: Fragment
    start: int
    stop: int


@dataclass(frozen=True)
class Generation:
    """What one making of an index left.

    Attributes:
        folder: with its files.
        identity: no other generation has the same.
        version: of the table that it was made of.
        dim: numbers per vector.
        labels: how many distinct vectors it holds.
        rows: how many rows of the table they stand for.
        runs: which fragments it covers, in table order.
        bytes: on disk.
        files: size and CRC-32 of each file by its name.
    """

    folder: Path
    identity: str
    version: int
    dim: int
    labels: int
    rows: int
    runs: tuple[Run, ...] = field(repr=False)
    bytes: int
    files: dict[str, list[int]] = field(repr=False, hash=False, compare=False)

    def check(self) -> None:
        """Compare all files with their checksums; raises DamagedIndex."""
        check_files(self.folder, self.files)


@dataclass(frozen=True)
class Index:
    """One index of a table.

    Attributes:
        place: the table's (see `Table.place`).
        definition: what was asked for.
        generation: the newest that can be read; None if there is none.
    """

    place: str
    definition: Definition
    generation: Generation | None

    @property
    def folder(self) -> Path:
        """Where it is."""
        quoted = quote_name(self.definition.name, "index")
        return Path(self.place) / FOLDER / quoted

    @property
    def schema(self) -> str:
        """The schema of its table."""
        return schema_at(Path(self.place).parent)

    @property
    def table(self) -> str:
        """The name of its table."""
        return unquote_name(Path(self.place).stem) or ""


def read_indexes(place: str) -> Iterator[Index]:
    """Yield the indexes of a table, by the names of their folders."""
    root = Path(place) / FOLDER
    try:
        names = sorted(os.listdir(root))
    except (FileNotFoundError, NotADirectoryError):
        return
    for quoted in names:
        name = unquote_name(quoted)
        if name is not None:
            found = _index(place, root / quoted)
            if found is not None and found.definition.name == name:
                yield found


def _index(place: str, folder: Path) -> Index | None:
    """Read an index; what its definition lost is in its generation, and other way."""
    definition = _defined(folder)
    for _, path in sorted(generations(folder).items(), reverse=True):
        try:
            facts = facts_of(path)
            made_for = Definition(**facts["definition"])
            return Index(place, made_for, _generation(path, facts))
        except (DamagedIndex, KeyError, TypeError, ValueError):
            continue
    return None if definition is None else Index(place, definition, None)


def _defined(folder: Path) -> Definition | None:
    try:
        return Definition(**json.loads((folder / DEFINITION).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def generations(folder: Path) -> dict[int, Path]:
    """Return the folders of generations by their numbers."""
    try:
        paths = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        int(path.name[1:]): path
        for path in paths
        if path.name.startswith("g") and path.name[1:].isdecimal()
    }


def _generation(path: Path, facts: dict[str, Any]) -> Generation:
    return Generation(
        path,
        facts["identity"],
        facts["version"],
        facts["dim"],
        facts["labels"],
        facts["rows"],
        tuple(_run(*one) for one in facts["runs"]),
        facts["bytes"],
        facts["files"],
    )


def run_facts(run: Run) -> list[Any]:
    """Return a run as the facts of a generation have it."""
    one = run.fragment
    deleted = None if one.deleted is None else list(one.deleted)
    return [one.number, one.rows, one.file, one.field, deleted, run.start, run.stop]


def _run(
    number: int,
    rows: int,
    file: str,
    field: int,
    deleted: list[int] | None,
    start: int,
    stop: int,
) -> Run:
    gone = None if deleted is None else (deleted[0], deleted[1])
    return Run(Fragment(number, rows, file, field, gone), start, stop)
