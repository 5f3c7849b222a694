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


def columns_of(environment: Environment, name: str) -> pa.Schema | None:
    """Return the columns of a view, None if it cannot be used as it is."""
    try:
        return _planned(environment, name)[1]
    except ThanoSQLError:
        return None


def readers(environment: Environment, names: Sequence[str]) -> list[str]:
    """Return the views that read one of the tables and views, in whatever depth."""
    found = []
    for view in environment.workspace.views.names():
        planning, _ = _planned(environment, view)
        used = planning.catalog.tables.used - {view}
        if used.intersection(names) and view not in names:
            found.append(view)
    return found


def _planned(environment: Environment, name: str) -> tuple[Planning, pa.Schema | None]:
    statement = parse(f"SELECT * FROM {quote(name)}")
    planning = Planning(environment, statement, ())
    try:
        return planning, planning.frame(statement.queries[0]).schema()
    except ThanoSQLError:
        return planning, None
