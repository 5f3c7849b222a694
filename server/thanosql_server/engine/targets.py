"""Tables that statements change: finding them, and saying where an error is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from thanosql_server.engine.columns import find_column
from thanosql_server.engine.stored_names import stored_name
from thanosql_server.errors import (
    InvalidStatement,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.nodes import TableName
    from thanosql_server.storage.tables import Table

    T = TypeVar("T")


def at(position: Position | None, work: Callable[[], T]) -> T:
    """Do `work`, giving its errors the position."""
    try:
        return work()
    except ThanoSQLError as error:
        raise error.at(position) from None


def opened(planning: Planning, name: TableName) -> Table:
    """Return the version of a table that the statement sees.

    Raises:
        UndefinedTable: there is no such table.
    """
    stored = stored_name(name)
    refuse_view(planning, name, "cannot be changed; change the tables it reads")
    return at(name.position, partial(planning.catalog.tables.open, stored))


def refuse_view(planning: Planning, name: TableName, why: str) -> None:
    """Raise InvalidStatement if a view has the name; `why` goes on "is a view and".

    Raises:
        InvalidStatement: it is a view.
    """
    stored = stored_name(name)
    if planning.environment.workspace.views.exists(stored):
        raise InvalidStatement(
            f"'{stored}' is a view and {why}", position=name.position
        )


def column_of(table: Table, name: str, position: Position | None) -> pa.Field:
    """Return a column, looked up without regard to case if it is not found exactly.

    Raises:
        UndefinedColumn: there is no such column.
    """
    column = find_column(table.schema, name)
    if column is None:
        names = table.schema.names
        hint = nearest(name, names) or "; there are " + ", ".join(names)
        raise UndefinedColumn(
            f"table '{table.name}' has no column '{name}'{hint}", position=position
        )
    return table.schema.field(column)
