"""Names of tables in statements -> the names under which storage keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.errors import UndefinedObject

if TYPE_CHECKING:
    from thanosql_server.sql.nodes import TableName


def stored_name(table: TableName) -> str:
    """Return the name of a table in the one schema that can be written.

    Raises:
        UndefinedObject: the name is qualified with another schema or catalog.
    """
    *qualifiers, name = table.parts
    if qualifiers in ([], [SCHEMA], [CATALOG, SCHEMA]):
        return name
    raise UndefinedObject(
        f"tables cannot be written in schema '{'.'.join(qualifiers)}'; "
        f"they live in '{SCHEMA}'",
        position=table.position,
    )
