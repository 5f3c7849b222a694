"""The system table `thanosql.versions`, and the rows of SHOW VERSIONS."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.storage.history import History

if TYPE_CHECKING:
    from thanosql_server.storage.history import Version
    from thanosql_server.storage.workspace import Workspace

VERSION_SCHEMA = pa.schema(
    [
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("committed_utc", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("operation", pa.string()),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)


def versions_table(workspace: Workspace) -> pa.Table:
    """Return one row per version of every table."""
    parts = [VERSION_SCHEMA.empty_table()]
    for space, name in workspace.schemas.tables():
        with contextlib.suppress(ThanoSQLError):  # dropped meanwhile, or damaged
            versions = History(space.tables).versions(name)
            parts.append(rows_of(space.schema, name, versions))
    return pa.concat_tables(parts)


def rows_of(schema: str, name: str, versions: list[Version]) -> pa.Table:
    """Return one row per version of a table."""
    rows = [
        {
            "table_schema": schema,
            "table_name": name,
            "version": version.number,
            "committed_utc": version.committed,
            "operation": version.operation,
            "rows": version.rows,
            "bytes": version.bytes,
        }
        for version in versions
    ]
    return pa.Table.from_pylist(rows, schema=VERSION_SCHEMA)
