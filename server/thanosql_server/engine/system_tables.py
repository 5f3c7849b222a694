"""The schema `thanosql`: read-only tables about the workspace and the server.

Their rows are collected when a statement reads them, not when it is planned:
information_schema asks every table for its columns.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from datafusion.catalog import SchemaProvider

from thanosql_server.engine.column_listing import (
    COLUMN_SCHEMA,
    TABLE_SCHEMA,
    VIEW_SCHEMA,
    columns_table,
    tables_table,
    views_table,
)
from thanosql_server.engine.constraint_listing import (
    CONSTRAINT_SCHEMA,
    constraints_table,
)
from thanosql_server.engine.index_listing import INDEX_SCHEMA, indexes_table
from thanosql_server.engine.provider import RowsTable
from thanosql_server.engine.server_tables import SCHEMAS as SERVER_SCHEMAS
from thanosql_server.engine.version_listing import VERSION_SCHEMA, versions_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from datafusion.catalog import Table as DataFusionTable

    from thanosql_server.engine.catalog import Reading
    from thanosql_server.storage.workspace import Workspace

SYSTEM_SCHEMA = "thanosql"

MODEL_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("class_name", pa.string()),
        pa.field("dim", pa.int64()),
        pa.field("last_updated_utc", pa.timestamp("us", "UTC")),
        pa.field("pictures", pa.int64()),
        pa.field("epochs", pa.int64()),
        pa.field("seconds", pa.float64()),
        pa.field("final_loss", pa.float64()),
    ]
)


class _Listing(NamedTuple):
    """Columns of a system table, and what collects its rows."""

    schema: pa.Schema
    rows: Callable[[Workspace], pa.Table]


def models_table(workspace: Workspace) -> pa.Table:
    """Return one row per trained or fetched model."""
    rows = [
        {
            "name": model.name,
            "class_name": model.config.get("family"),
            "dim": model.config.get("dim"),
            "last_updated_utc": model.created,
            "pictures": model.metrics.get("pictures"),
            "epochs": len(model.metrics.get("epochs") or ()) or None,
            "seconds": model.metrics.get("seconds"),
            "final_loss": (model.metrics.get("epochs") or [{}])[-1].get("loss"),
        }
        for model in workspace.models.list()
    ]
    return pa.Table.from_pylist(rows, schema=MODEL_SCHEMA)


_LISTINGS = {
    "columns": _Listing(COLUMN_SCHEMA, columns_table),
    "constraints": _Listing(CONSTRAINT_SCHEMA, constraints_table),
    "indexes": _Listing(INDEX_SCHEMA, indexes_table),
    "models": _Listing(MODEL_SCHEMA, models_table),
    "tables": _Listing(TABLE_SCHEMA, tables_table),
    "versions": _Listing(VERSION_SCHEMA, versions_table),
    "views": _Listing(VIEW_SCHEMA, views_table),
}


def system_schemas() -> dict[str, pa.Schema]:
    """Return the columns of every system table by its name."""
    return {name: one.schema for name, one in _LISTINGS.items()} | SERVER_SCHEMAS


class SystemTables(SchemaProvider):
    """The system tables, as one statement sees them.

    Args:
        workspace: what most of them are about.
        reading: what the statement reads; is told which of them it does.
        server: the rows of those about the server, by name.
    """

    def __init__(
        self,
        workspace: Workspace,
        reading: Reading,
        server: Mapping[str, Callable[[], pa.Table]],
    ) -> None:
        self._reading = reading
        self._workspace = workspace
        self._server = server
        self._made: dict[str, RowsTable] = {}

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """Names of the system tables."""
        return sorted({*_LISTINGS, *self._server})

    def table_exist(self, name: str) -> bool:
        """Return whether there is such a system table."""
        return name in _LISTINGS or name in self._server

    def table(self, name: str) -> DataFusionTable | None:
        """Return a table with the rows as of when it is first read, or None."""
        self._reading.used.add((SYSTEM_SCHEMA, name))
        if name not in self._made and self.table_exist(name):
            self._made[name] = self._listed(name)
        return self._made.get(name)

    def _listed(self, name: str) -> RowsTable:
        if name in self._server:
            return RowsTable(SERVER_SCHEMAS[name], self._server[name])
        schema, rows = _LISTINGS[name]
        return RowsTable(schema, partial(rows, self._workspace))
