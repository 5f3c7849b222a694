"""What EXPLAIN says beyond DataFusion's plan: how a search would go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.planner import give_hints
from thanosql_server.engine.provider import wishes
from thanosql_server.engine.searched_columns import pending
from thanosql_server.engine.session import adopt
from thanosql_server.search.nearest import Wish
from thanosql_server.search.vectors import dim_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datafusion import DataFrame

    from thanosql_server.engine.planning import Planning
    from thanosql_server.engine.provider import LanceTable, TopK

PLAN_TYPE = "thanosql"

_EVERY_ROW = (
    "full scan: every row is compared; only the nearest are looked for where one table "
    "is ordered by one comparison, nearest first, with a LIMIT before any join, and "
    "its conditions can be checked where it is read (others are a Filter in the plan)"
)


def search_path(
    planning: Planning, frame: DataFrame, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield rows of EXPLAIN about the searches that a query holds, if it holds any."""
    plan = frame.logical_plan()
    if type(plan.to_variant()).__name__ != "Explain":
        return
    for many in planning.clauses.searched_many:
        yield from _row(many.describe(), schema)
    context = planning.environment.contexts.new(planning.catalog)
    explained = adopt(context, plan.inputs()[0])
    for text in pending(planning, explained):
        yield from _row(text, schema)
    if not planning.clauses.queries:
        return
    optimized = explained.optimized_logical_plan()
    tables = planning.catalog.tables.handed_out
    hints = give_hints(optimized, planning.clauses.queries, tables)
    for hint in hints:
        yield from _row(_described(planning, hint.top_k, hint.table), schema)
    if not hints:
        yield from _row(_EVERY_ROW, schema)


def _row(text: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    row = pa.table({"plan_type": [PLAN_TYPE], "plan": [text]})
    yield from row.cast(schema).to_batches()


def _described(planning: Planning, hint: TopK, searched: LanceTable) -> str:
    table = searched.table
    dim = dim_of(table.schema.field(hint.column).type)
    nearest = planning.environment.nearest
    ef, exact = wishes(hint.comparison, planning.root.control)
    wish = Wish(hint.comparison.measure, hint.k, ef, exact)
    way, reason = nearest.path(table, hint.column, dim, wish)
    because = f" ({reason})" if reason else ""
    return f"TopK {way} k={hint.k}{because}"
