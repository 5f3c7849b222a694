"""LIST THANOSQL: what hubs have, as rows that are fetched when the statement runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from datafusion import udtf
from datafusion.catalog import Table

from thanosql_server.engine.provider import RowsTable

if TYPE_CHECKING:
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Listing
    from thanosql_server.storage.hub_manifest import Entry, Kind

DATASET_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("data_type", pa.string()),
    ]
)
MODEL_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("class_name", pa.string()),
        pa.field("last_updated_utc", pa.timestamp("us", "UTC")),
    ]
)


def query(planning: Planning, kind: Listing, function: str) -> str:
    """Return the query behind LIST THANOSQL; hubs are asked when it runs.

    Args:
        planning: of the statement; gets a table function for the rows.
        kind: THANOSQL DATASET or THANOSQL MODEL.
        function: a name for the table function.
    """
    datasets = kind == "THANOSQL DATASET"
    schema = DATASET_SCHEMA if datasets else MODEL_SCHEMA
    found: list[pa.Table] = []

    def ask() -> None:
        offers = planning.environment.workspace.hubs.offers
        wanted: Kind = "datasets" if datasets else "models"
        found.append(_rows(offers.entries(wanted, planning.control), schema))

    rows = RowsTable(schema, lambda: found[-1])
    planning.context.register_udtf(udtf(lambda: Table(rows), function))
    planning.clauses.warm_up.append(ask)
    return f"SELECT * FROM {function}() ORDER BY name"


def _rows(entries: list[Entry], schema: pa.Schema) -> pa.Table:
    """Return one row per entry, with the columns that there are."""
    rows = [
        {
            "name": entry.name,
            "data_type": entry.category,
            "class_name": entry.category,
            "last_updated_utc": entry.updated,
        }
        for entry in entries
    ]
    return pa.Table.from_pylist(rows, schema=schema)
