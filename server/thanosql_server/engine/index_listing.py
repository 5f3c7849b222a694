"""The system table `thanosql.indexes`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.search.coverage import Lag
from thanosql_server.search.indexed_columns import indexed_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.index_records import Index
    from thanosql_server.storage.workspace import Workspace

METHOD = "hnsw"

INDEX_SCHEMA = pa.schema(
    [
        pa.field("index_name", pa.string(), nullable=False),
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("parameters", pa.string(), nullable=False),
        pa.field("rows_indexed", pa.int64()),
        pa.field("rows_pending", pa.int64()),
        pa.field("state", pa.string(), nullable=False),
        pa.field("bytes", pa.int64()),
        pa.field("created", pa.timestamp("us", "UTC")),
        pa.field("table_version", pa.int64()),
    ]
)


def indexes_table(workspace: Workspace) -> pa.Table:
    """Return one row per index."""
    rows = [row for one in workspace.indexes.all() for row in _row(workspace, one)]
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)


def _row(workspace: Workspace, index: Index) -> Iterator[dict[str, Any]]:
    asked, generation = index.definition, index.generation
    try:
        table = workspace.schemas.open(index.schema).tables.open(index.table)
        column = indexed_column(index, table)
        fragments = table.fragments(column) if column else None
        rows = table.count_rows()
    except ThanoSQLError:
        return  # the table was dropped meanwhile, or is broken
    if column is None:
        return  # the column was dropped; so will be the index
    row: dict[str, Any] = {
        "index_name": asked.name,
        "table_schema": index.schema,
        "table_name": index.table,
        "column_name": column,
        "method": METHOD,
        "metric": asked.metric,
        "parameters": f"m={asked.m}, ef_construction={asked.ef_construction}",
        "created": _moment(asked.created),
        "state": "damaged",
    }
    if generation is not None:
        lag = Lag.of(generation, fragments or ())
        pending = min(lag.rows_left, rows)
        row |= {
            "rows_indexed": rows - pending,
            "rows_pending": pending,
            "state": "behind" if lag.too_far else "ready",
            "bytes": generation.bytes,
            "table_version": generation.version,
        }
    if workspace.indexes.is_held(index):
        row["state"] = "renewing"
    yield row


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
