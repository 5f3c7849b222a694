"""Which rows of a table the vectors of a graph stand for.

A graph holds each vector once, however many rows have it; it is known by a digest, so
that rows that were moved or written anew find their vector again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.measures import COSINE
from thanosql_server.storage.index_files import DamagedIndex

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.search.measures import Measure
    from thanosql_server.search.vectors import Mask, Matrix

    RowIds = NDArray[np.uint64]
    Places = NDArray[np.intp]

DIGEST_BYTES = 16
SHORTEST, LONGEST = 1e-15, 1e15
"""Lengths of vectors whose squares float32 holds as well as others."""

_FILES = {
    "ids": np.uint64,
    "labels": np.uint32,
    "lacking": np.uint64,
    "apart": np.uint64,
    "digests": np.uint8,
}


@dataclass(frozen=True)
class Sorted:
    """Vectors sorted out for a graph.

    Attributes:
        vectors: (m, dim), those that go into it, as it wants them.
        fit: (n,), which of the rows these are.
        lacking: (n,), rows that can never be found: without a vector, or with one
            that cannot be compared.
        apart: (n,), rows whose vectors are too long or too short for a graph.
    """

    vectors: NDArray[np.float32]
    fit: Mask
    lacking: Mask
    apart: Mask


def sort_out(matrix: Matrix, there: Mask, measure: Measure) -> Sorted:
    """Sort rows (n, dim) of which some are `there` by what a graph can do with them.

    For the cosine, hnswlib's own measure would divide by lengths that overflow.
    """
    with np.errstate(all="ignore"):
        wide = matrix.astype(np.float64)
        length = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    usable = there & np.isfinite(matrix).all(axis=1)
    if measure is COSINE:
        usable &= wide.any(axis=1)
    plain = (length >= SHORTEST) & (length <= LONGEST)
    if measure is not COSINE:
        plain |= ~wide.any(axis=1)
    fit = usable & plain
    chosen = wide[fit]
    if measure is COSINE:
        chosen /= length[fit][:, None]
    # Adding zero makes -0.0 the same as 0.0, which it is to a measure.
    vectors = chosen.astype(np.float32) + np.float32(0)
    return Sorted(vectors, fit, ~usable, usable & ~plain)


def digests_of(vectors: NDArray[np.float32]) -> list[bytes]:
    """Return what each vector (n, dim) is known by."""
    rows = np.ascontiguousarray(vectors, "<f4")
    return [blake2b(row, digest_size=DIGEST_BYTES).digest() for row in rows]


@dataclass(frozen=True)
class GraphRows:
    """The rows of one generation.

    Attributes:
        ids: (r,), row ids in table order.
        labels: (r,), the vector that each of them has.
        lacking: row ids that have no vector, or none that can be compared.
        apart: row ids whose vectors are compared one by one.
        digests: (vectors, 16), what the vectors are known by.
    """

    ids: RowIds
    labels: NDArray[np.uint32]
    lacking: RowIds
    apart: RowIds
    digests: NDArray[np.uint8]

    @property
    def memory(self) -> int:
        """Bytes of memory, with what is derived from it."""
        arrays = (self.ids, self.labels, self.lacking, self.apart, self.digests)
        return sum(one.nbytes for one in arrays) + 16 * len(self.ids)

    def save(self, folder: Path) -> None:
        """Write the rows to files."""
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> GraphRows:
        """Read what `save` has written; raises DamagedIndex."""
        try:
            return cls(
                *(
                    np.load(folder / f"{name}.npy", allow_pickle=False).astype(
                        kind, copy=False
                    )
                    for name, kind in _FILES.items()
                )
            )
        except (OSError, ValueError) as error:
            raise DamagedIndex(str(error)) from None

    def known(self) -> dict[bytes, int]:
        """Return the label of each vector by its digest."""
        every = self.digests.tobytes()
        starts = range(0, len(every), DIGEST_BYTES)
        return {every[at : at + DIGEST_BYTES]: label for label, at in enumerate(starts)}

    @cached_property
    def by_vector(self) -> RowIds | None:
        """The row of each vector, if each has exactly one."""
        if len(self.labels) != len(self.digests):
            return None
        ids = np.full(len(self.digests), -1, np.int64)
        ids[self.labels] = self.ids.astype(np.int64)
        return None if (ids < 0).any() else ids.astype(np.uint64)

    def of(self, labels: NDArray[np.uint64]) -> tuple[RowIds, Places]:
        """Return the rows of some vectors, and for each which of `labels` it has."""
        if self.by_vector is not None:
            return self.by_vector[labels.astype(np.intp)], np.arange(len(labels))
        starts, order = self._by_label
        first = starts[labels.astype(np.intp)]
        counts = starts[labels.astype(np.intp) + 1] - first
        which = np.repeat(np.arange(len(labels)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.ids[order[first[which] + within]], which

    @cached_property
    def _by_label(self) -> tuple[Places, Places]:
        """Where each vector's rows start in the rows sorted by vector, and these."""
        counts = np.bincount(self.labels, minlength=len(self.digests))
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        return starts, np.argsort(self.labels, kind="stable")
