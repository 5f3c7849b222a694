"""The dialect: how SQLAlchemy connects, and what the server can do."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext

from sqlalchemy_thanosql.compiler import ThanoSQLCompiler
from sqlalchemy_thanosql.ddl import (
    ThanoSQLDDLCompiler,
    ThanoSQLIdentifierPreparer,
    ThanoSQLTypeCompiler,
    numbers_itself,
)
from sqlalchemy_thanosql.reflection import Reflection
from sqlalchemy_thanosql.types import COLSPECS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from sqlalchemy.engine import URL, Connection

AUTOCOMMIT = "AUTOCOMMIT"


class ThanoSQLExecutionContext(DefaultExecutionContext):
    """One statement on its way."""

    _rowcount: int | None = None

    def post_exec(self) -> None:
        """Keep the number of rows, which the cursor forgets when it is closed."""
        if self._rowcount is None and not self.cursor.description:
            self._rowcount = self.cursor.rowcount
        parent: Any = super()
        parent.post_exec()

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement has changed or returned."""
        kept = self._rowcount
        return int(self.cursor.rowcount if kept is None else kept)

    def get_insert_default(self, column: Any) -> Any:
        """Return a key that is not given: 63 random bits (see `ddl.RANDOM_KEY`)."""
        if numbers_itself(column):
            return secrets.randbits(63)
        parent: Any = super()
        return parent.get_insert_default(column)


class ThanoSQLDialect(Reflection, DefaultDialect):  # type: ignore[misc]
    """ThanoSQL for SQLAlchemy 1.4 to 2.1.

    URLs are the driver's: ``thanosql://user:token@host:port/?tls=true`` for a server,
    ``thanosql:///srv/workspace`` or ``thanosql:///./workspace`` for a folder that is
    served in this process. Every statement commits itself.
    """

    name = "thanosql"
    driver = "flight"
    default_paramstyle = "qmark"
    default_schema_name = "public"
    default_isolation_level: Any = AUTOCOMMIT
    max_identifier_length = 128

    statement_compiler = ThanoSQLCompiler
    type_compiler_cls = ThanoSQLTypeCompiler
    type_compiler = ThanoSQLTypeCompiler  # the name of the same in SQLAlchemy 1.4
    ddl_compiler = ThanoSQLDDLCompiler
    preparer = ThanoSQLIdentifierPreparer
    colspecs = COLSPECS

    supports_statement_cache = True
    supports_schemas = True
    supports_views = True
    supports_alter = False
    supports_comments = True
    inline_comments = False
    supports_sane_rowcount = True
    supports_sane_multi_rowcount = True
    cte_follows_insert = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_default_values = True
    supports_empty_insert = False
    supports_multivalues_insert = True
    supports_is_distinct_from = True
    supports_sequences = False
    supports_identity_columns = False
    supports_server_side_cursors = False
    postfetch_lastrowid = False
    preexecute_autoincrement_sequences = True
    execution_ctx_cls = ThanoSQLExecutionContext
    insert_returning = False
    update_returning = False
    delete_returning = False
    use_insertmanyvalues = False
    insert_executemany_returning = False

    def __init__(
        self,
        *,
        json_serializer: Any = None,
        json_deserializer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._json_serializer = json_serializer
        self._json_deserializer = json_deserializer

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

    # ---- Transactions: there are none, every statement commits itself -----

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Do nothing: every statement has committed itself."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Do nothing: every statement has committed itself."""

    def get_isolation_level_values(self, dbapi_connection: Any) -> Sequence[Any]:
        """Return the one isolation level."""
        return (AUTOCOMMIT,)

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return the one isolation level."""
        return AUTOCOMMIT

    def get_default_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return the one isolation level."""
        return AUTOCOMMIT

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Do nothing for the one isolation level.

        Raises:
            ArgumentError: SQLAlchemy 1.4 does not check the level itself.
        """
        if level != AUTOCOMMIT:
            from sqlalchemy.exc import ArgumentError

            raise ArgumentError(
                f"Invalid value '{level}' for isolation_level. Valid isolation levels "
                f"for {self.name} are {AUTOCOMMIT}"
            )

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Return that every statement commits itself."""
        return True

    def reset_isolation_level(self, dbapi_conn: Any) -> None:
        """Do nothing: there is one isolation level."""

    # ---- Connections ------------------------------------------------------

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Return whether an error means that the connection cannot be used again.

        These are SQLSTATE class 08, and a connection that has been closed.
        """
        errors = self.import_dbapi()
        if not isinstance(e, errors.Error):
            return False
        state = getattr(e, "sqlstate", None) or ""
        closed = isinstance(e, errors.InterfaceError) and "closed" in str(e)
        return state.startswith("08") or closed

    def do_executemany(
        self, cursor: Any, statement: Any, parameters: Any, context: Any = None
    ) -> None:
        """Run a statement for many sets of parameters, or as often without any."""
        if any(parameters):
            cursor.executemany(statement, parameters)
            return
        for _ in parameters:
            cursor.execute(statement)
