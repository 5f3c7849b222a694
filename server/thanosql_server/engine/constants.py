"""Queries of constants, such as SELECT 1: planned once for all who send them.

Pools of connections send one before each use of a connection. What it means depends on
its text alone: no table, view, function, parameter, or clause of ours is in it. What is
kept is the plan that DataFusion's optimizer has made of it, which is one row.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql_server.engine.literals import literal_row
from thanosql_server.engine.permissions import check_statement
from thanosql_server.engine.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from datafusion import DataFrame, LogicalPlan
    from datafusion.expr import Expr

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import SelectStatement

MOST_KNOWN = 256
"""Texts remembered; the oldest make room."""

LONGEST = 10_000
"""Characters of a text that is remembered."""

_CONSTANT = {"Literal", "Alias", "BinaryExpr", "Cast", "Negative"}
"""Kinds of expressions whose values never differ: no functions, no subqueries."""


@dataclass(frozen=True)
class _Known:
    statement: SelectStatement
    row: pa.RecordBatch

    def run(self, control: Control) -> Iterator[pa.RecordBatch]:
        control.check()
        yield self.row


class ConstantQueries:
    """The queries of constants that a server has seen; safe from any thread."""

    def __init__(self) -> None:
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
        return Plan(known.row.schema, known.run, at_once=True)

    def learn(
        self, planning: Planning, statement: SelectStatement, frame: DataFrame
    ) -> None:
        """Remember what a text means that was planned, if it is such a query."""
        query = statement.query
        ours = query.clauses or query.calls or query.versions or query.parameters
        if ours or planning.catalog.reading.used or len(statement.text) > LONGEST:
            return
        if not _is_of_constants(frame.logical_plan()):
            return
        try:
            row = literal_row(frame.optimized_logical_plan(), planning.columns(frame))
        except Exception:
            return  # SELECT 1 / 0, say; it fails when it runs
        if row is not None:
            self._keep(statement.text, _Known(statement, row))

    def _keep(self, text: str, known: _Known) -> None:
        with self._lock:
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[text] = known


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
