"""Small columns kept in memory for rows that are fetched again and again.

Lance fetches ten rows within 0.5 ms, the same from memory takes some microseconds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Key = tuple[str, int, str]

MOST_BYTES = 64 << 20
"""All of them together."""

ASKED_BEFORE = 16
"""So often a column is fetched from before it is read as a whole, which takes as long
as some fetches."""

_MOST_ROWS = 1 << 20
_MOST_COUNTED = 1024


class _Values(NamedTuple):
    """A column: row ids, values, and these for numpy if they are plain numbers."""

    ids: RowIds
    values: pa.Array
    numbers: NDArray[Any] | None

    @property
    def bytes(self) -> int:
        return int(self.ids.nbytes + self.values.nbytes)

    def of(self, rows: RowIds) -> pa.Array:
        first = self.ids[0]
        if self.ids[-1] - first + 1 == len(self.ids):
            places = (rows - first).astype(np.int64)
        else:
            places = np.searchsorted(self.ids, rows)
        if self.numbers is not None:
            return pa.array(self.numbers[places], self.values.type)
        return self.values.take(pa.array(places))


class KeptColumns:
    """Fetches rows, of some columns from memory; safe from any thread.

    Args:
        budget: bytes that they may take together; those unused longest make room.
    """

    def __init__(self, budget: int = MOST_BYTES) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._asked: OrderedDict[Key, int] = OrderedDict()
        self._kept: OrderedDict[Key, _Values] = OrderedDict()

    def take(self, table: Table, rows: RowIds, columns: list[str]) -> pa.RecordBatch:
        """Return the rows with these row ids, in the order asked; see `Table.take`."""
        arrays, lacking = {}, []
        for name in columns:
            values = self._values(table, name)
            if values is None:
                lacking.append(name)
            else:
                arrays[name] = values.of(rows)
        if lacking:
            fetched = table.take(rows.tolist(), lacking)
            arrays |= dict(zip(lacking, fetched.columns, strict=True))
        schema = pa.schema([table.schema.field(name) for name in columns])
        return pa.RecordBatch.from_arrays(
            [arrays[name] for name in columns], schema=schema
        )

    def _values(self, table: Table, name: str) -> _Values | None:
        """Return a column if it is kept, or is to be from now on."""
        key = table.place, table.version, name
        with self._lock:
            values = self._kept.get(key)
            if values is not None:
                self._kept.move_to_end(key)
                return values
            asked = self._asked.get(key, 0) + 1
            self._asked[key] = asked
            self._asked.move_to_end(key)
            while len(self._asked) > _MOST_COUNTED:
                self._asked.popitem(last=False)
        if asked != ASKED_BEFORE or not _is_small(table, name):
            return None
        values = _read(table, name)
        if values is None or values.bytes > self._budget // 2:
            return None
        self._keep(key, values)
        return values

    def _keep(self, key: Key, values: _Values) -> None:
        place, _, name = key
        with self._lock:
            for other in [
                one for one in self._kept if (one[0], one[2]) == (place, name)
            ]:
                del self._kept[other]  # of another version
            self._kept[key] = values
            while sum(one.bytes for one in self._kept.values()) > self._budget:
                self._kept.popitem(last=False)


def _is_small(table: Table, name: str) -> bool:
    dtype = table.schema.field(name).type
    if pa.types.is_dictionary(dtype) or not 0 < table.count_rows() <= _MOST_ROWS:
        return False
    return not table.wide_columns([name])


def _read(table: Table, name: str) -> _Values | None:
    """Read a column; None where its rows are not in the order of their ids."""
    batches = list(table.scan([name], row_ids=True))
    ids = np.concatenate([one.column(ROW_ID).to_numpy() for one in batches])
    if (ids[1:] <= ids[:-1]).any():
        return None
    values = pa.concat_arrays([one.column(name) for one in batches])
    plain = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    numbers = values.to_numpy() if plain and not values.null_count else None
    return _Values(ids, values, numbers)
