"""Searches planned before, run again without planning.

A search by an index takes 0.4 ms, the planning and running of its statement by
DataFusion ten times as long. Where the same text comes again with another vector, and
its plan is nothing but a search (the nearest rows of one table, its columns and their
score), the rows are fetched and sorted here. What is kept of the first planning depends
on the text and on the columns of the table only; the table is looked at each time.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from thanosql_server.engine.conform import conform
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.planner import outputs
from thanosql_server.engine.provider import wishes
from thanosql_server.engine.session import SCHEMA
from thanosql_server.errors import ThanoSQLError
from thanosql_server.search.exact import Comparison
from thanosql_server.search.nearest import Search
from thanosql_server.search.vectors import dim_of
from thanosql_server.sql.nodes import Parameter, SelectStatement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from datafusion import LogicalPlan
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.freshness import Freshness
    from thanosql_server.engine.planner import Hint
    from thanosql_server.engine.planning import Planning
    from thanosql_server.engine.provider import TopK
    from thanosql_server.search.measures import Measure
    from thanosql_server.search.nearest import Nearest
    from thanosql_server.storage.table import Table
    from thanosql_server.storage.tables import TableStore

MOST_KNOWN = 256
"""Texts remembered; the oldest make room."""

_SETTLED_NS = 50_000_000
"""Folders that changed this recently are looked at again: their clocks are coarse."""


@dataclass(frozen=True)
class Known:
    """What a text means.

    Attributes:
        schema: of its result.
        parameters: its one parameter.
        table: the table's name, in the default schema.
        columns: the table's, as they were.
        column: that of vectors.
        dim: numbers per vector.
        measure: how they are compared.
        k: how many rows.
        outputs: columns of the table, None for the score.
    """

    schema: pa.Schema
    parameters: pa.Schema
    table: str
    columns: pa.Schema
    column: str
    dim: int
    measure: Measure
    k: int
    outputs: tuple[str | None, ...]


class _Opened(NamedTuple):
    changed: int
    table: Table


class QuickSearches:
    """The searches of one server that need no planning; safe from any thread."""

    def __init__(
        self, tables: TableStore, nearest: Nearest, freshness: Freshness
    ) -> None:
        self._tables = tables
        self._freshness = freshness
        self._nearest = nearest
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}
        self._opened: dict[str, _Opened] = {}

    def plan(self, sql: str, parameters: Sequence[pa.Scalar] | None) -> Plan | None:
        """Return the plan of a text that is known; None if it must be planned."""
        known = self._known.get(sql)
        if known is None or parameters is None or len(parameters) != 1:
            return None
        vector = _vector(parameters[0], known.dim)
        table = self._table(known.table) if vector is not None else None
        if vector is None or table is None or table.schema != known.columns:
            return None
        if not self._nearest.has_graph(table, known.column, known.measure):
            return None
        if self._freshness.waits(table, known.column):
            return None
        return Plan(known.schema, self._run(known, table, vector), known.parameters)

    def learn(
        self, planning: Planning, plan: LogicalPlan, hints: Sequence[Hint]
    ) -> None:
        """Remember what a text means that was planned, if it is such a search."""
        statement = planning.statement
        if (
            len(hints) != 1
            or planning.outer is not None
            or statement.parameter_count != 1
            or not isinstance(statement, SelectStatement)
            or statement.query.clauses
        ):
            return
        hint, table = hints[0].top_k, hints[0].table.table
        if not self._nearest.has_index(table):
            return
        last = self._known.get(statement.text)
        if last is not None and last.columns == table.schema:
            return
        known = _understood(planning, statement, plan, hint, table)
        if known is None:
            return
        with self._lock:
            self._known.pop(statement.text, None)
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[statement.text] = known

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
        self, known: Known, table: Table, vector: NDArray[np.float64]
    ) -> Callable[[Control], Iterator[pa.RecordBatch | None]]:
        comparison = Comparison(lambda: vector, known.measure, strict=True)

        def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
            control.check()
            ef, exact = wishes(comparison, control)
            search = Search(
                table,
                known.column,
                vector[None],
                known.k,
                measure=known.measure,
                strict=True,
                ef=ef,
                exact=exact,
            )
            (found,) = self._nearest.find(search, control)
            names = [name for name in known.outputs if name is not None]
            wanted = dict.fromkeys([*names, known.column])
            rows = table.take(found.rows(), list(wanted))
            yield _result(known, rows, comparison)

        return execute


def _result(
    known: Known, rows: pa.RecordBatch, comparison: Comparison
) -> pa.RecordBatch:
    """Return the result's columns, the nearest row first."""
    scores = comparison.scores(rows.column(known.column))
    ranks = scores.to_numpy(zero_copy_only=False)
    if not known.measure.nearest_is_least:
        ranks = -ranks
    order = pa.array(np.argsort(ranks, kind="stable"))  # NaN for NULL, which is last
    columns = [
        (scores if name is None else rows.column(name)).take(order)
        for name in known.outputs
    ]
    names = known.schema.names
    return conform(pa.RecordBatch.from_arrays(columns, names), known.schema)


def _understood(
    planning: Planning,
    statement: SelectStatement,
    plan: LogicalPlan,
    hint: TopK,
    table: Table,
) -> Known | None:
    functions = [
        name
        for name, one in planning.clauses.queries.items()
        if one is hint.comparison and _takes_parameter(planning, name)
    ]
    # A view may be replaced, and its text is not that of the statement.
    if len(functions) != 1 or planning.catalog.reading.used != {(SCHEMA, table.name)}:
        return None
    dim = dim_of(table.schema.field(hint.column).type)
    frame = planning.frame(statement.query)
    schema = frame.schema()
    shown = outputs(plan, schema.names, functions[0], hint.column)
    if shown is None or dim is None:
        return None
    return Known(
        schema,
        planning.parameter_schema(frame),
        table.name,
        table.schema,
        hint.column,
        dim,
        hint.comparison.measure,
        hint.k,
        shown,
    )


def _takes_parameter(planning: Planning, function: str) -> bool:
    """Whether a comparison takes its vector from the statement's parameter."""
    call = planning.calls.written(function)
    return call is not None and any(
        isinstance(argument.value, Parameter) for argument in call.arguments
    )


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
