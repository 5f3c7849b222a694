"""Proposed rows on their way into a table: those to change, and those to add."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.errors import ResourceExhausted, RowMatchedTwice
from thanosql_server.storage.columns import require_no_nulls
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TURN = "_thanosql_turn"
"""Column: the how manyeth of the proposed rows with one key, from 1."""

ACTS = "_thanosql_acts"
"""Column: whether the row that is there is to be changed."""

_LONGEST_KEY = 100
"""Characters of a key in a message."""

_MOST_KEYS = 10_000_000
"""Keys of 16 bytes that `FirstOfEach` holds: with Python's sets some 1.5 GB."""


class Found:
    """Proposed rows, sorted by the ids of the rows they run into, those without last.

    Read `changes` to its end, then `additions`.

    Args:
        batches: `ROW_ID` (NULL for none), `TURN`, `ACTS`, the table's columns, and the
            new values.
        table: the table's columns.
        key: those of the key.
        values: the columns to change, and in which column of `batches` their new
            values are.
    """

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        table: pa.Schema,
        key: Sequence[str],
        values: Mapping[str, str],
    ) -> None:
        self._batches = batches
        self._table = table
        self._key = key
        self._values = values
        self._rest: pa.RecordBatch | None = None
        self._last: tuple[int, bool] | None = None

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Yield `ROW_ID` and the new values of the rows to change, in order.

        Raises:
            RowMatchedTwice: a row that was changed is proposed again.
            NotNullViolation: a proposed row has a NULL where none may be.
        """
        for batch in self._batches:
            count = batch.num_rows - batch.column(ROW_ID).null_count
            there = batch.slice(0, count)
            for field in self._table:
                require_no_nulls(there.column(field.name), field)
            self._require_once(there)
            acting = there.filter(there.column(ACTS))
            columns = [acting.column(ROW_ID)]
            columns += [acting.column(name) for name in self._values.values()]
            yield pa.RecordBatch.from_arrays(columns, [ROW_ID, *self._values])
            if count < batch.num_rows:
                self._rest = batch.slice(count)
                return

    def additions(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows to add, as they came.

        Raises:
            RowMatchedTwice: two of them have one key.
        """
        while self._rest is not None:
            turns = self._rest.column(TURN).to_numpy()
            again = np.flatnonzero(turns > 1)
            if len(again):
                raise self._twice(self._rest, int(again[0]))
            yield self._rest.select(self._table.names)
            self._rest = next(self._batches, None)

    def _require_once(self, batch: pa.RecordBatch) -> None:
        """Raise if a row comes again after it was changed.

        As in PostgreSQL, one that the condition has left alone may come again.
        """
        if not batch.num_rows:
            return
        rows = batch.column(ROW_ID).to_numpy()
        acts = batch.column(ACTS).to_numpy(zero_copy_only=False)
        if self._last == (int(rows[0]), True):
            raise self._twice(batch, 0)
        again = np.flatnonzero((rows[1:] == rows[:-1]) & acts[:-1])
        if len(again):
            raise self._twice(batch, int(again[0]) + 1)
        self._last = int(rows[-1]), bool(acts[-1])

    def _twice(self, batch: pa.RecordBatch, row: int) -> RowMatchedTwice:
        values = (repr(batch.column(name)[row].as_py()) for name in self._key)
        shown = ", ".join(values)
        if len(shown) > _LONGEST_KEY:
            shown = shown[: _LONGEST_KEY - 3] + "..."
        return RowMatchedTwice(
            f"two of the rows have the same key ({', '.join(self._key)}) = ({shown}), "
            "and ON CONFLICT DO UPDATE cannot change a row twice; leave one of them out"
        )


class FirstOfEach:
    """Rows without those that have a key of an earlier one, for several keys at once.

    Whether a row is left out depends on which were before it, so they are looked at
    one by one; memory is one digest for each key of each row.

    Args:
        keys: the columns of each key; no keys let all rows pass.
    """

    def __init__(self, keys: Sequence[Sequence[str]]) -> None:
        self._keys = keys
        self._seen: set[bytes] = set()

    def of(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are left.

        Raises:
            ResourceExhausted: there are too many of them.
        """
        for batch in batches:
            if not self._keys:
                yield batch
                continue
            digests = [_digests(batch, key, n) for n, key in enumerate(self._keys)]
            kept = [self._is_first(row) for row in zip(*digests, strict=True)]
            if len(self._seen) > _MOST_KEYS:
                raise ResourceExhausted(
                    "there are too many rows to compare them by several keys at once; "
                    "name one key, as in ON CONFLICT (id) DO NOTHING"
                )
            yield batch.filter(pa.array(kept, pa.bool_()))

    def _is_first(self, row: tuple[bytes | None, ...]) -> bool:
        known = {digest for digest in row if digest is not None}
        if known & self._seen:
            return False
        self._seen |= known
        return True


def _digests(
    batch: pa.RecordBatch, key: Sequence[str], number: int
) -> Iterator[bytes | None]:
    """Yield a digest of each row's key, None where a part of it is NULL."""
    columns = [_plain(batch.column(name)).to_pylist() for name in key]
    for values in zip(*columns, strict=True):
        text = repr((number, values)).encode()
        whole = all(value is not None for value in values)
        yield hashlib.blake2b(text, digest_size=16).digest() if whole else None


def _plain(column: pa.Array) -> pa.Array:
    """Return values that are equal in Python where they are equal in SQL."""
    if pa.types.is_floating(column.type):
        return pc.add(column, pa.scalar(0.0, column.type))  # -0.0 is 0.0
    return column
