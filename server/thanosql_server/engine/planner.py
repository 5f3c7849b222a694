"""Recognises what a plan needs: the k nearest rows only, or rows in table order.

Works on DataFusion's *optimized logical plan*, where views, CTEs, aliases, ordinals and
nested selects are already resolved. A hint here only saves work: DataFusion's own sort
and limit stay on top, so a hint that is not given costs time, never a wrong answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from thanosql_server.engine.plan_nodes import kind, nodes, table_name
from thanosql_server.engine.provider import TopK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from datafusion import LogicalPlan
    from datafusion.expr import Expr

    from thanosql_server.engine.provider import LanceTable
    from thanosql_server.search.exact import Comparison

    Queries = Mapping[str, Comparison]

_PASS_THROUGH = {"Projection", "SubqueryAlias"}
_TO_FLOAT = (" AS Float32)", " AS Float64)")
_SEARCHED = _PASS_THROUGH | {"Sort", "Filter"}
"""What stands between the k best rows and the table that they are from."""
_LASTING = {"Alias", "Between", "BinaryExpr", "Cast", "Column", "InList"} | {
    *("IsNotNull", "IsNull", "Like", "Literal", "Negative", "Not")
}
"""Expressions without functions."""
_ORDER_KEEPING = _PASS_THROUGH | {"Filter", "Limit", "TableScan", "EmptyRelation"}


def keeps_row_order(plan: LogicalPlan) -> bool:
    """Return whether the rows of `plan` come in the order of one table."""
    return all(kind(node) in _ORDER_KEEPING for node in nodes(plan))


@dataclass(frozen=True)
class Hint:
    """A top-k that was recognised.

    Attributes:
        sort: the node of the plan.
        table: the last of the table objects that have the hint.
        top_k: the hint.
    """

    sort: LogicalPlan
    table: LanceTable
    top_k: TopK


def give_hints(
    plan: LogicalPlan, queries: Queries, tables: list[LanceTable]
) -> list[Hint]:
    """Leave top-k and limit hints on tables of `plan` where it has that shape.

    Args:
        plan: the optimized logical plan.
        queries: comparisons by the name of their function.
        tables: the table objects handed out while this statement was planned.

    Returns:
        The top-k hints that were given.
    """
    scans = [node for node in nodes(plan) if kind(node) == "TableScan"]
    names = [table_name(scan) for scan in scans]
    # Resolving names may have opened a table more than once; only the last object is in
    # the plan, and a hint on the others does nothing. Of two that are in the plan it
    # cannot be told which is which.
    alone = {
        name: [table for table in tables if table.name == name]
        for name in names
        if names.count(name) == 1
    }
    for scan, name in zip(scans, names, strict=True):
        for table in alone.get(name, ()):
            table.limit = scan.to_variant().fetch()
            table.top_k = None
    found = []
    for node in nodes(plan):
        top_k = _top_k(node, queries) if kind(node) == "Sort" else None
        if top_k is None:
            continue
        same = alone.get(table_name(_below(node, _SEARCHED)), [])
        for table in same:
            table.top_k = top_k
        found += [Hint(node, table, top_k) for table in same[-1:]]
    return found


def _top_k(sort: LogicalPlan, queries: Queries) -> TopK | None:
    variant: Any = sort.to_variant()
    keys, k = variant.sort_exprs(), variant.get_fetch_val()
    if not k or len(keys) != 1 or keys[0].nulls_first():
        return None
    rows = sort.inputs()[0]
    found = _follow(rows, keys[0].expr(), queries)
    if found is None:
        return None
    comparison = queries[found.function]
    least_first = keys[0].ascending() != found.falls
    if least_first != comparison.measure.nearest_is_least:
        return None
    if not all(_keeps_nearest(*one, found, queries) for one in _conditions(rows)):
        return None
    return TopK(found.column, comparison, int(k))


def outputs(
    plan: LogicalPlan, names: list[str], function: str, column: str
) -> tuple[str | None, ...] | None:
    """Return which columns of its table a search shows, None for the comparison.

    Args:
        plan: the optimized logical plan, in which a top-k was recognised.
        names: the columns of the result.
        function: the comparison's.
        column: the table's column of vectors.

    Returns:
        None if the plan does anything else; the table may have a filter.
    """
    chain = list(nodes(plan))
    kinds = [kind(node) for node in chain]
    scan: Any = chain[-1].to_variant()
    if kinds[-1] != "TableScan" or scan.fetch() or kinds.count("Sort") != 1:
        return None
    if not set(kinds[:-1]) <= _PASS_THROUGH | {"Sort"}:
        return None
    shown = []
    for name in names:
        one = _shown(chain, name, function, column)
        if one is None:
            return None
        shown.append(one.column)
    return tuple(shown)


def is_filtered(plan: LogicalPlan) -> bool:
    """Return whether the table of a plan that reads one has a filter."""
    scan: Any = list(nodes(plan))[-1].to_variant()
    return bool(scan.filters())


def has_lasting_conditions(plan: LogicalPlan) -> bool:
    """Return whether the conditions of a plan say the same whenever they are planned.

    Args:
        plan: the plan as written: once it is optimized, `now()` is a constant.
    """
    for node in nodes(plan):
        if kind(node) != "Filter":
            continue
        variant: Any = node.to_variant()
        pending = [variant.predicate()]
        while pending:
            one = pending.pop()
            if one.variant_name() not in _LASTING:
                return False
            pending.extend(_operands(one))
    return True


class _Shown(NamedTuple):
    """A column of a table, or None for a comparison."""

    column: str | None


def _shown(
    chain: list[LogicalPlan], name: str, function: str, column: str
) -> _Shown | None:
    """Follow a column of the result down to the table."""
    compared = False
    for node in chain[:-1]:
        if kind(node) != "Projection":
            continue
        below = _projected(node, name)
        if below is None:
            return None
        if below.variant_name() == "ScalarFunction" and not compared:
            vectors = [one for one in below.rex_call_operands() if not _is_literal(one)]
            if below.canonical_name().partition("(")[0] != function:
                return None
            compared, below = True, _unalias(vectors[0])
        if below.variant_name() != "Column":
            return None
        name = below.to_variant().name()
    if compared:
        return _Shown(None) if name == column else None
    return _Shown(name)


@dataclass(frozen=True)
class _Score:
    """A table's column, compared; `falls` if what was followed falls as that rises."""

    function: str
    column: str
    falls: bool


def _follow(plan: LogicalPlan, key: Expr, queries: Queries) -> _Score | None:
    """Follow an expression of the rows of `plan` down to a comparison of a column.

    The key is a column until a projection shows it to be a comparison; from there its
    vector is followed, since a projection below may name another column, or something
    computed, like the one that the table stores.
    """
    function, falls = None, False
    while True:
        if function is None:
            key, fell = _monotone(key)
            falls ^= fell
        if function is None and key.variant_name() == "ScalarFunction":
            function = key.canonical_name().partition("(")[0]
            vectors = [one for one in key.rex_call_operands() if not _is_literal(one)]
            if function not in queries or len(vectors) != 1:
                return None
            key = _unalias(vectors[0])
        if key.variant_name() != "Column":
            return None
        name = key.to_variant().name()
        what = kind(plan)
        if what == "TableScan":
            whole = plan.to_variant().fetch() is None
            return _Score(function, name, falls) if function and whole else None
        if what not in _PASS_THROUGH | {"Filter"}:
            return None
        if what == "Projection":
            below = _projected(plan, name)
            if below is None:
                return None
            key = below
        plan = plan.inputs()[0]


def _monotone(key: Expr) -> tuple[Expr, bool]:
    """Take off what keeps the order or turns it round: -x, 1 - x, x * 2, CAST(x).

    Rounding may make more rows equal, which changes nothing: any of these are the
    first k.
    """
    falls = False
    while True:
        kind, operands = key.variant_name(), _operands(key)
        if kind == "Negative":
            falls = not falls
        elif kind == "BinaryExpr":
            constants = [_is_literal(one) for one in operands]
            turns = _turns(key.rex_call_operator(), operands, constants)
            if turns is None:
                return key, falls
            falls ^= turns
            operands = operands[::-1] if constants[0] else operands
        elif kind != "Alias" and not (
            kind in ("Cast", "TryCast") and key.canonical_name().endswith(_TO_FLOAT)
        ):
            return key, falls
        key = operands[0]


def _turns(operator: str, operands: list[Expr], constants: list[bool]) -> bool | None:
    """Return whether arithmetic with one constant turns the order; None if unknown."""
    if sum(constants) != 1:
        return None
    number = operands[constants.index(True)].python_value().as_py()
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    if not math.isfinite(number):
        return None
    if operator in ("+", "-"):
        return operator == "-" and constants[0]
    scales = operator == "*" or (operator == "/" and constants[1])
    return number < 0 if scales and number else None


def _conditions(plan: LogicalPlan) -> Iterator[tuple[LogicalPlan, Expr]]:
    """Yield what the filters above the table ask for, with the rows they ask it of."""
    while kind(plan) in _PASS_THROUGH | {"Filter"}:
        below = plan.inputs()[0]
        if kind(plan) == "Filter":
            variant: Any = plan.to_variant()
            pending = [variant.predicate()]
            while pending:
                one = _unalias(pending.pop())
                if (
                    one.variant_name() == "BinaryExpr"
                    and one.rex_call_operator() == "AND"
                ):
                    pending.extend(one.rex_call_operands())
                else:
                    yield below, one
        plan = below


def columns_read(plan: LogicalPlan) -> Iterator[tuple[str, set[str]]]:
    """Yield the tables that an optimized plan reads, each with the columns of it."""
    for node in nodes(plan):
        if kind(node) == "TableScan":
            variant: Any = node.to_variant()
            yield table_name(node), {name for _, name in variant.projection()}


def _keeps_nearest(
    plan: LogicalPlan, condition: Expr, sorted_by: _Score, queries: Queries
) -> bool:
    """Whether all rows that pass the condition are nearer than all that do not."""
    operands = _operands(condition)
    if condition.variant_name() == "IsNotNull":
        found = _follow(plan, operands[0], queries)
        return found is not None and _same(found, sorted_by)
    if condition.variant_name() != "BinaryExpr":
        return False
    constants = [_is_literal(one) for one in operands]
    operator = condition.rex_call_operator()
    if sum(constants) != 1 or operator not in (">", ">=", "<", "<="):
        return False
    found = _follow(plan, operands[constants.index(False)], queries)
    if found is None or not _same(found, sorted_by):
        return False
    takes_least = (operator[0] == "<") ^ constants[0] ^ found.falls
    return takes_least == queries[found.function].measure.nearest_is_least


def _same(one: _Score, other: _Score) -> bool:
    return (one.function, one.column) == (other.function, other.column)


def _operands(expression: Expr) -> list[Expr]:
    if expression.variant_name() in ("Column", "Literal"):
        return []
    return list(expression.rex_call_operands())


def _is_literal(expression: Expr) -> bool:
    return expression.variant_name() == "Literal"


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
    while kind(plan) in kinds:
        plan = plan.inputs()[0]
    return plan
