"""Files of sqllogictest: their records, as DataFusion's own tests are written.

Only the statements count here, not the answers that stand below them: those are of
another version, and what DataFusion alone answers now is asked instead.

Source: https://www.sqlite.org/sqllogictest/doc/trunk/about.wiki
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Record(NamedTuple):
    """One statement of a file.

    Attributes:
        line: where it starts.
        sql: its text.
        query: whether its rows count.
    """

    line: int
    sql: str
    query: bool


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a file and of those that it includes."""
    lines = path.read_text("utf-8").splitlines()
    at = 0
    while at < len(lines):
        words = lines[at].split()
        at += 1
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "halt":
            return
        if words[0] == "include":
            for found in sorted(path.parent.glob(words[1])):
                yield from records(found)
        if words[0] not in ("statement", "query"):
            continue
        start, text = at, []
        while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
            text.append(lines[at])
            at += 1
        while at < len(lines) and lines[at].strip():
            at += 1  # the answer
        yield Record(start, "\n".join(text).strip().rstrip(";"), words[0] == "query")
