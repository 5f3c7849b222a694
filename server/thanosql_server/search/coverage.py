"""What of one version of a table a graph covers, and the rows that it does not.

Rows appended since are few, or the graph is not used; their vectors are kept in memory
as they are stored and compared one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.search.beside import Beside
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
    from thanosql_server.storage.index_records import Generation, Run
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Vector = NDArray[np.float32] | NDArray[np.float64]

FEWEST_LEFT, SHARE_LEFT = 4096, 8
"""So many rows, or one of so many covered, may be compared beside a graph."""

_FETCHED_ROWS = 1024
_PLACE = np.uint64((1 << ROW_BITS) - 1)


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
        return self.beside.bytes

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
