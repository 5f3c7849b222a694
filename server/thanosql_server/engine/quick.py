"""Searches planned before, run again without planning.

A search by an index takes 0.4 ms, one of rows in memory some more, and the planning and
running of its statement by DataFusion 5 to 10 ms. Where the same text comes again with
another vector, or another text to search for, and its plan is nothing but a search (the
nearest rows of one table, its columns and their score), the rows are fetched here. What
is kept of the first planning is in `quick_known`; the table and the model are looked at
each time.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from thanosql_server.engine.conform import conform
from thanosql_server.engine.executor import in_thread
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.provider import wishes
from thanosql_server.engine.quick_known import MOST_KNOWN, KnownTexts
from thanosql_server.errors import ThanoSQLError
from thanosql_server.search.nearest import Search
from thanosql_server.search.placed_vectors import PlacedVectors
from thanosql_server.storage.kept_columns import KeptColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.encoders import Encoders
    from thanosql_server.engine.freshness import Freshness
    from thanosql_server.engine.models import ModelHandle, Models
    from thanosql_server.engine.quick_known import Known
    from thanosql_server.search.exact import Found
    from thanosql_server.search.nearest import Nearest
    from thanosql_server.storage.table import Table
    from thanosql_server.storage.tables import TableStore

    Vector = NDArray[np.float32] | NDArray[np.float64]

MOST_AT_ONCE = 1000
"""Rows of a result that are made before the first of them is sent."""

_SETTLED_NS = 50_000_000
"""Folders that changed this recently are looked at again: their clocks are coarse."""


class _Opened(NamedTuple):
    changed: int
    table: Table


class _Sought(NamedTuple):
    """What is searched for: a vector, or what makes one of a text."""

    vector: Callable[[], Vector]
    at_hand: Callable[[], bool]


class QuickSearches:
    """The searches of one server that need no planning; safe from any thread.

    Attributes:
        known: the texts that are.
    """

    def __init__(
        self,
        tables: TableStore,
        nearest: Nearest,
        models: Models,
        encoders: Encoders,
        freshness: Freshness,
    ) -> None:
        self.known = KnownTexts()
        self._tables = tables
        self._freshness = freshness
        self._nearest = nearest
        self._models = models
        self._encoders = encoders
        self._opened: dict[str, _Opened] = {}
        self._placed = PlacedVectors()
        self._columns = KeptColumns()

    def plan(self, sql: str, parameters: Sequence[pa.Scalar] | None) -> Plan | None:
        """Return the plan of a text that is known; None if it must be planned."""
        meant = self.known.find(sql)
        if meant is None:
            return None
        known, literal = meant
        if literal is None:
            if parameters is None or len(parameters) != 1:
                return None
            sought = self._of_value(known, parameters[0])
        elif parameters or known.model is None:
            return None
        else:
            sought = self._of_text(known.model, literal)
        table = self._table(known.table) if sought is not None else None
        if sought is None or table is None or table.schema != known.columns:
            return None
        if self._freshness.waits(table, known.column):
            return None
        search = Search(
            table,
            known.column,
            np.empty((0, known.dim), np.float32),
            known.k,
            known.filter,
            measure=known.comparison.measure,
            strict=known.comparison.strict,
        )
        few = known.k <= MOST_AT_ONCE
        return Plan(
            known.schema,
            self._run(known, search, sought),
            known.parameters,
            at_once=few and sought.at_hand() and self._nearest.is_quick(search),
        )

    def _of_value(self, known: Known, value: pa.Scalar) -> _Sought | None:
        """Return what the value of a parameter asks for; None if it is planned."""
        if known.model is not None:
            text = value.as_py()
            return self._of_text(known.model, text) if isinstance(text, str) else None
        vector = _vector(value, known.dim)
        return None if vector is None else _Sought(lambda: vector, lambda: True)

    def _of_text(self, model: ModelHandle, text: str) -> _Sought | None:
        if not text.strip() or not self._models.is_current(model):
            return None
        encoders = self._encoders
        return _Sought(
            lambda: encoders.text_query(model, text),
            lambda: encoders.remembers(model, text),
        )

    def _table(self, name: str) -> Table | None:
        """Return the newest version of a table; None if there is none."""
        opened = self._opened.get(name)
        try:
            if opened is not None and _changed(opened.table) == opened.changed:
                return opened.table
            table = self._tables.open(name)
            changed = _changed(table)
            if changed < time.time_ns() - _SETTLED_NS:
                # What changed since the table was opened must not be missed.
                table = self._tables.open(name)
                while len(self._opened) >= MOST_KNOWN:
                    self._opened.pop(next(iter(self._opened)), None)
                self._opened[name] = _Opened(changed, table)
            return table
        except (OSError, ThanoSQLError):
            self._opened.pop(name, None)
            return None

    def _run(
        self, known: Known, search: Search, sought: _Sought
    ) -> Callable[[Control], Iterator[pa.RecordBatch | None]]:
        def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
            control.check()
            ef, exact = wishes(known.comparison, control)
            asked = replace(search, ef=ef, exact=exact)
            results = []

            def work() -> None:
                vector = sought.vector()
                control.check()
                wanted = replace(asked, queries=vector[None])
                (found,) = self._nearest.find(wanted, control)
                found = self._placed.compared(wanted, found)
                results.append(self._result(known, search.table, found, vector))

            if sought.at_hand() and self._nearest.is_quick(asked):
                work()
            else:
                yield from in_thread(work, control)
            yield from results

        return execute

    def _result(
        self, known: Known, table: Table, found: Found, vector: Vector
    ) -> pa.RecordBatch:
        """Return the result's columns, the nearest row first."""
        names = [name for name in known.outputs if name is not None]
        names += [] if found.compared else [known.column]
        rows = self._columns.take(table, found.ids, list(dict.fromkeys(names)))
        if found.compared:
            order, scores = None, _scores(known, found)
        else:
            scores = known.comparison.of(vector).scores(rows[known.column])
            ranks = scores.to_numpy(zero_copy_only=False)
            if not known.comparison.measure.nearest_is_least:
                ranks = -ranks
            order = pa.array(np.argsort(ranks, kind="stable"))  # NaN for NULL: last
        columns = [scores if name is None else rows[name] for name in known.outputs]
        if order is not None:
            columns = [column.take(order) for column in columns]
        names = known.schema.names
        return conform(pa.RecordBatch.from_arrays(columns, names), known.schema)


def _scores(known: Known, found: Found) -> pa.Array:
    """Return what was found as a column, NULL for rows without a result."""
    if len(found.scores) == len(found.ids):
        return pa.array(found.scores, known.comparison.measure.dtype)
    lacking = np.arange(len(found.ids)) >= len(found.scores)
    numbers = np.zeros(len(found.ids), found.scores.dtype)
    numbers[: len(found.scores)] = found.scores
    return pa.array(numbers, known.comparison.measure.dtype, mask=lacking)


def _vector(value: pa.Scalar, dim: int) -> NDArray[np.float64] | None:
    """Return a list of so many numbers; None for anything else."""
    if not isinstance(value, (pa.ListScalar, pa.FixedSizeListScalar)):
        return None
    numbers = value.values
    if numbers is None or len(numbers) != dim or numbers.null_count:
        return None
    if not (pa.types.is_floating(numbers.type) or pa.types.is_integer(numbers.type)):
        return None
    vector: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False).astype("f8")
    return vector


def _changed(table: Table) -> int:
    return os.stat(os.path.join(table.place, "_versions")).st_mtime_ns
