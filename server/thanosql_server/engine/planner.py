"""Recognises what a plan needs: the k most similar rows only, or rows in table order.

Works on DataFusion's *optimized logical plan*, where views, CTEs, aliases, ordinals and
nested selects are already resolved. A hint here only saves work: DataFusion's own sort
and limit stay on top, so a hint that is not given costs time, never a wrong answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_server.engine.provider import TopK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from datafusion import LogicalPlan
    from datafusion.expr import Expr
    from numpy.typing import NDArray

    from thanosql_server.engine.provider import LanceTable

    Queries = Mapping[str, Callable[[], NDArray[np.float32]]]

_PASS_THROUGH = {"Projection", "SubqueryAlias"}
_ORDER_KEEPING = _PASS_THROUGH | {"Filter", "Limit", "TableScan", "EmptyRelation"}


def keeps_row_order(plan: LogicalPlan) -> bool:
    """Return whether the rows of `plan` come in the order of one table."""
    return all(_kind(node) in _ORDER_KEEPING for node in _nodes(plan))


def give_hints(
    plan: LogicalPlan, queries: Queries, tables: list[LanceTable]
) -> TopK | None:
    """Leave a top-k or limit hint on the one table of `plan`, if it has that shape.

    Args:
        plan: the optimized logical plan.
        queries: query vectors by the name of their similarity function.
        tables: the table objects handed out while this statement was planned.

    Returns:
        The top-k hint that was given, if any.
    """
    scans = [node for node in _nodes(plan) if _kind(node) == "TableScan"]
    if len(scans) != 1 or not tables:
        return None
    # Resolving names may have opened the table more than once; only the last object
    # is in the plan, and a hint on the others does nothing.
    name = scans[0].to_variant().table_name()
    hint = _top_k(plan, queries)
    fetch = scans[0].to_variant().fetch()
    for table in tables:
        if table.table.name == name:
            table.top_k = hint
            table.limit = fetch
    return hint


def _top_k(plan: LogicalPlan, queries: Queries) -> TopK | None:
    sort = _below(plan, _PASS_THROUGH | {"Limit"})
    if _kind(sort) != "Sort":
        return None
    variant: Any = sort.to_variant()
    keys, k = variant.sort_exprs(), variant.get_fetch_val()
    if not k or len(keys) != 1 or keys[0].ascending() or keys[0].nulls_first():
        return None
    found = _similarity(sort.inputs()[0], _unalias(keys[0].expr()), queries)
    if found is None:
        return None
    column, query = found
    return TopK(column, query, int(k))


def _similarity(
    plan: LogicalPlan, key: Expr, queries: Queries
) -> tuple[str, Callable[[], NDArray[np.float32]]] | None:
    """Follow the sort key down to the table's column and the query it is compared with.

    The key is a column until a projection shows it to be a similarity function; from
    there its operand is followed, since a projection below may name another column,
    or something computed, like the one that the table stores.
    """
    query = None
    while True:
        if query is None and key.variant_name() == "ScalarFunction":
            query = queries.get(key.canonical_name().partition("(")[0])
            if query is None:
                return None
            key = _unalias(key.rex_call_operands()[0])
        if key.variant_name() != "Column":
            return None
        name = key.to_variant().name()
        kind = _kind(plan)
        if kind == "TableScan":
            whole = plan.to_variant().fetch() is None
            return (name, query) if query is not None and whole else None
        if kind not in _PASS_THROUGH:
            return None
        if kind == "Projection":
            below = _projected(plan, name)
            if below is None:
                return None
            key = below
        plan = plan.inputs()[0]


def _projected(plan: LogicalPlan, name: str) -> Expr | None:
    variant: Any = plan.to_variant()
    hits = [e for e in variant.projections() if _output_name(e) == name]
    return _unalias(hits[0]) if len(hits) == 1 else None


def _output_name(expression: Expr) -> str:
    variant: Any = expression.to_variant()
    kind = expression.variant_name()
    if kind == "Alias":
        return str(variant.alias())
    if kind == "Column":
        return str(variant.name())
    return str(expression.schema_name())


def _unalias(expression: Expr) -> Expr:
    while expression.variant_name() == "Alias":
        expression = expression.rex_call_operands()[0]
    return expression


def _below(plan: LogicalPlan, kinds: set[str]) -> LogicalPlan:
    while _kind(plan) in kinds:
        plan = plan.inputs()[0]
    return plan


def _kind(plan: LogicalPlan) -> str:
    return type(plan.to_variant()).__name__


def _nodes(plan: LogicalPlan) -> Iterator[LogicalPlan]:
    yield plan
    for child in plan.inputs():
        yield from _nodes(child)
