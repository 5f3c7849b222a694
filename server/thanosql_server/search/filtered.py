"""The rows that pass a filter, remembered for the filters asked for last.

The same filter often comes again with another vector, and running it takes as long as
comparing half of the rows: 2.8 ms for 250,000.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.compute as pc
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.view import View
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Mask = NDArray[np.bool_]

_BATCH_ROWS = 65_536
"""Rows filtered at a time: 250,000 take 2.8 ms; 3.5 in the usual batches of 8,192."""

_MOST_KEPT = 8
_MOST_BYTES = 4 << 20
"""Memory of the ids of one filter that are kept: those of 500,000 rows."""


class _Passed(NamedTuple):
    place: str
    version: int
    fragments: Sequence[Fragment]
    """Of the searched column: a table that was made anew counts its versions anew."""
    filter: pc.Expression
    ids: RowIds


class Filtered:
    """Runs filters; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[_Passed] = []
        self._mask: tuple[RowIds, weakref.ref[View], Mask] | None = None

    def ids(
        self, table: Table, column: str, filter: pc.Expression, control: Control
    ) -> RowIds:
        """Return the ids of the rows that pass, in table order; not to be changed.

        Args:
            table: one version of a table.
            column: that is searched.
            filter: keeps the rows for which it is true.
            control: of the statement.

        Raises:
            Cancelled: the statement was cancelled.
            Conflict: the table was dropped meanwhile.
        """
        fragments = table.fragments(column)
        if fragments is None:
            return _passing(table, filter, control)
        own = table.place, table.version, fragments
        for one in self._kept:
            if one[:3] == own and one.filter.equals(filter):
                return one.ids
        ids = _passing(table, filter, control)
        if ids.nbytes <= _MOST_BYTES:
            with self._lock:
                kept = self._kept[1 - _MOST_KEPT :]
                self._kept = [*kept, _Passed(*own, filter, ids)]
        return ids

    def mask(self, ids: RowIds, view: View) -> Mask:
        """Return which positions of a view hold rows with these ids."""
        last = self._mask
        if last is not None and last[0] is ids and last[1]() is view:
            return last[2]
        wanted = np.zeros(view.rows, np.bool_)
        wanted[view.positions(ids)] = True
        # Only what `ids` gave and keeps may come again.
        if any(one.ids is ids for one in self._kept):
            self._mask = ids, weakref.ref(view), wanted
        return wanted


def _passing(table: Table, filter: pc.Expression, control: Control) -> RowIds:
    parts = [np.empty(0, np.uint64)]
    for batch in table.scan([], filter, row_ids=True, batch_rows=_BATCH_ROWS):
        control.check()
        parts.append(batch.column(ROW_ID).to_numpy())
    return np.concatenate(parts)
