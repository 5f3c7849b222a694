"""Runs a search without sorting again what the search has found in order.

DataFusion's sort knows nothing of the order in which rows come: of equals it would hand
over any first. It costs a second optimisation of the plan and threads, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datafusion import Expr

from thanosql_server.engine.session import adopt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datafusion import DataFrame, LogicalPlan, SessionContext

    from thanosql_server.engine.planner import Hint


def presorted(
    context: SessionContext, plan: LogicalPlan, hints: Sequence[Hint]
) -> DataFrame | None:
    """Return the plan without its sort, if that sorts what a hinted table returns.

    Args:
        context: with one partition, or rows would come in any order.
        plan: the optimized logical plan.
        hints: the hints that were given for it.

    Returns:
        A frame with the same rows; None for plans of another shape.
    """
    above: list[Any] = []
    while True:
        node: Any = plan.to_variant()
        kind = type(node).__name__
        if kind == "Sort":
            break
        if kind not in ("Projection", "Limit", "SubqueryAlias"):
            return None
        above.append(node)
        plan = plan.inputs()[0]
    if not any(hint.sort == plan for hint in hints):
        return None
    frame = adopt(context, plan.inputs()[0])
    for node in reversed(above):
        if type(node).__name__ == "Projection":
            frame = frame.select(*map(Expr, node.projections()))
            continue
        if type(node).__name__ == "SubqueryAlias":
            frame = frame.alias(node.alias())
            continue
        skip, fetch = (_number(one) for one in (node.skip(), node.fetch()))
        if fetch is None:
            return None
        frame = frame.limit(fetch, offset=skip or 0)
    return frame


def _number(expression: Any) -> int | None:
    """Return a literal number of rows, None for anything else."""
    if expression is None or expression.variant_name() != "Literal":
        return None
    value = expression.python_value().as_py()
    return value if isinstance(value, int) else None
