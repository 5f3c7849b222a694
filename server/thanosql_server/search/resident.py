"""Columns of vectors kept in memory as codes, within a budget.

The first search of a column reads it once; what a later version of the table did not
change is used again. The columns not searched for longest make room for new ones.
Graphs (see `graphs`) are kept within the same budget.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from thanosql_server.search.codes import BYTES_PER_ROW
from thanosql_server.search.freed import at_once
from thanosql_server.search.spread import spread
from thanosql_server.search.view import Part, View
from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.plain_rows import PlainRows
    from thanosql_server.storage.table import Table

    Key = tuple[str, str, int]

SMALL_PART = 16_384
"""Parts of fewer rows are joined with the next, so that many appends stay quick."""

_POLL_SECONDS = 0.05


class Kept(Protocol):
    """Something that takes memory."""

    @property
    def bytes(self) -> int:
        """How much."""


class Residents:
    """The columns in memory; safe from any thread.

    Attributes:
        budget: bytes that they may take together.
    """

    def __init__(self, budget: int, threads: int = 1) -> None:
        self.budget = budget
        self._threads = max(threads, 1)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes kept now, and those that columns being read will take."""
        with self._lock:
            return sum(one.bytes for one in self._kept.values())

    def other(self, key: str) -> Kept | None:
        """Return what `keep` was given under this key, if it is still there."""
        with self._lock:
            kept = self._kept.get(_other(key))
            if kept is not None:
                self._kept.move_to_end(_other(key))
            return kept

    def keep(self, key: str, kept: Kept) -> bool:
        """Keep something beside the columns; False if there is no room for it."""
        with self._lock:
            if kept.bytes > self.budget:
                return False
            self._kept[_other(key)] = kept
            self._kept.move_to_end(_other(key))
            self._make_room(kept)
            return True

    def forget(self, key: str) -> None:
        """Drop what `keep` was given under this key."""
        with self._lock:
            self._kept.pop(_other(key), None)

    def has(self, table: Table, column: str, dim: int) -> bool:
        """Return whether some version of the column is in memory."""
        with self._lock:
            known = self._kept.get((table.place, column, dim))
            return isinstance(known, _Column) and known.view is not None

    def is_current(self, table: Table, column: str, dim: int) -> bool:
        """Return whether this version of the column is in memory."""
        with self._lock:
            known = self._kept.get((table.place, column, dim))
            return (
                isinstance(known, _Column)
                and known.view is not None
                and known.version == table.version
            )

    def refusal(self, table: Table, column: str, dim: int) -> str | None:
        """Return why a column cannot be kept, or None if it can."""
        fragments = table.fragments(column)
        if fragments is None:
            return "the table's row ids do not tell places"
        wanted = _bytes(fragments, dim)
        if wanted > self.budget:
            return f"{wanted:,} bytes do not fit in search_memory ({self.budget:,})"
        return None

    def view(
        self, table: Table, column: str, dim: int, control: Control
    ) -> View | None:
        """Return the codes of a column as `table` has it, reading what is missing.

        Of several threads that want one column, one reads and the others wait. If its
        statement is cancelled, another goes on.

        Returns:
            None where the column cannot be kept (see `refusal`), or where a newer
            version of the table is in memory already.

        Raises:
            Cancelled: the statement was cancelled, while it read or waited.
        """
        fragments = table.fragments(column)
        if fragments is None:
            return None
        kept = self._column((table.place, column, dim))
        with kept.held(control):
            if kept.version > table.version:
                return None
            if kept.view is None or kept.fragments != fragments:
                if not self._reserve(kept, _bytes(fragments, dim)):
                    return None
                try:
                    kept.read(table, column, dim, fragments, control)
                except BaseException:
                    with self._lock:
                        kept.settle(dim)
                    raise
            return kept.view

    def _column(self, key: Key) -> _Column:
        with self._lock:
            column = self._kept.get(key)
            if not isinstance(column, _Column):
                column = self._kept[key] = _Column(self._threads)
            self._kept.move_to_end(key)
            return column

    def _reserve(self, column: _Column, wanted: int) -> bool:
        """Drop what is oldest until there is room; False if there will never be."""
        with self._lock:
            if wanted > self.budget:
                return False
            column.bytes = wanted
            self._make_room(column)
            return True

    def _make_room(self, needed: Kept) -> None:
        """Drop what was not used longest, but for what is needed now.

        What is being read or searched is only forgotten here: whoever uses it keeps
        it until done.
        """
        while sum(one.bytes for one in self._kept.values()) > self.budget:
            del self._kept[next(k for k, c in self._kept.items() if c is not needed)]


def _other(key: str) -> Key:
    return key, "", 0


class _Column:
    """What is in memory of one column."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._reading = threading.Lock()
        self._parts: list[Part] = []
        self.bytes = 0
        self.version = 0
        self.fragments: list[Fragment] = []
        self.view: View | None = None

    @contextmanager
    def held(self, control: Control) -> Iterator[None]:
        """Keep other threads out; give up when the statement is cancelled."""
        while not self._reading.acquire(timeout=_POLL_SECONDS):
            control.check()
        try:
            yield
        finally:
            self._reading.release()

    def read(
        self,
        table: Table,
        column: str,
        dim: int,
        fragments: list[Fragment],
        control: Control,
    ) -> None:
        """Become what `table` has, from the parts that still hold and its files.

        If that fails, the parts that hold are what is left.
        """
        runs = list(_runs(self._parts, fragments))
        self.view, self._parts = None, [part for part, _ in runs if part is not None]
        parts: list[Part] = []
        for known, run in runs:
            part = known
            if part is None:
                part = _read(table, column, dim, run, control, self._threads)
            if parts and len(parts[-1]) < SMALL_PART:
                part = parts.pop().joined(part)
            parts.append(part)
        gone = (_deleted(table, one) for one in fragments if one.deleted is not None)
        view = View(parts, gone)
        if not view.complete:
            self._parts = []
            self.read(table, column, dim, fragments, control)
            return
        self._parts, self.view = parts, view
        self.fragments, self.version = fragments, table.version

    def settle(self, dim: int) -> None:
        """Count only what was kept of a reading that failed."""
        self.bytes = sum(map(len, self._parts)) * _row_bytes(dim)


def _bytes(fragments: Sequence[Fragment], dim: int) -> int:
    return sum(fragment.rows for fragment in fragments) * _row_bytes(dim)


def _row_bytes(dim: int) -> int:
    """Return the bytes of a row: codes, numbers, and five marks at most."""
    return dim + BYTES_PER_ROW + 5


def _runs(
    parts: list[Part], fragments: list[Fragment]
) -> Iterator[tuple[Part | None, list[Fragment]]]:
    """Cut `fragments` into runs that a part holds, and runs that must be read."""
    by_first = {part.fragments[0].number: part for part in parts}
    missing: list[Fragment] = []
    at = 0
    while at < len(fragments):
        part = by_first.get(fragments[at].number)
        size = len(part.fragments) if part else 1
        run = fragments[at : at + size]
        if part and _holds(part, run):
            if missing:
                yield None, missing
                missing = []
            yield part, run
        else:
            missing.append(fragments[at])
            run = run[:1]
        at += len(run)
    if missing:
        yield None, missing


def _holds(part: Part, run: list[Fragment]) -> bool:
    """Return whether a part has these fragments, but for rows deleted since."""
    return len(part.fragments) == len(run) and all(
        old.same_values(new) for old, new in zip(part.fragments, run, strict=True)
    )


def _read(
    table: Table,
    column: str,
    dim: int,
    fragments: list[Fragment],
    control: Control,
    threads: int,
) -> Part:
    """Read some fragments and turn them into codes, on threads of their own.

    The searches' threads stay free for columns that are in memory.
    """

    def fill(batch: pa.RecordBatch) -> None:
        control.check()
        part.fill(batch, column)

    def located(fragment: Fragment) -> PlainRows | None:
        control.check()
        return table.plain_rows(fragment, dim)

    numbers = frozenset(fragment.number for fragment in fragments)
    with at_once(), ThreadPoolExecutor(threads, thread_name_prefix="codes") as pool:
        part = Part.empty(fragments, dim, list(pool.map(located, fragments)))
        batches = table.scan([column], row_ids=True, fragments=numbers)
        spread(pool, threads, fill, batches)
    return part


def _deleted(table: Table, fragment: Fragment) -> NDArray[np.uint64]:
    """Return the row ids of a fragment that are no longer there."""
    ids = _row_ids(fragment)
    there = np.zeros(fragment.rows, np.bool_)
    for batch in table.scan([], row_ids=True, fragments=frozenset([fragment.number])):
        there[(batch.column(ROW_ID).to_numpy() - ids[0]).astype(np.intp)] = True
    return ids[~there]


def _row_ids(fragment: Fragment) -> NDArray[np.uint64]:
    first = np.uint64(fragment.number << 32)
    return first + np.arange(fragment.rows, dtype=np.uint64)
