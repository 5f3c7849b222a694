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
    from thanosql_server.storage.plain_rows import PlainRows

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
        plain: for each fragment where its vectors lie in its file, if they do.
    """

    fragments: tuple[Fragment, ...]
    rows: Codes
    usable: Mask
    read: Mask
    plain: list[PlainRows | None]

    @classmethod
    def empty(
        cls,
        fragments: Sequence[Fragment],
        dim: int,
        plain: Sequence[PlainRows | None],
    ) -> Part:
        """Return room for the rows of these fragments."""
        count = sum(fragment.rows for fragment in fragments)
        rows = Codes.empty(count, dim)
        usable, read = np.zeros((2, count), np.bool_)
        return cls(tuple(fragments), rows, usable, read, list(plain))

    def fill(self, batch: pa.RecordBatch, column: str) -> None:
        """Set the rows of one batch with a column of vectors and one of row ids."""
        matrix, usable = as_matrix(batch.column(column), self.rows.codes.shape[1])
        self._check_plain(_ids(batch), matrix)
        usable = usable & _finite(matrix)
        if not usable.all():
            matrix = np.where(usable[:, None], matrix, np.float32(0))
        self._set(Places(self.fragments)(_ids(batch)), matrix, usable)

    def _check_plain(self, ids: RowIds, vectors: Matrix) -> None:
        """See that rows lie in their files where it is thought; forget it if not."""
        places = Places(self.fragments)
        start = 0
        for fragment, rows in places.by_fragment(places(ids)):
            plain, own = self.plain[fragment], vectors[start : start + len(rows)]
            if plain is not None and not plain.holds(rows, own):
                self.plain[fragment] = None
            start += len(rows)

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
        plain = self.plain + other.plain
        return Part(self.fragments + other.fragments, rows, usable, read, plain)

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
        self._plain = [plain for part in parts for plain in part.plain]
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

    def vectors(self, positions: Positions) -> NDArray[np.float32] | None:
        """Return the vectors (n, dim) at n ascending positions, read by their place.

        Returns:
            None if that is not possible for all of them; `Table.take` has them, too.
        """
        found = []
        for fragment, rows in self._places.by_fragment(positions):
            plain = self._plain[fragment]
            if plain is None:
                return None
            try:
                found.append(plain.read(rows))
            except OSError:
                return None  # the table was dropped, or an old version forgotten
        return np.concatenate(found) if found else None

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

    def by_fragment(self, positions: Positions) -> Iterator[tuple[int, Positions]]:
        """Yield fragments with their rows among ascending places, where there are."""
        at = np.searchsorted(self._starts, positions, side="right") - 1
        first = np.flatnonzero(np.diff(at, prepend=-1))
        for fragment, rows in zip(
            at[first], np.split(positions, first[1:]), strict=True
        ):
            yield int(fragment), rows - self._starts[fragment]


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
