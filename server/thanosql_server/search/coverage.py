"""What of one version of a table a graph covers, and the rows that it does not.

Rows appended since are few, or the graph is not used; their vectors are kept in memory
as they are stored and compared one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from thanosql_server.search.measures import COSINE, DISTANCE, INNER
from thanosql_server.search.vectors import as_matrix, dim_of
from thanosql_server.search.view import Places
from thanosql_server.storage.fragments import ROW_BITS
from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.graph_rows import GraphRows
    from thanosql_server.search.measures import Measure
    from thanosql_server.search.vectors import Mask, Matrix
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.indexes import Generation, Run
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Vector = NDArray[np.float32] | NDArray[np.float64]

FEWEST_LEFT, SHARE_LEFT = 4096, 8
"""So many rows, or one of so many covered, may be compared beside a graph."""

_FETCHED_ROWS = 1024
_PLACE = np.uint64((1 << ROW_BITS) - 1)
_ROUNDING = 4 * 2.0**-24


@dataclass(frozen=True)
class Lag:
    """How far a graph is behind a version of its table.

    Attributes:
        covered: fragments whose values it has.
        left: fragments whose values it has not.
    """

    covered: tuple[tuple[Fragment, Run], ...]
    left: tuple[Fragment, ...]

    @classmethod
    def of(cls, generation: Generation, fragments: Iterable[Fragment]) -> Lag:
        """Compare a generation with the fragments of a column."""
        runs = {run.fragment.number: run for run in generation.runs}
        covered, left = [], []
        for one in fragments:
            run = runs.get(one.number)
            if run is not None and run.fragment.same_values(one):
                covered.append((one, run))
            else:
                left.append(one)
        return cls(tuple(covered), tuple(left))

    @property
    def rows_left(self) -> int:
        """Rows that it has not, deleted ones included."""
        return sum(one.rows for one in self.left)

    @property
    def rows_covered(self) -> int:
        """Rows that it has, and that are in covered fragments."""
        return sum(run.stop - run.start for _, run in self.covered)

    @property
    def too_far(self) -> bool:
        """Whether comparing the rows left takes longer than the graph saves."""
        return self.rows_left > max(FEWEST_LEFT, self.rows_covered // SHARE_LEFT)


class Cover:
    """One version of a table, divided in what a graph finds and what is beside it."""

    def __init__(
        self, lag: Lag, gone: Mask, rows: int, beside: Beside, generation: Generation
    ) -> None:
        self._places = Places([one for one, _ in lag.covered])
        numbers = [one.number for one, _ in lag.covered]
        self.whole = len(lag.covered) == len(generation.runs) and not gone.any()
        """Whether all rows that the graph has are in this version."""
        self._covers = np.zeros(
            max([run.fragment.number for run in generation.runs], default=-1) + 1,
            np.bool_,
        )
        self._covers[numbers] = True
        self._gone = gone
        self.beside = beside
        self.rows = rows
        """How many rows the graph can find."""
        self.share = min(1.0, rows / max(generation.labels, 1))
        """Of the vectors that the graph has, about so many are of such rows."""

    @property
    def bytes(self) -> int:
        """Memory of the vectors beside the graph."""
        return self.beside.matrix.nbytes + self.beside.scaled.nbytes

    def mask(self, ids: RowIds) -> Mask:
        """Return which rows of the covered fragments are among `ids`."""
        wanted = np.zeros(len(self._gone), np.bool_)
        wanted[self._places(ids[self._of(ids)])] = True
        return wanted

    def passing(self, ids: RowIds, wanted: Mask | None) -> Mask | None:
        """Return which rows that a graph found count here; None if all do."""
        if self.whole and wanted is None:
            return None
        there = self._of(ids)
        places = self._places(ids[there])
        passes = ~self._gone[places]
        if wanted is not None:
            passes &= wanted[places]
        there[there] = passes
        return there

    def _of(self, ids: RowIds) -> Mask:
        """Return which ids are of covered fragments."""
        numbers = (ids >> np.uint64(ROW_BITS)).astype(np.intp)
        inside = numbers < len(self._covers)
        inside[inside] = self._covers[numbers[inside]]
        return inside


@dataclass(frozen=True)
class Beside:
    """Rows that a graph has not.

    Attributes:
        ids: (n,), ascending.
        matrix: (n, dim), as stored.
        scaled: (n, dim), of unit length for a cosine, else the same.
        lengths: (n,), of `scaled`.
        measure: how they are compared.
    """

    ids: RowIds
    matrix: Matrix
    scaled: Matrix
    lengths: Scores
    measure: Measure

    @classmethod
    def of(
        cls, parts: list[tuple[RowIds, Matrix]], dim: int, measure: Measure
    ) -> Beside:
        """Return the rows of all parts."""
        empty = (np.empty(0, np.uint64), np.empty((0, dim), np.float32))
        ids = np.concatenate([empty[0], *(one for one, _ in parts)])
        matrix = np.concatenate([empty[1], *(two for _, two in parts)])
        order = np.argsort(ids, kind="stable")
        matrix = scaled = np.ascontiguousarray(matrix[order])
        wide = matrix.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        if measure is COSINE:
            there = np.maximum(lengths, np.finfo(np.float64).tiny)[:, None]
            scaled = (wide / there).astype(np.float32)
            lengths = np.ones(len(ids))
        return cls(ids[order], matrix, scaled, lengths, measure)

    def best(
        self,
        query: Vector,
        k: int,
        worst: float | None = None,
        wanted: RowIds | None = None,
    ) -> tuple[RowIds, Scores]:
        """Return the ids and scores of rows, with the k nearest among them.

        One product of matrices tells which rows may be among them, with room for its
        rounding; these are compared as any search compares.

        Args:
            query: (dim,), as it was given.
            k: how many are wanted.
            worst: the score of the k-th row that is there already; rows that are
                farther away are left out.
            wanted: the ids that may be returned, None for all.
        """
        near = self._near(query, k, worst if wanted is None else None, wanted is None)
        if wanted is not None:
            near = near[np.isin(self.ids[near], wanted)]
        if not len(near):
            return self.ids[:0], self.lengths[:0]
        scores, defined = self.measure.compare(self.matrix[near], query)
        return self.ids[near[defined]], scores[defined].astype(np.float64)

    def _near(
        self, query: Vector, k: int, worst: float | None, cut: bool
    ) -> NDArray[np.intp]:
        """Return the places of rows that may be among the nearest."""
        if not cut or (worst is None and len(self.ids) <= k):
            return np.arange(len(self.ids))
        with np.errstate(all="ignore"):
            length = float(np.sqrt(query.dot(query)))
            unit = query / length if self.measure is COSINE else query
            # BLAS would start threads for this, which wait for processors in use.
            query32 = unit.astype(np.float32, copy=False)
            ranks: Scores = np.einsum("ij,j->i", self.scaled, query32)
            slack = (len(query) + 16) * _ROUNDING
            if self.measure is INNER:
                ranks, slack = _both(ranks, slack * length * self.lengths)
            elif self.measure is DISTANCE:
                ranks, slack = _both(
                    2.0 * ranks - self.lengths**2, slack * (self.lengths + length) ** 2
                )
            if worst is None:
                known = np.where(np.isfinite(ranks), ranks - slack, -np.inf)
                least = np.partition(known, len(known) - k)[len(known) - k]
            elif self.measure is DISTANCE:
                least = length * length - worst * worst * (1 + _ROUNDING)
            else:
                least = worst
            # What runs over says nothing: such rows are compared.
            left_out = ranks < least - slack
            near: NDArray[np.intp] = np.flatnonzero(~left_out)
        return near


def _both(ranks: Scores, slack: Scores) -> tuple[Scores, Any]:
    """Return ranks and slack, ranks that ran over as if nearest."""
    return np.where(np.isfinite(ranks), ranks, np.inf), slack


def cover(
    table: Table,
    column: str,
    generation: Generation,
    rows: GraphRows,
    measure: Measure,
    control: Control,
) -> Cover | None:
    """Return what of a table's column a graph covers; None if it cannot be used.

    It cannot where too many rows are left, or where the table is set back to before a
    delete: rows that were not there when the graph was made are not in it.
    """
    lag = Lag.of(generation, table.fragments(column) or ())
    if lag.too_far:
        return None
    places = Places([one for one, _ in lag.covered])
    gone = np.zeros(sum(one.rows for one, _ in lag.covered), np.bool_)
    count = lag.rows_covered
    for one, run in lag.covered:
        if one.deleted == run.fragment.deleted:
            continue
        control.check()
        there = _there(table, one)
        own = (rows.ids[run.start : run.stop] & _PLACE).astype(np.intp)
        count -= int((~there[own]).sum())
        if (there & ~_seen(one, run, rows)).any():
            return None
        at = int(places(np.array([one.number << ROW_BITS], np.uint64))[0])
        gone[at : at + one.rows] = ~there
    beside = _beside(table, column, lag, rows, gone, places, measure, control)
    return None if beside is None else Cover(lag, gone, count, beside, generation)


def _there(table: Table, fragment: Fragment) -> Mask:
    """Return which rows of a fragment this version has."""
    there = np.zeros(fragment.rows, np.bool_)
    if fragment.deleted is None:
        return ~there
    for batch in table.scan([], row_ids=True, fragments=frozenset([fragment.number])):
        there[(batch.column(ROW_ID).to_numpy() & _PLACE).astype(np.intp)] = True
    return there


def _seen(fragment: Fragment, run: Run, rows: GraphRows) -> Mask:
    """Return which rows of a fragment there were when the graph was made."""
    seen = np.zeros(fragment.rows, np.bool_)
    seen[(rows.ids[run.start : run.stop] & _PLACE).astype(np.intp)] = True
    for others in (rows.lacking, rows.apart):
        own = others[(others >> np.uint64(ROW_BITS)) == fragment.number]
        seen[(own & _PLACE).astype(np.intp)] = True
    return seen


def _beside(
    table: Table,
    column: str,
    lag: Lag,
    rows: GraphRows,
    gone: Mask,
    places: Places,
    measure: Measure,
    control: Control,
) -> Beside | None:
    """Read the vectors of the rows that the graph has not."""
    dim = dim_of(table.schema.field(column).type)
    assert dim is not None  # callers choose the column by it
    numbers = np.array([one.number for one, _ in lag.covered], np.uint64)
    apart = rows.apart[np.isin(rows.apart >> np.uint64(ROW_BITS), numbers)]
    apart = apart[~gone[places(apart)]] if len(apart) else apart
    if len(apart) + lag.rows_left > max(FEWEST_LEFT, lag.rows_covered // SHARE_LEFT):
        return None
    batches = []
    if lag.left:
        only = frozenset(one.number for one in lag.left)
        for batch in table.scan([column], row_ids=True, fragments=only):
            control.check()
            batches.append(batch)
    for at in range(0, len(apart), _FETCHED_ROWS):
        control.check()
        batches.append(_fetched(table, column, apart[at : at + _FETCHED_ROWS]))
    parts = [_usable(batch, column, dim) for batch in batches]
    return Beside.of(parts, dim, measure)


def _fetched(table: Table, column: str, ids: RowIds) -> pa.RecordBatch:
    batch = table.take([int(row) for row in ids], [column])
    return batch.append_column(ROW_ID, pa.array(ids))


def _usable(batch: pa.RecordBatch, column: str, dim: int) -> tuple[RowIds, Matrix]:
    """Return the rows with a vector of finite numbers."""
    matrix, there = as_matrix(batch.column(column), dim)
    there = there & np.isfinite(matrix).all(axis=1)
    return batch.column(ROW_ID).to_numpy()[there], matrix[there]
