"""The system tables `thanosql.columns` and `thanosql.views`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.storage.facts import COMMENT, DEFAULT, HOLDS, KEY, fact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.workspace import Workspace

COLUMN_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("ordinal_position", pa.int64(), nullable=False),
        pa.field("data_type", pa.string(), nullable=False),
        pa.field("is_nullable", pa.bool_(), nullable=False),
        pa.field("column_default", pa.string()),
        pa.field("key_position", pa.int64()),
        pa.field("holds", pa.string()),
        pa.field("comment", pa.string()),
    ]
)


VIEW_SCHEMA = pa.schema(
    [
        pa.field("view_name", pa.string(), nullable=False),
        pa.field("definition", pa.string(), nullable=False),
    ]
)


def columns_table(workspace: Workspace) -> pa.Table:
    """Return one row per column of the stored tables."""
    rows = [row for name in workspace.tables.names() for row in _rows(workspace, name)]
    return pa.Table.from_pylist(rows, schema=COLUMN_SCHEMA)


def views_table(workspace: Workspace) -> pa.Table:
    """Return one row per view."""
    rows = []
    for name in workspace.views.names():
        with contextlib.suppress(ThanoSQLError):  # dropped meanwhile, or damaged
            definition = workspace.views.open(name).query
            rows.append({"view_name": name, "definition": definition})
    return pa.Table.from_pylist(rows, schema=VIEW_SCHEMA)


def _rows(workspace: Workspace, name: str) -> Iterator[dict[str, object]]:
    try:
        schema = workspace.tables.open(name).schema
    except ThanoSQLError:
        return  # dropped meanwhile, or broken: never a reason to list nothing
    for place, field in enumerate(schema, start=1):
        key = fact(field, KEY)
        yield {
            "table_name": name,
            "column_name": field.name,
            "ordinal_position": place,
            "data_type": str(field.type),
            "is_nullable": field.nullable,
            "column_default": fact(field, DEFAULT),
            "key_position": int(key) if key else None,
            "holds": fact(field, HOLDS),
            "comment": fact(field, COMMENT),
        }
