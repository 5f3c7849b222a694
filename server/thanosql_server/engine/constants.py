"""Queries of constants, such as SELECT 1: planned once for all who send them.

Pools of connections send one before each use of a connection. What it means depends on
its text alone: no table, view, function, parameter, or clause of ours is in it. What is
kept is DataFusion's plan before any optimization; each run optimizes it anew, which
computes the row.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql_server.engine.catalog import Catalog
from thanosql_server.engine.executor import stream
from thanosql_server.engine.faults import translate
from thanosql_server.engine.literals import literal_row
from thanosql_server.engine.permissions import check_statement
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.session import adopt
from thanosql_server.errors import ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from datafusion import DataFrame, LogicalPlan, SessionContext
    from datafusion.expr import Expr

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.engine.session import Contexts
    from thanosql_server.sql.nodes import SelectStatement
    from thanosql_server.storage.workspace import Workspace

MOST_KNOWN = 256
"""Texts remembered; the oldest make room."""

LONGEST = 10_000
"""Characters of a text that is remembered."""

_CONSTANT = {"Literal", "Alias", "BinaryExpr", "Cast", "Negative"}
"""Kinds of expressions whose values never differ and which take little: no functions
(now(), random(), sleepy ones), no subqueries."""


@dataclass(frozen=True)
class _Known:
    statement: SelectStatement
    schema: pa.Schema
    plan: LogicalPlan


class ConstantQueries:
    """The queries of constants that a server has seen; safe from any thread."""

    def __init__(self, workspace: Workspace, contexts: Contexts) -> None:
        self._catalog = Catalog(workspace, _no_view)
        self._contexts = contexts
        self._context: SessionContext | None = None
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def plan(
        self, sql: str, parameters: Sequence[pa.Scalar] | None, control: Control
    ) -> Plan | None:
        """Return the plan of a text that is known; None if it must be planned.

        Raises:
            PermissionDenied: the caller may not run it.
        """
        known = self._known.get(sql)
        if known is None or parameters:
            return None
        check_statement(known.statement, control)
        return Plan(known.schema, lambda control: self._rows(known, control))

    def learn(
        self, planning: Planning, statement: SelectStatement, frame: DataFrame
    ) -> None:
        """Remember what a text means that was planned, if it is such a query."""
        query, plan = statement.query, frame.logical_plan()
        ours = query.clauses or query.calls or query.versions or query.parameters
        if ours or planning.catalog.reading.used or len(statement.text) > LONGEST:
            return
        if not _is_of_constants(plan):
            return
        with self._lock:
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[statement.text] = _Known(statement, frame.schema(), plan)

    def _rows(self, known: _Known, control: Control) -> Iterator[pa.RecordBatch | None]:
        control.check()
        if self._context is None:
            self._context = self._contexts.new(self._catalog, partitions=1)
        try:
            frame = adopt(self._context, known.plan)
            row = literal_row(frame.optimized_logical_plan(), known.schema)
            if row is not None:
                yield row
                return
            yield from stream(frame, known.schema, control)
        except ThanoSQLError:
            raise
        except Exception as error:
            raise translate(error, known.statement.text) from None


def _is_of_constants(plan: LogicalPlan) -> bool:
    """Return whether a plan is one row of constants and operators between them."""
    row: Any = plan.to_variant()
    below = plan.inputs()
    if type(row).__name__ != "Projection" or not all(map(_constant, row.projections())):
        return False
    return [type(one.to_variant()).__name__ for one in below] == ["EmptyRelation"]


def _constant(expression: Expr) -> bool:
    kind = expression.variant_name()
    if kind == "Literal":
        return True
    return kind in _CONSTANT and all(map(_constant, expression.rex_call_operands()))


def _no_view(key: tuple[str, str], view: object) -> DataFrame:
    raise AssertionError("a query of constants reads no view")
