"""Vectors read by their position in a data file, without a scan of Lance.

Lance writes a page of vectors without NULLs as they are, one after another (its layout
"full zip" with flat values). Then some rows are read by their position within
microseconds each, where `take` needs ten times as long. What the file's description
tells is a guess only: whoever reads the whole column compares it with `holds`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from lance.file import LanceFileReader

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Matrix = NDArray[np.float32] | NDArray[np.float64]

_TYPE = np.dtype("<f4")


@dataclass(frozen=True)
class PlainRows:
    """Where the vectors of one column lie in a file that never changes.

    Attributes:
        file: the data file.
        dim: numbers of float32 per row.
        starts: (pages,), the first row of each page.
        places: (pages,), the byte at which it begins.
    """

    file: Path
    dim: int
    starts: NDArray[np.int64]
    places: NDArray[np.int64]

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """Return the vectors (n, dim) of n rows of the file.

        Raises:
            OSError: the file is gone, or shorter than it was.
        """
        width = self.dim * _TYPE.itemsize
        page = np.searchsorted(self.starts, rows, side="right") - 1
        places = self.places[page] + (rows - self.starts[page]) * width
        found = np.empty((len(rows), self.dim), _TYPE)
        # Rows that stand together are read at once.
        cuts = np.flatnonzero(np.diff(places) != width) + 1
        ends = [0, *cuts.tolist(), len(rows)] if len(rows) else []
        file = os.open(self.file, os.O_RDONLY)
        try:
            for start, end in pairwise(ends):
                run = found[start:end].data
                if os.preadv(file, [run], int(places[start])) != run.nbytes:
                    raise OSError("a data file is shorter than it was")
        finally:
            os.close(file)
        return found

    def holds(self, rows: Rows, vectors: Matrix) -> bool:
        """Return whether the rows are these vectors (n, dim) of float32, to the bit."""
        try:
            found = self.read(rows)
        except OSError:
            return False
        numbers = vectors.astype(_TYPE, copy=False)
        return bool((found.view("<u4") == numbers.view("<u4")).all())


def plain_rows(file: Path, column: int, dim: int) -> PlainRows | None:
    """Return where vectors lie in a data file of Lance.

    Args:
        file: the data file.
        column: the number of the column in it.
        dim: numbers per vector.

    Returns:
        None if their pages hold anything but so many float32 numbers per row.
    """
    try:
        described = LanceFileReader(str(file)).metadata()
    except (OSError, ValueError, RuntimeError):
        return None
    width = dim * _TYPE.itemsize
    buffers = [page.buffers for page in described.columns[column].pages]
    if any(len(page) != 1 or page[0].size % width for page in buffers):
        return None
    counts = [page[0].size // width for page in buffers]
    if sum(counts) != described.num_rows:
        return None
    starts = np.cumsum([0, *counts])[:-1].astype(np.int64)
    places = np.array([page[0].position for page in buffers], np.int64)
    return PlainRows(file, dim, starts, places)
