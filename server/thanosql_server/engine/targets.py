"""Tables that statements change: finding them, and saying where an error is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from thanosql_server.engine.columns import find_column
from thanosql_server.engine.places import place_of
from thanosql_server.errors import (
    InvalidStatement,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from thanosql_server.engine.places import Place
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
    place = place_of(planning.environment.workspace, name)
    refuse_view(place, name, "cannot be changed; change the tables it reads")
    return at(name.position, partial(planning.catalog.open, place))


def refuse_view(place: Place, name: TableName, why: str) -> None:
    """Refuse what only tables can do; `why` goes on "'v' is a view and".

    Raises:
        InvalidStatement: there is a view of this name.
    """
    if place.views.exists(place.name):
        raise InvalidStatement(
            f"'{place.name}' is a view and {why}", position=name.position
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
