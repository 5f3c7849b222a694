"""What is in a database: schemas, tables, views, columns, keys and comments.

Names and facts come from the tables of the schema `thanosql`; the types of columns from
the description of a query that returns no row, which is the same for tables and views.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import text
from sqlalchemy.exc import NoSuchTableError

from sqlalchemy_thanosql.ddl import RANDOM_KEY
from sqlalchemy_thanosql.types import sqlalchemy_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

F = TypeVar("F", bound="Callable[..., Any]")

SYSTEM_SCHEMAS = frozenset({"thanosql", "information_schema"})
"""Their tables are the server's own, and listed by information_schema only."""

SCHEMAS = "SELECT schema_name FROM information_schema.schemata ORDER BY 1"
TABLES = """
    SELECT table_name FROM thanosql.tables WHERE table_schema = :schema ORDER BY 1
"""
SYSTEM_TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = :schema ORDER BY 1
"""
VIEWS = "SELECT view_name FROM thanosql.views WHERE view_schema = :schema ORDER BY 1"
NAMED = """
    SELECT 1 FROM thanosql.tables
    WHERE table_schema = :schema AND table_name = :table
    UNION ALL
    SELECT 1 FROM thanosql.views WHERE view_schema = :schema AND view_name = :table
"""
COMMENT = """
    SELECT comment FROM thanosql.tables
    WHERE table_schema = :schema AND table_name = :table
"""
DEFINITION = """
    SELECT definition FROM thanosql.views
    WHERE view_schema = :schema AND view_name = :table
"""
FACTS = """
    SELECT column_name, column_default, comment, declared_type, holds,
           generation_expression
    FROM thanosql.columns WHERE table_schema = :schema AND table_name = :table
"""
CONSTRAINTS = """
    SELECT constraint_name, column_name, referenced_schema, referenced_table,
           referenced_column, update_rule, delete_rule
    FROM thanosql.constraints
    WHERE table_schema = :schema AND table_name = :table AND constraint_type = :kind
    ORDER BY constraint_name, ordinal_position
"""


def _cached(ask: F) -> F:
    """Return the method with its answers kept for the life of an `Inspector`.

    SQLAlchemy's own decorator cannot read the annotations of this file in 1.4.
    """

    @wraps(ask)
    def answer(self: Any, connection: Connection, *args: Any, **options: Any) -> Any:
        cache = options.get("info_cache")
        if cache is None:
            return ask(self, connection, *args, **options)
        given = ((k, v) for k, v in options.items() if isinstance(v, (str, bool)))
        key = (ask.__name__, args, tuple(sorted(given)))
        if key not in cache:
            cache[key] = ask(self, connection, *args, **options)
        return cache[key]

    return cast("F", answer)


class Reflection:
    """The part of the dialect behind `inspect` and `Table(autoload_with=...)`."""

    default_schema_name: str
    identifier_preparer: Any

    @_cached
    def get_schema_names(self, connection: Connection, **_: Any) -> list[str]:
        """Return the schemas that there are."""
        return [row[0] for row in connection.execute(text(SCHEMAS))]

    @_cached
    def has_schema(self, connection: Connection, schema_name: str, **_: Any) -> bool:
        """Return whether there is such a schema."""
        return schema_name in self.get_schema_names(connection)

    @_cached
    def get_table_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """Return the tables of a schema."""
        query = SYSTEM_TABLES if schema in SYSTEM_SCHEMAS else TABLES
        return self._names(connection, query, schema)

    @_cached
    def get_view_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """Return the views of a schema."""
        return self._names(connection, VIEWS, schema)

    def get_temp_table_names(self, connection: Connection, **_: Any) -> list[str]:
        """Return no tables: none are temporary."""
        return []

    def get_temp_view_names(self, connection: Connection, **_: Any) -> list[str]:
        """Return no views: none are temporary."""
        return []

    @_cached
    def has_table(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> bool:
        """Return whether a table or view of that name is there."""
        if schema in SYSTEM_SCHEMAS:
            return table_name in self._names(connection, SYSTEM_TABLES, schema)
        return bool(self._rows(connection, NAMED, schema, table_name))

    @_cached
    def get_columns(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> list[Any]:
        """Return the columns of a table or view, in order.

        Raises:
            NoSuchTableError: there is no table or view of that name.
        """
        self._require(connection, table_name, schema)
        facts = {
            row[0]: row[1:] for row in self._rows(connection, FACTS, schema, table_name)
        }
        columns = []
        for described in self._described(connection, table_name, schema):
            name, type_, nullable = described[0], described[1], described[6]
            default, comment, declared, holds, made = facts.get(name, (None,) * 5)
            numbered = default is not None and RANDOM_KEY in default
            columns.append(
                {
                    "name": name,
                    "type": sqlalchemy_type(type_, holds, declared),
                    "nullable": nullable,
                    "default": None if numbered else default,
                    "autoincrement": numbered,
                    "comment": comment,
                    **_computed(made),
                }
            )
        return columns

    @_cached
    def get_pk_constraint(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return the primary key that is declared; it is not enforced."""
        found = self._constraints(connection, "PRIMARY KEY", table_name, schema)
        for name, rows in found.items():
            return {"constrained_columns": [row[1] for row in rows], "name": name}
        return {"constrained_columns": [], "name": None}

    @_cached
    def get_unique_constraints(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return the unique constraints that are declared; they are not enforced."""
        found = self._constraints(connection, "UNIQUE", table_name, schema)
        return [
            {"name": name, "column_names": [row[1] for row in rows]}
            for name, rows in found.items()
        ]

    @_cached
    def get_foreign_keys(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return the foreign keys that are declared; they are not enforced."""
        found = self._constraints(connection, "FOREIGN KEY", table_name, schema)
        return [
            {
                "name": name,
                "constrained_columns": [row[1] for row in rows],
                "referred_schema": self._shown_schema(rows[0][2], schema),
                "referred_table": rows[0][3],
                "referred_columns": [row[4] for row in rows],
                "options": _rules(rows[0][5], rows[0][6]),
            }
            for name, rows in found.items()
        ]

    @_cached
    def get_check_constraints(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return no check constraints: the server refuses them."""
        self._require(connection, table_name, schema)
        return []

    @_cached
    def get_indexes(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return no indexes: only embeddings have some, and `Index` knows none such."""
        self._require(connection, table_name, schema)
        return []

    @_cached
    def get_table_comment(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> Any:
        """Return the comment on a table; views have none."""
        self._require(connection, table_name, schema)
        rows = self._rows(connection, COMMENT, schema, table_name)
        return {"text": rows[0][0] if rows else None}

    @_cached
    def get_view_definition(
        self,
        connection: Connection,
        view_name: str,
        schema: str | None = None,
        **_: Any,
    ) -> str:
        """Return the query of a view, as it was written.

        Raises:
            NoSuchTableError: there is no view of that name.
        """
        rows = self._rows(connection, DEFINITION, schema, view_name)
        if not rows:
            raise NoSuchTableError(f"{schema}.{view_name}" if schema else view_name)
        return str(rows[0][0])

    # ---- How it asks --------------------------------------------------------

    def _names(
        self, connection: Connection, query: str, schema: str | None
    ) -> list[str]:
        wanted = {"schema": schema or self.default_schema_name}
        return [row[0] for row in connection.execute(text(query), wanted)]

    def _rows(
        self,
        connection: Connection,
        query: str,
        schema: str | None,
        table: str,
        **more: str,
    ) -> list[Any]:
        wanted = {"schema": schema or self.default_schema_name, "table": table, **more}
        return list(connection.execute(text(query), wanted))

    def _require(self, connection: Connection, table: str, schema: str | None) -> None:
        if not self.has_table(connection, table, schema):
            raise NoSuchTableError(f"{schema}.{table}" if schema else table)

    def _described(
        self, connection: Connection, table: str, schema: str | None
    ) -> list[tuple[Any, ...]]:
        """Return the driver's description of a table's columns."""
        quote = self.identifier_preparer.quote_identifier
        name = f"{quote(schema or self.default_schema_name)}.{quote(table)}"
        result = connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0")
        described = list(result.cursor.description)
        result.close()
        return described

    def _constraints(
        self, connection: Connection, kind: str, table: str, schema: str | None
    ) -> dict[str, list[Any]]:
        """Return the rows of each constraint of a kind, by its name."""
        self._require(connection, table, schema)
        found: dict[str, list[Any]] = {}
        for row in self._rows(connection, CONSTRAINTS, schema, table, kind=kind):
            found.setdefault(row[0], []).append(row)
        return found

    def _shown_schema(self, referred: str, asked: str | None) -> str | None:
        """Return a schema as SQLAlchemy wants it: None if names work without it."""
        if referred == self.default_schema_name and asked != referred:
            return None
        return referred


def _computed(expression: str | None) -> dict[str, Any]:
    """Return what SQLAlchemy is told of a column that the server fills."""
    if expression is None:
        return {}
    return {"computed": {"sqltext": expression, "persisted": True}}


def _rules(on_update: str, on_delete: str) -> dict[str, str]:
    rules = {"onupdate": on_update, "ondelete": on_delete}
    return {event: rule for event, rule in rules.items() if rule != "NO ACTION"}
