"""The five tutorials of 2022: their cells, taken from the documents they stand in.

The documents are not part of this repository. They are looked for in
`../shared/seeds` and in the folder that THANOSQL_SEEDS names.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path(__file__).parents[2] / "shared" / "seeds"
NUMBERS = range(5)

_CELL = re.compile(r"^```(?:sql|python)\n(.*?)\n?^```$", re.DOTALL | re.MULTILINE)
_MAGIC = "%%thanosql\n"


def folder():
    """Return where the documents should be."""
    return Path(os.environ.get("THANOSQL_SEEDS") or DEFAULT)


def is_there():
    return all(list(folder().glob(f"{number:03}_*.txt")) for number in NUMBERS)


MISSING = (
    f"the tutorials are not at {DEFAULT.parent.name}/{DEFAULT.name} beside the "
    "repository; THANOSQL_SEEDS can name their folder"
)


@dataclass(frozen=True)
class Cell:
    """One block of code of a tutorial, as it is printed."""

    number: int
    place: int
    text: str

    @property
    def statement(self):
        """The SQL of the cell; None if it holds magics of a line only."""
        return self.text.removeprefix(_MAGIC) if self.text.startswith(_MAGIC) else None

    @property
    def words(self):
        """The first words, for people."""
        words = (self.statement or self.text).split()
        return " ".join(words)


def cells(number):
    """Return the cells of a tutorial, in the order in which they are printed."""
    [path] = folder().glob(f"{number:03}_*.txt")
    found = _CELL.findall(path.read_text("utf-8"))
    return [Cell(number, place, text) for place, text in enumerate(found, start=1)]
