"""The dialect: connect with the driver, reflect through information_schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoSuchTableError

from sqlalchemy_thanosql.compiler import (
    ThanoSQLDDLCompiler,
    ThanoSQLTypeCompiler,
)
from sqlalchemy_thanosql.types import sqlalchemy_type

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy.engine import URL, Connection

HIDDEN_SCHEMAS = frozenset({"information_schema"})

TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = :schema AND table_type LIKE :kind ORDER BY table_name
"""
COLUMNS = """
    SELECT column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = :schema AND table_name = :table ORDER BY ordinal_position
"""
KEY = """
    SELECT column_name FROM thanosql.columns
    WHERE table_name = :table AND key_position IS NOT NULL ORDER BY key_position
"""
SCHEMAS = "SELECT DISTINCT table_schema FROM information_schema.tables"


class ThanoSQLDialect(DefaultDialect):
    """ThanoSQL for SQLAlchemy 1.4 to 2.1.

    URLs are the driver's: ``thanosql://user:token@host:port/?tls=true`` for a server,
    ``thanosql:///srv/workspace`` or ``thanosql:///./workspace`` for a folder that is
    served in this process. Every statement commits itself.
    """

    name = "thanosql"
    driver = "flight"
    default_paramstyle = "qmark"
    default_schema_name = "public"
    type_compiler_cls = ThanoSQLTypeCompiler
    ddl_compiler = ThanoSQLDDLCompiler
    type_compiler = ThanoSQLTypeCompiler  # the name of the same in SQLAlchemy 1.4
    supports_statement_cache = True
    supports_alter = False
    supports_sane_rowcount = False
    supports_sane_multi_rowcount = False
    supports_native_boolean = True
    supports_native_decimal = True
    supports_default_values = True
    supports_multivalues_insert = True
    supports_sequences = False
    postfetch_lastrowid = False
    insert_executemany_returning = False

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the driver (SQLAlchemy 2)."""
        import thanosql

        return thanosql

    @classmethod
    def dbapi(cls) -> ModuleType:  # type: ignore[override]  # 1.4 calls it on the class
        """Return the driver (SQLAlchemy 1.4)."""
        return cls.import_dbapi()

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of `thanosql.connect` for a URL."""
        plain = url.set(drivername=self.name)
        return [plain.render_as_string(hide_password=False)], {}

    def initialize(self, connection: Connection) -> None:
        """Skip the questions that SQLAlchemy asks; the answers are known."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Do nothing: every statement has committed itself."""

    def get_schema_names(self, connection: Connection, **options: Any) -> list[str]:
        """Return the schemas that hold tables, and the default one."""
        found = {row[0] for row in connection.execute(text(SCHEMAS))}
        return sorted((found | {self.default_schema_name}) - HIDDEN_SCHEMAS)

    def get_table_names(
        self, connection: Connection, schema: str | None = None, **options: Any
    ) -> list[str]:
        """Return the tables of a schema."""
        return self._relations(connection, schema, "%TABLE")

    def get_view_names(
        self, connection: Connection, schema: str | None = None, **options: Any
    ) -> list[str]:
        """Return the views of a schema."""
        return self._relations(connection, schema, "%VIEW")

    def has_table(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **options: Any,
    ) -> bool:
        """Return whether a table or view of that name is there."""
        return table_name in self._relations(connection, schema, "%")

    def get_columns(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **options: Any,
    ) -> list[Any]:
        """Return the columns of a table or view, in order.

        Raises:
            NoSuchTableError: there is no table or view of that name.
        """
        wanted = {"schema": schema or self.default_schema_name, "table": table_name}
        rows = connection.execute(text(COLUMNS), wanted).fetchall()
        if not rows:
            raise NoSuchTableError(table_name)
        return [
            {
                "name": name,
                "type": sqlalchemy_type(type_),
                "nullable": nullable == "YES",
                "default": None,
            }
            for name, type_, nullable in rows
        ]

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: Any = None, **_: Any
    ) -> Any:
        """Return the primary key that is declared; it is not enforced."""
        if schema not in (None, self.default_schema_name):
            return {"constrained_columns": [], "name": None}
        rows = connection.execute(text(KEY), {"table": table_name}).fetchall()
        return {"constrained_columns": [row[0] for row in rows], "name": None}

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: Any = None, **_: Any
    ) -> Any:
        """Return no foreign keys: tables have none."""
        return []

    def get_indexes(
        self, connection: Connection, table_name: str, schema: Any = None, **_: Any
    ) -> Any:
        """Return no indexes: SQL sees none."""
        return []

    def _relations(
        self, connection: Connection, schema: str | None, kind: str
    ) -> list[str]:
        wanted = {"schema": schema or self.default_schema_name, "kind": kind}
        return [row[0] for row in connection.execute(text(TABLES), wanted)]
