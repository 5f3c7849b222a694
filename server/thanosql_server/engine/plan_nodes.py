"""The nodes of a logical plan of DataFusion, and what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_server.engine.session import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datafusion import LogicalPlan


def nodes(plan: LogicalPlan) -> Iterator[LogicalPlan]:
    """Yield a plan and all plans below it."""
    yield plan
    for child in plan.inputs():
        yield from nodes(child)


def kind(plan: LogicalPlan) -> str:
    """Return what a node does, such as "Join"."""
    return type(plan.to_variant()).__name__


def table_name(scan: LogicalPlan) -> str:
    """Return the schema and the name of a table, as `LanceTable.name` has them."""
    variant: Any = scan.to_variant()
    _, schema, name = variant.fqn()
    return f"{schema or SCHEMA}.{name}"
