"""REFRESH TABLE: columns of embeddings brought up to date now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.sql.constraints import read_names
from thanosql_server.sql.nodes import Statement

if TYPE_CHECKING:
    from thanosql_server.sql.constraints import Named
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import TableName


@dataclass(frozen=True)
class RefreshTable(Statement):
    """`REFRESH [TABLE] table [(column, ...)] [FULL]`; all columns without names."""

    table: TableName
    columns: Named
    full: bool


def read_refresh(cursor: Cursor) -> RefreshTable:
    """Read `REFRESH [TABLE] table [(column, ...)] [FULL]`."""
    cursor.expect_words("REFRESH")
    cursor.take_words("TABLE")
    table = cursor.table_name()
    columns = read_names(cursor, f"table {table}") if cursor.at_symbol("(") else ()
    return RefreshTable(table, columns, cursor.take_words("FULL"))
