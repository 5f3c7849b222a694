"""Which fragments of a table are worth merging: pure arithmetic.

A fragment is what one commit wrote. Small neighbours are merged, so that a table of
many small commits is read like one written at once; what was merged is left alone
until as much has come again, so that a row is written a few times in its life, and a
large fragment hardly ever. Neighbours only, since the rows keep their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RATIO = 3
"""A fragment of at most so many times the rows behind it is merged with these."""

QUIET_RATIO = 64
"""The same for a table that rests: it is to be left in as few as is not too dear."""

MOST_ROWS = 1 << 17
"""Rows of a merged fragment, at most; to open one more is nothing beside reading so
many, and what is kept of them (codes, graphs) stays."""

MOST_GONE = 0.3
"""Share of deleted rows from which a fragment is written anew without them."""

FEWEST_GONE = 1000
"""Deleted rows that are worth that."""


@dataclass(frozen=True)
class Size:
    """One fragment.

    Attributes:
        rows: that are there.
        gone: that were deleted, and are still in its files.
    """

    rows: int
    gone: int = 0

    @property
    def wasteful(self) -> bool:
        """Whether it should be written anew by itself."""
        return self.gone >= FEWEST_GONE and self.gone > MOST_GONE * (
            self.rows + self.gone
        )


def runs_to_merge(
    sizes: Sequence[Size], fewest: int, ratio: int = RATIO
) -> list[range]:
    """Return the runs of fragments to write anew, each as one, in table order.

    Args:
        sizes: the fragments, in table order.
        fewest: fragments that a run must have, unless it has a wasteful one.
        ratio: how much larger than all behind it a fragment of a run may be.
    """
    runs = []
    stop = len(sizes)
    while stop:
        start = _start_of_run(sizes, stop, ratio)
        run = range(start, stop)
        if len(run) >= max(fewest, 2) or any(sizes[place].wasteful for place in run):
            runs.append(run)
        stop = start
    return runs[::-1]


def _start_of_run(sizes: Sequence[Size], stop: int, ratio: int) -> int:
    """Return where the run begins that ends before `stop`."""
    start = stop - 1
    rows = sizes[start].rows
    while start:
        more = sizes[start - 1].rows
        if more > ratio * rows or rows + more > MOST_ROWS:
            break
        start -= 1
        rows += more
    return start
