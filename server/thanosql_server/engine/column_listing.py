"""The system tables `thanosql.tables`, `thanosql.columns` and `thanosql.views`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.generated import expression
from thanosql_server.errors import ThanoSQLError
from thanosql_server.storage.facts import COMMENT, DEFAULT, HOLDS, KEY, TYPE, fact
from thanosql_server.storage.generated import generated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.workspace import Workspace

TABLE_SCHEMA = pa.schema(
    [
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("comment", pa.string()),
    ]
)

COLUMN_SCHEMA = pa.schema(
    [
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("ordinal_position", pa.int64(), nullable=False),
        pa.field("data_type", pa.string(), nullable=False),
        pa.field("declared_type", pa.string()),
        pa.field("is_nullable", pa.bool_(), nullable=False),
        pa.field("column_default", pa.string()),
        pa.field("key_position", pa.int64()),
        pa.field("holds", pa.string()),
        pa.field("comment", pa.string()),
        pa.field("is_generated", pa.string(), nullable=False),
        pa.field("generation_expression", pa.string()),
    ]
)


VIEW_SCHEMA = pa.schema(
    [
        pa.field("view_schema", pa.string(), nullable=False),
        pa.field("view_name", pa.string(), nullable=False),
        pa.field("definition", pa.string(), nullable=False),
    ]
)


def tables_table(workspace: Workspace) -> pa.Table:
    """Return one row per stored table; of a damaged one no comment."""
    rows = []
    for space, name in workspace.schemas.tables():
        comment = None
        with contextlib.suppress(ThanoSQLError):  # dropped meanwhile, or damaged
            comment = fact(space.tables.open(name).schema, COMMENT)
        rows.append((space.schema, name, comment))
    named = [dict(zip(TABLE_SCHEMA.names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=TABLE_SCHEMA)


def columns_table(workspace: Workspace) -> pa.Table:
    """Return one row per column of the stored tables."""
    rows = [
        row for space, name in workspace.schemas.tables() for row in _rows(space, name)
    ]
    return pa.Table.from_pylist(rows, schema=COLUMN_SCHEMA)


def views_table(workspace: Workspace) -> pa.Table:
    """Return one row per view."""
    rows = []
    for space in workspace.schemas.all():
        for name in space.views.names():
            with contextlib.suppress(ThanoSQLError):  # dropped meanwhile, or damaged
                definition = space.views.open(name).query
                rows.append((space.schema, name, definition))
    named = [dict(zip(VIEW_SCHEMA.names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=VIEW_SCHEMA)


def _rows(space: Space, name: str) -> Iterator[dict[str, object]]:
    try:
        schema = space.tables.open(name).schema
    except ThanoSQLError:
        return  # dropped meanwhile, or broken: never a reason to list nothing
    for place, field in enumerate(schema, start=1):
        key, made = fact(field, KEY), generated(schema, field)
        yield {
            "table_schema": space.schema,
            "table_name": name,
            "column_name": field.name,
            "ordinal_position": place,
            "data_type": str(field.type),
            "declared_type": fact(field, TYPE),
            "is_nullable": field.nullable,
            "column_default": fact(field, DEFAULT),
            "key_position": int(key) if key else None,
            "holds": fact(field, HOLDS),
            "comment": fact(field, COMMENT),
            "is_generated": "NEVER" if made is None else "ALWAYS",
            "generation_expression": None if made is None else expression(made),
        }
