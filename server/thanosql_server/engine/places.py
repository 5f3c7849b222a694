"""Where the tables and views lie that statements name: their schema and their name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.engine.system_tables import SYSTEM_SCHEMA
from thanosql_server.errors import ThanoSQLError, UndefinedObject

if TYPE_CHECKING:
    from thanosql_server.sql.nodes import TableName
    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.tables import TableStore
    from thanosql_server.storage.views import ViewStore
    from thanosql_server.storage.workspace import Workspace

RESERVED = frozenset({SYSTEM_SCHEMA, TARGET_SCHEMA, "information_schema"})
"""Schemas in which nobody can make tables."""


@dataclass(frozen=True)
class Place:
    """A table or a view, there or not: its name and the schema that it is in."""

    space: Space
    name: str

    @property
    def schema(self) -> str:
        """The name of the schema."""
        return self.space.schema

    @property
    def tables(self) -> TableStore:
        """The tables of the schema."""
        return self.space.tables

    @property
    def views(self) -> ViewStore:
        """The views of the schema."""
        return self.space.views

    @property
    def key(self) -> tuple[str, str]:
        """Schema and name."""
        return self.schema, self.name


def place_of(workspace: Workspace, table: TableName) -> Place:
    """Return where a table or view of this name is, or would be made.

    Raises:
        UndefinedObject: the schema or the catalog is not there, or is the server's own.
    """
    try:
        return place_at(workspace, table.parts)
    except ThanoSQLError as error:
        raise error.at(table.position) from None


def place_at(workspace: Workspace, parts: tuple[str, ...]) -> Place:
    """Return the place of a name that no statement has written; see `place_of`."""
    *qualifiers, name = parts
    *catalog, schema = qualifiers or [SCHEMA]
    _require_catalog(catalog)
    if schema in RESERVED:
        raise UndefinedObject(
            f"tables cannot be written in schema '{schema}'; "
            f"they live in '{SCHEMA}' and in schemas made with CREATE SCHEMA"
        )
    return Place(workspace.schemas.open(schema), name)


def schema_of(name: TableName) -> str:
    """Return the schema that a statement names, without the catalog.

    Raises:
        UndefinedObject: the catalog is not there.
    """
    *catalog, schema = name.parts
    try:
        _require_catalog(catalog)
    except ThanoSQLError as error:
        raise error.at(name.position) from None
    return schema


def _require_catalog(qualifiers: list[str]) -> None:
    if qualifiers not in ([], [CATALOG]):
        raise UndefinedObject(
            f"there is no catalog '{'.'.join(qualifiers)}'; the only one is '{CATALOG}'"
        )
