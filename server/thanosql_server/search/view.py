"""A column's codes as one version of its table has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.codes import Codes
from thanosql_server.search.screen import Stretch
from thanosql_server.search.vectors import as_matrix
from thanosql_server.storage.fragments import ROW_BITS
from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from thanosql_server.search.vectors import Matrix
    from thanosql_server.storage.fragments import Fragment

    Mask = NDArray[np.bool_]
    RowIds = NDArray[np.uint64]
    Positions = NDArray[np.intp]

_PLACE = np.uint64((1 << ROW_BITS) - 1)


@dataclass(frozen=True)
class Part:
    """The codes of some fragments that stand together; never changed once filled.

    Attributes:
        fragments: what it was read from, in table order.
        rows: the codes of their rows, deleted ones included.
        usable: which rows have a vector of finite numbers.
        read: which rows there were when it was read.
    """

    fragments: tuple[Fragment, ...]
    rows: Codes
    usable: Mask
    read: Mask

    @classmethod
    def empty(cls, fragments: Sequence[Fragment], dim: int) -> Part:
        """Return room for the rows of these fragments."""
        count = sum(fragment.rows for fragment in fragments)
        rows = Codes.empty(count, dim)
        usable, read = np.zeros((2, count), np.bool_)
        return cls(tuple(fragments), rows, usable, read)

    def fill(self, batch: pa.RecordBatch, column: str) -> None:
        """Set the rows of one batch with a column of vectors and one of row ids."""
        matrix, usable = as_matrix(batch.column(column), self.rows.codes.shape[1])
        usable = usable & _finite(matrix)
        if not usable.all():
            matrix = np.where(usable[:, None], matrix, np.float32(0))
        self._set(Places(self.fragments)(_ids(batch)), matrix, usable)

    def _set(self, places: Positions, matrix: Matrix, usable: Mask) -> None:
        first, count = int(places[0]), len(places)
        if places[-1] - first + 1 == count:
            run = slice(first, first + count)
            self.rows[run].encode(matrix)
            self.usable[run] = usable
            self.read[run] = True
            return
        apart = Codes.empty(count, matrix.shape[1])
        apart.encode(matrix)
        self.rows.codes[places] = apart.codes
        self.rows.scale[places] = apart.scale
        self.rows.error[places] = apart.error
        self.rows.length[places] = apart.length
        self.usable[places] = usable
        self.read[places] = True

    def comparable(self, directed: bool) -> Mask:
        """Return which rows can be compared; if `directed`, by their directions."""
        return self.usable & (self.rows.length > 0) if directed else self.usable

    def joined(self, other: Part) -> Part:
        """Return one part of both, this one first."""
        rows = Codes(
            np.concatenate([self.rows.codes, other.rows.codes]),
            np.concatenate([self.rows.scale, other.rows.scale]),
            np.concatenate([self.rows.error, other.rows.error]),
            np.concatenate([self.rows.length, other.rows.length]),
        )
        usable = np.concatenate([self.usable, other.usable])
        read = np.concatenate([self.read, other.read])
        return Part(self.fragments + other.fragments, rows, usable, read)

    def __len__(self) -> int:
        return len(self.usable)


class View:
    """Parts in table order, and which of their rows are there in this version.

    A position counts the rows of all parts, deleted ones included.
    """

    def __init__(self, parts: Sequence[Part], deleted: Iterable[RowIds]) -> None:
        self._parts = tuple(parts)
        fragments = [fragment for part in parts for fragment in part.fragments]
        self._places = Places(fragments)
        self.rows = sum(map(len, parts))
        self.deleted = np.zeros(self.rows, np.bool_)
        for ids in deleted:
            self.deleted[self._places(ids)] = True
        self._there = {
            directed: [self._usable(at, part, directed) for at, part in self._started()]
            for directed in (False, True)
        }

    @property
    def complete(self) -> bool:
        """Whether all rows of this version were there when their parts were read.

        They were not if the table was set back to before a delete.
        """
        return all(
            (part.read | self.deleted[at : at + len(part)]).all()
            for at, part in self._started()
        )

    def positions(self, ids: RowIds) -> Positions:
        """Return the positions of rows of this version."""
        return self._places(ids)

    def ids(self, positions: Positions) -> RowIds:
        """Return the row ids at these positions."""
        return self._places.ids(positions)

    def stretches(self, wanted: Mask | None, *, directed: bool) -> list[Stretch]:
        """Return the rows that are there, have a vector and, if given, are wanted.

        `directed` leaves out zero vectors, which have no direction to compare.
        """
        found = []
        there = self._there[directed]
        for (start, part), here in zip(self._started(), there, strict=True):
            keep = here
            if wanted is not None:
                keep = wanted[start : start + len(part)]
                keep = keep if here is None else keep & here
            found.append(Stretch(start, part.rows, keep))
        return found

    def without(self, wanted: Mask | None, k: int, *, directed: bool) -> RowIds:
        """Return the first k rows that are there and wanted but not in a stretch."""
        lacking = ~self.deleted
        if wanted is not None:
            lacking &= wanted
        for start, part in self._started():
            lacking[start : start + len(part)] &= ~part.comparable(directed)
        return self.ids(np.flatnonzero(lacking)[:k])

    def _started(self) -> Iterator[tuple[int, Part]]:
        """Yield the parts with the position of their first row."""
        start = 0
        for part in self._parts:
            yield start, part
            start += len(part)

    def _usable(self, start: int, part: Part, directed: bool) -> Mask | None:
        """Return which rows of a part can be found, None for all."""
        there = ~self.deleted[start : start + len(part)]
        there &= part.comparable(directed)
        return None if there.all() else there


class Places:
    """Row ids as places among the rows of some fragments, and back."""

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        numbers = [fragment.number for fragment in fragments]
        counts = [fragment.rows for fragment in fragments]
        self._starts = np.cumsum([0, *counts])[:-1].astype(np.int64)
        self._numbers = np.array(numbers, np.uint64)
        self._by_number = np.zeros(max(numbers, default=-1) + 1, np.int64)
        self._by_number[numbers] = self._starts

    def __call__(self, ids: RowIds) -> Positions:
        """Return the places of rows of these fragments."""
        place = (ids & _PLACE).astype(np.intp)
        if len(self._starts) == 1:
            return place
        return place + self._by_number[(ids >> np.uint64(ROW_BITS)).astype(np.intp)]

    def ids(self, positions: Positions) -> RowIds:
        """Return the row ids at these places."""
        at = np.searchsorted(self._starts, positions, side="right") - 1
        place = (positions - self._starts[at]).astype(np.uint64)
        return (self._numbers[at] << np.uint64(ROW_BITS)) | place


def _finite(matrix: Matrix) -> Mask:
    """Return which rows hold finite numbers only; their sum is finite in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        finite: Mask = np.isfinite(matrix.sum(axis=1))
        doubtful = np.flatnonzero(~finite)
        sums = matrix[doubtful].sum(axis=1, dtype=np.float64)
    finite[doubtful] = np.isfinite(sums)
    return finite


def _ids(batch: pa.RecordBatch) -> RowIds:
    ids: RowIds = batch.column(ROW_ID).to_numpy()
    return ids
