"""Lets DataFusion know how many rows the tables of a join have.

It builds the hash table of a join from the side with fewer rows, where it knows them;
of a pyarrow dataset it knows nothing, and builds it from whatever is written first. A
limit of as many rows as a table has drops none and tells it their number. Nothing is
pushed below a limit: it is used where filters are as well computed above the scan.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from datafusion import SessionContext
from datafusion.catalog import Table as DataFusionTable

from thanosql_server.engine.plan_nodes import kind, nodes, table_name

if TYPE_CHECKING:
    from datafusion import DataFrame, LogicalPlan

    from thanosql_server.engine.provider import LanceTable
    from thanosql_server.storage.table import Table

FEWEST_ROWS = 20_000
"""In all tables of a join together; fewer are joined in no time either way."""


def with_rows_known(table: LanceTable) -> DataFrame:
    """Return all rows of a table as a query whose number of rows DataFusion knows."""
    return _context().read_table(DataFusionTable(table)).limit(table.table.count_rows())


def tables_to_size(plan: LogicalPlan, tables: list[LanceTable]) -> frozenset[str]:
    """Return the names of the tables to show with their rows; none if nothing is won.

    Args:
        plan: the optimized logical plan.
        tables: the table objects handed out while it was planned.
    """
    found = list(nodes(plan))
    known = {table.name: table.table for table in tables if not table.row_ids}
    scans = [node for node in found if kind(node) == "TableScan"]
    scans = [scan for scan in scans if table_name(scan) in known]
    rows = sum(known[table_name(scan)].count_rows() for scan in scans)
    if rows < FEWEST_ROWS or not any(kind(node) == "Join" for node in found):
        return frozenset()
    better_filtered = {
        table_name(scan)
        for scan in scans
        if _reads_wide_rows_it_may_drop(scan, known[table_name(scan)])
    }
    return frozenset(map(table_name, scans)) - better_filtered


def _reads_wide_rows_it_may_drop(scan: LogicalPlan, table: Table) -> bool:
    variant: Any = scan.to_variant()
    names = [name for _, name in variant.projection()]
    return bool(variant.filters() and table.wide_columns(names))


@cache
def _context() -> SessionContext:
    """Return a context that plans the scans of tables; it holds none of them."""
    return SessionContext()
