"""Views planned to learn something about them: their columns, or what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.planning import Planning
from thanosql_server.errors import ThanoSQLError
from thanosql_server.sql.names import quote
from thanosql_server.sql.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from thanosql_server.engine.planning import Environment
    from thanosql_server.storage.views import ViewStore


def columns_of(environment: Environment, key: tuple[str, str]) -> pa.Schema | None:
    """Return the columns of a view, None if it cannot be used as it is."""
    try:
        return _planned(environment, key)[1]
    except ThanoSQLError:
        return None


def readers(
    environment: Environment, keys: Sequence[tuple[str, str]]
) -> list[tuple[ViewStore, str]]:
    """Return the views that read one of the tables and views, in whatever depth.

    Args:
        environment: what all statements share.
        keys: schema and name of the tables and views.
    """
    found = []
    for space in environment.workspace.schemas.all():
        for name in space.views.names():
            view = (space.schema, name)
            planning, _ = _planned(environment, view)
            used = planning.catalog.reading.used - {view}
            if used.intersection(keys) and view not in keys:
                found.append((space.views, name))
    return found


def _planned(
    environment: Environment, key: tuple[str, str]
) -> tuple[Planning, pa.Schema | None]:
    statement = parse(f"SELECT * FROM {quote(key[0])}.{quote(key[1])}")
    planning = Planning(environment, statement, ())
    try:
        return planning, planning.frame(statement.queries[0]).schema()
    except ThanoSQLError:
        return planning, None
