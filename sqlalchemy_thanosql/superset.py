"""What Superset has to know about ThanoSQL; Superset finds it by its entry point.

Written for Superset 6. Nothing else imports this module: it needs Superset.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import types as sqltypes
from superset.constants import TimeGrain
from superset.db_engine_specs.base import BaseEngineSpec, DatabaseCategory
from superset.db_engine_specs.exceptions import (
    SupersetDBAPIDatabaseError,
    SupersetDBAPIOperationalError,
    SupersetDBAPIProgrammingError,
)
from superset.errors import SupersetErrorType
from superset.sql.parse import SQLGLOT_DIALECTS
from superset.utils.core import GenericDataType

import thanosql
from sqlalchemy_thanosql.superset_sql import ThanoSQL
from sqlalchemy_thanosql.types import Vector

if TYPE_CHECKING:
    from datetime import datetime

CATALOG = "thanosql"
FUNCTIONS = (
    *("embed_text", "embed_image", "cosine_similarity", "l2_distance"),
    *("inner_product", "image_html"),
)
"""The server's own functions; those of DataFusion are asked for."""
ROUTINES = "SELECT DISTINCT routine_name FROM information_schema.routines"
CATALOGS = "SELECT DISTINCT table_catalog FROM information_schema.tables"

ERROR_KINDS = {
    "08001": SupersetErrorType.CONNECTION_HOST_DOWN_ERROR,
    "28000": SupersetErrorType.CONNECTION_ACCESS_DENIED_ERROR,
    "3F000": SupersetErrorType.SCHEMA_DOES_NOT_EXIST_ERROR,
    "42601": SupersetErrorType.SYNTAX_ERROR,
    "42703": SupersetErrorType.COLUMN_DOES_NOT_EXIST_ERROR,
    "42704": SupersetErrorType.OBJECT_DOES_NOT_EXIST_ERROR,
    "42P01": SupersetErrorType.TABLE_DOES_NOT_EXIST_ERROR,
    "58P01": SupersetErrorType.OBJECT_DOES_NOT_EXIST_ERROR,
}
"""What Superset calls the errors with these SQLSTATEs; it explains some of them."""
WORDS = (
    (r"there is no (table|view)\b", "42P01"),
    (r"there is no column\b", "42703"),
    (r"there is no schema\b", "3F000"),
    (r"there is no (model|file|folder|function|data set)\b", "42704"),
    (r"\b(expected|unexpected|is not closed)\b", "42601"),
)

# Superset has no other way to tell it in which dialect an engine's SQL is written.
SQLGLOT_DIALECTS[ThanoSQL.__name__.lower()] = ThanoSQL


def _bins(interval: str) -> str:
    return f"date_bin(INTERVAL '{interval}', {{col}})"


def _weeks(ahead: int, back: int) -> str:
    """Return the week around a day, as the day `back` days after its Monday.

    Args:
        ahead: days by which the week begins before Monday.
        back: days from that Monday to the day that names the week.
    """
    monday = f"date_trunc('week', {{col}} + INTERVAL '{ahead} days')"
    return f"{monday} + INTERVAL '{back} days'"


def _kind_by_words(message: str) -> SupersetErrorType | None:
    codes = (code for words, code in WORDS if re.search(words, message))
    return ERROR_KINDS.get(next(codes, ""))


class ThanoSQLEngineSpec(BaseEngineSpec):  # type: ignore[misc]  # Superset has no types
    """ThanoSQL: queries in DataFusion's SQL with SEARCH and the like in them."""

    engine = "thanosql"
    engine_name = "ThanoSQL"
    default_driver = "flight"
    sqlalchemy_uri_placeholder = "thanosql://user:token@host:31337/?tls=true"
    metadata: ClassVar[dict[str, Any]] = {
        "description": "Semantic search, embedding and training in SQL.",
        "categories": [DatabaseCategory.ANALYTICAL_DATABASES],
        "pypi_packages": ["thanosql-flight[sqlalchemy]"],
        "connection_string": "thanosql://{username}:{password}@{host}:{port}/",
        "default_port": 31337,
    }

    supports_catalog = True
    # DataFusion takes an aggregate in ORDER BY for the alias of the same name.
    allows_alias_to_source_column = False
    # ORDER BY may hold what is not selected.
    allows_hidden_cc_in_orderby = True
    # `x IS TRUE` is refused for numbers, which `x = TRUE` compares.
    use_equality_for_boolean_filters = True

    _time_grain_expressions: ClassVar[dict[str | None, str]] = {
        None: "{col}",
        TimeGrain.SECOND: "date_trunc('second', {col})",
        TimeGrain.FIVE_SECONDS: _bins("5 seconds"),
        TimeGrain.THIRTY_SECONDS: _bins("30 seconds"),
        TimeGrain.MINUTE: "date_trunc('minute', {col})",
        TimeGrain.FIVE_MINUTES: _bins("5 minutes"),
        TimeGrain.TEN_MINUTES: _bins("10 minutes"),
        TimeGrain.FIFTEEN_MINUTES: _bins("15 minutes"),
        TimeGrain.THIRTY_MINUTES: _bins("30 minutes"),
        TimeGrain.HALF_HOUR: _bins("30 minutes"),
        TimeGrain.HOUR: "date_trunc('hour', {col})",
        TimeGrain.SIX_HOURS: _bins("6 hours"),
        TimeGrain.DAY: "date_trunc('day', {col})",
        TimeGrain.WEEK: "date_trunc('week', {col})",
        TimeGrain.WEEK_STARTING_SUNDAY: _weeks(1, -1),
        TimeGrain.WEEK_STARTING_MONDAY: "date_trunc('week', {col})",
        TimeGrain.WEEK_ENDING_SATURDAY: _weeks(1, 5),
        TimeGrain.WEEK_ENDING_SUNDAY: _weeks(0, 6),
        TimeGrain.MONTH: "date_trunc('month', {col})",
        TimeGrain.QUARTER: "date_trunc('quarter', {col})",
        TimeGrain.QUARTER_YEAR: "date_trunc('quarter', {col})",
        TimeGrain.YEAR: "date_trunc('year', {col})",
    }

    # Only what Superset's own table does not have, or has otherwise.
    column_type_mappings: ClassVar[tuple[tuple[Any, Any, Any], ...]] = (
        (re.compile(r".*\[\d*\]$"), Vector(), GenericDataType.STRING),
        (re.compile(r"^vector", re.I), Vector(), GenericDataType.STRING),
        (
            re.compile(r"^tinyint", re.I),
            sqltypes.SmallInteger(),
            GenericDataType.NUMERIC,
        ),
        (re.compile(r"^real", re.I), sqltypes.REAL(), GenericDataType.NUMERIC),
        (
            re.compile(r"^(bytea|(var)?binary)", re.I),
            sqltypes.LargeBinary(),
            GenericDataType.STRING,
        ),
        (
            re.compile(r"^(list|struct|map|null)", re.I),
            sqltypes.String(),
            GenericDataType.STRING,
        ),
    )

    @classmethod
    def epoch_to_dttm(cls) -> str:
        """Return SQL for seconds since 1970 as a timestamp."""
        return "to_timestamp_seconds({col})"

    @classmethod
    def epoch_ms_to_dttm(cls) -> str:
        """Return SQL for milliseconds since 1970 as a timestamp."""
        return "to_timestamp_millis({col})"

    @classmethod
    def convert_dttm(
        cls, target_type: str, dttm: datetime, db_extra: dict[str, Any] | None = None
    ) -> str | None:
        """Return SQL for a time, None for a type that is none."""
        found = cls.get_sqla_column_type(target_type)
        if isinstance(found, sqltypes.Date):
            return f"DATE '{dttm.date().isoformat()}'"
        if isinstance(found, (sqltypes.TIMESTAMP, sqltypes.DateTime)):
            written = dttm.isoformat(sep=" ", timespec="microseconds")
            return f"TIMESTAMP '{written}'"
        return None

    @classmethod
    def get_dbapi_exception_mapping(cls) -> dict[type[Exception], type[Exception]]:
        """Return Superset's exceptions for those of the driver."""
        return {
            thanosql.ProgrammingError: SupersetDBAPIProgrammingError,
            thanosql.OperationalError: SupersetDBAPIOperationalError,
            thanosql.DatabaseError: SupersetDBAPIDatabaseError,
        }

    @classmethod
    def extract_error_message(cls, ex: Exception) -> str:
        """Return the server's sentence, which needs nothing around it."""
        return cls._extract_error_message(ex)

    @classmethod
    def _extract_error_message(cls, ex: Exception) -> str:
        """Return the sentence alone, without what SQLAlchemy puts around it."""
        cause = getattr(ex, "orig", None) or ex
        if isinstance(cause, thanosql.Error):
            return str(cause)
        message: str = super()._extract_error_message(ex)
        return message

    @classmethod
    def extract_errors(
        cls,
        ex: Exception,
        context: dict[str, Any] | None = None,
        database_name: str | None = None,
    ) -> list[Any]:
        """Return the sentence, and its kind by its SQLSTATE or, without one, its words.

        SQL Lab hands over the text of an error, charts the error itself.
        """
        (error,) = super().extract_errors(ex, context, database_name)
        cause = getattr(ex, "orig", None) or ex
        kind = ERROR_KINDS.get(getattr(cause, "sqlstate", None) or "")
        error.error_type = kind or _kind_by_words(error.message) or error.error_type
        return [error]

    @classmethod
    def get_default_catalog(cls, database: Any) -> str:
        """Return the one catalog of a server."""
        return CATALOG

    @classmethod
    def get_catalog_names(cls, database: Any, inspector: Any) -> set[str]:
        """Return the catalogs that the server names."""
        return {row[0] for row in inspector.bind.execute(CATALOGS)}

    @classmethod
    def get_function_names(cls, database: Any) -> list[str]:
        """Return the functions to complete in SQL Lab."""
        frame = database.get_df(ROUTINES)
        return sorted({*frame["routine_name"], *FUNCTIONS})

    @staticmethod
    def get_extra_params(database: Any, source: Any = None) -> dict[str, Any]:
        """Return the settings of the database, with its root certificate if given."""
        extra: dict[str, Any] = BaseEngineSpec.get_extra_params(database, source)
        if database.server_cert:
            arguments = extra.setdefault("engine_params", {}).setdefault(
                "connect_args", {}
            )
            arguments["tls_root_certs"] = database.server_cert.encode()
        return extra

    @classmethod
    def get_cancel_query_id(cls, cursor: Any, query: Any) -> str:
        """Return the id under which the server runs what this cursor executes."""
        return str(cursor.query_id)

    @classmethod
    def cancel_query(cls, cursor: Any, query: Any, cancel_query_id: str) -> bool:
        """Stop a statement from another connection; return whether it was running."""
        return bool(cursor.connection.cancel(cancel_query_id))
