"""The system table `thanosql.constraints`: keys that are declared of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.storage.constraints import constraints_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.workspace import Workspace

CONSTRAINT_SCHEMA = pa.schema(
    [
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("constraint_name", pa.string(), nullable=False),
        pa.field("constraint_type", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("ordinal_position", pa.int64(), nullable=False),
        pa.field("referenced_schema", pa.string()),
        pa.field("referenced_table", pa.string()),
        pa.field("referenced_column", pa.string()),
        pa.field("update_rule", pa.string()),
        pa.field("delete_rule", pa.string()),
    ]
)


def constraints_table(workspace: Workspace) -> pa.Table:
    """Return one row per column of each constraint."""
    rows = [
        dict(zip(CONSTRAINT_SCHEMA.names, row, strict=True))
        for space, name in workspace.schemas.tables()
        for row in _rows(space, name)
    ]
    return pa.Table.from_pylist(rows, schema=CONSTRAINT_SCHEMA)


def _rows(space: Space, table: str) -> Iterator[tuple[object, ...]]:
    try:
        schema = space.tables.open(table).schema
    except ThanoSQLError:
        return  # dropped meanwhile, or broken: never a reason to list nothing
    for one in constraints_of(table, schema):
        to = one.reference
        for place, column in enumerate(one.columns):
            row = (space.schema, table, one.name, one.kind, column, place + 1)
            if to is None:
                yield (*row, None, None, None, None, None)
            else:
                referenced = (to.schema, to.table, to.columns[place])
                yield (*row, *referenced, to.on_update, to.on_delete)
