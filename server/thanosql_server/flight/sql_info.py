"""The facts that GetSqlInfo tells about this server, each of them true."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_proto.flight_sql_info import (
    SqlInfo,
    SqlNullOrdering,
    SqlOuterJoinsSupportLevel,
    SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy,
    SqlSupportedResultSetConcurrency,
    SqlSupportedResultSetType,
    SqlSupportedSubqueries,
    SqlSupportedTransaction,
    SqlSupportedUnions,
    SqlTransactionIsolationLevel,
    SupportedSqlGrammar,
)
from thanosql_server.flight.prepared import UNUSED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import IntEnum

MAX_NAME_LENGTH = 128
"""Characters of a table's name; see storage/tables.py."""

# ADBC reads the children by their place: the order is that of the specification.
_VALUE = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.string())),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)

SQL_INFO_SCHEMA = pa.schema(
    [
        pa.field("info_name", pa.uint32(), nullable=False),
        pa.field("value", _VALUE, nullable=False),
    ]
)

_STRING, _BOOL, _BIGINT, _INT32, _STRINGS, _MAP = range(6)


def _bits(*places: IntEnum) -> int:
    """Return the bitmask with these bits; the enums number the bits from 0."""
    return sum(1 << place for place in places)


def _words(text: str) -> list[str]:
    return text.split()


def _own_version() -> str:
    try:
        return version("thanosql-flight")
    except PackageNotFoundError:
        return "0"


_STRING_FACTS = {
    SqlInfo.FLIGHT_SQL_SERVER_NAME: "ThanoSQL",
    SqlInfo.FLIGHT_SQL_SERVER_VERSION: _own_version(),
    SqlInfo.FLIGHT_SQL_SERVER_ARROW_VERSION: pa.__version__,
    SqlInfo.FLIGHT_SQL_SERVER_SUBSTRAIT_MIN_VERSION: "",
    SqlInfo.FLIGHT_SQL_SERVER_SUBSTRAIT_MAX_VERSION: "",
    SqlInfo.SQL_IDENTIFIER_QUOTE_CHAR: '"',
    SqlInfo.SQL_SEARCH_STRING_ESCAPE: "\\",
    SqlInfo.SQL_EXTRA_NAME_CHARACTERS: "",
    SqlInfo.SQL_SCHEMA_TERM: "schema",
    SqlInfo.SQL_PROCEDURE_TERM: "",
    SqlInfo.SQL_CATALOG_TERM: "catalog",
}

_TRUE = (
    SqlInfo.FLIGHT_SQL_SERVER_SQL,
    SqlInfo.FLIGHT_SQL_SERVER_BULK_INGESTION,
    SqlInfo.FLIGHT_SQL_SERVER_CANCEL,
    SqlInfo.SQL_DDL_SCHEMA,
    SqlInfo.SQL_DDL_TABLE,
    SqlInfo.SQL_ALL_TABLES_ARE_SELECTABLE,
    SqlInfo.SQL_SUPPORTS_COLUMN_ALIASING,
    SqlInfo.SQL_NULL_PLUS_NULL_IS_NULL,
    SqlInfo.SQL_SUPPORTS_NON_NULLABLE_COLUMNS,
    SqlInfo.SQL_SUPPORTS_TABLE_CORRELATION_NAMES,
    SqlInfo.SQL_SUPPORTS_EXPRESSIONS_IN_ORDER_BY,
    SqlInfo.SQL_SUPPORTS_ORDER_BY_UNRELATED,
    SqlInfo.SQL_CATALOG_AT_START,
    SqlInfo.SQL_CORRELATED_SUBQUERIES_SUPPORTED,
    SqlInfo.SQL_BATCH_UPDATES_SUPPORTED,
)

_FALSE = (
    SqlInfo.FLIGHT_SQL_SERVER_READ_ONLY,
    SqlInfo.FLIGHT_SQL_SERVER_SUBSTRAIT,
    SqlInfo.FLIGHT_SQL_SERVER_INGEST_TRANSACTIONS_SUPPORTED,
    SqlInfo.SQL_DDL_CATALOG,
    SqlInfo.SQL_SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES,
    # DataFusion takes the backslash as the escape character and no other.
    SqlInfo.SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE,
    SqlInfo.SQL_SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY,
    SqlInfo.SQL_SELECT_FOR_UPDATE_SUPPORTED,
    SqlInfo.SQL_STORED_PROCEDURES_SUPPORTED,
    SqlInfo.SQL_MAX_ROW_SIZE_INCLUDES_BLOBS,
    SqlInfo.SQL_TRANSACTIONS_SUPPORTED,
    SqlInfo.SQL_DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT,
    SqlInfo.SQL_DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED,
    SqlInfo.SQL_SAVEPOINTS_SUPPORTED,
    SqlInfo.SQL_NAMED_PARAMETERS_SUPPORTED,
    SqlInfo.SQL_LOCATORS_UPDATE_COPY,
    SqlInfo.SQL_STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED,
)

_INT32_FACTS = {
    SqlInfo.FLIGHT_SQL_SERVER_TRANSACTION: (
        SqlSupportedTransaction.SQL_SUPPORTED_TRANSACTION_NONE
    ),
    # Of prepared statements that nobody uses, in milliseconds.
    SqlInfo.FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT: int(UNUSED_SECONDS * 1000),
    SqlInfo.FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT: 0,
    SqlInfo.SQL_IDENTIFIER_CASE: (
        SqlSupportedCaseSensitivity.SQL_CASE_SENSITIVITY_LOWERCASE
    ),
    # Quoted names keep their case and differ by it; there is no number for that.
    SqlInfo.SQL_QUOTED_IDENTIFIER_CASE: (
        SqlSupportedCaseSensitivity.SQL_CASE_SENSITIVITY_UNKNOWN
    ),
    SqlInfo.SQL_NULL_ORDERING: SqlNullOrdering.SQL_NULLS_SORTED_AT_END,
    SqlInfo.SQL_SUPPORTED_GROUP_BY: _bits(
        SqlSupportedGroupBy.SQL_GROUP_BY_UNRELATED,
        SqlSupportedGroupBy.SQL_GROUP_BY_BEYOND_SELECT,
    ),
    SqlInfo.SQL_SUPPORTED_GRAMMAR: _bits(SupportedSqlGrammar.SQL_MINIMUM_GRAMMAR),
    # The entry level has privileges, checked keys and transactions.
    SqlInfo.SQL_ANSI92_SUPPORTED_LEVEL: 0,
    SqlInfo.SQL_OUTER_JOINS_SUPPORT_LEVEL: _bits(
        SqlOuterJoinsSupportLevel.SQL_LIMITED_OUTER_JOINS,
        SqlOuterJoinsSupportLevel.SQL_FULL_OUTER_JOINS,
    ),
    SqlInfo.SQL_SCHEMAS_SUPPORTED_ACTIONS: 0,
    SqlInfo.SQL_CATALOGS_SUPPORTED_ACTIONS: 0,
    SqlInfo.SQL_SUPPORTED_POSITIONED_COMMANDS: 0,
    SqlInfo.SQL_SUPPORTED_SUBQUERIES: _bits(
        SqlSupportedSubqueries.SQL_SUBQUERIES_IN_COMPARISONS,
        SqlSupportedSubqueries.SQL_SUBQUERIES_IN_EXISTS,
        SqlSupportedSubqueries.SQL_SUBQUERIES_IN_INS,
        SqlSupportedSubqueries.SQL_SUBQUERIES_IN_QUANTIFIEDS,
    ),
    SqlInfo.SQL_SUPPORTED_UNIONS: _bits(
        SqlSupportedUnions.SQL_UNION, SqlSupportedUnions.SQL_UNION_ALL
    ),
    SqlInfo.SQL_DEFAULT_TRANSACTION_ISOLATION: (
        SqlTransactionIsolationLevel.SQL_TRANSACTION_NONE
    ),
    SqlInfo.SQL_SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS: _bits(
        SqlTransactionIsolationLevel.SQL_TRANSACTION_NONE
    ),
    SqlInfo.SQL_SUPPORTED_RESULT_SET_TYPES: _bits(
        SqlSupportedResultSetType.SQL_RESULT_SET_TYPE_FORWARD_ONLY
    ),
    SqlInfo.SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED: 0,
    SqlInfo.SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_FORWARD_ONLY: _bits(
        SqlSupportedResultSetConcurrency.SQL_RESULT_SET_CONCURRENCY_READ_ONLY
    ),
    SqlInfo.SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_SENSITIVE: 0,
    SqlInfo.SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_INSENSITIVE: 0,
}

_LIMITS = {
    SqlInfo.SQL_MAX_BINARY_LITERAL_LENGTH: 0,
    SqlInfo.SQL_MAX_CHAR_LITERAL_LENGTH: 0,
    SqlInfo.SQL_MAX_COLUMN_NAME_LENGTH: 0,
    SqlInfo.SQL_MAX_COLUMNS_IN_GROUP_BY: 0,
    SqlInfo.SQL_MAX_COLUMNS_IN_INDEX: 0,
    SqlInfo.SQL_MAX_COLUMNS_IN_ORDER_BY: 0,
    SqlInfo.SQL_MAX_COLUMNS_IN_SELECT: 0,
    SqlInfo.SQL_MAX_COLUMNS_IN_TABLE: 0,
    SqlInfo.SQL_MAX_CONNECTIONS: 0,
    SqlInfo.SQL_MAX_CURSOR_NAME_LENGTH: 0,
    SqlInfo.SQL_MAX_INDEX_LENGTH: 0,
    SqlInfo.SQL_DB_SCHEMA_NAME_LENGTH: 0,
    SqlInfo.SQL_MAX_PROCEDURE_NAME_LENGTH: 0,
    SqlInfo.SQL_MAX_CATALOG_NAME_LENGTH: 0,
    SqlInfo.SQL_MAX_ROW_SIZE: 0,
    SqlInfo.SQL_MAX_STATEMENT_LENGTH: 0,
    SqlInfo.SQL_MAX_STATEMENTS: 0,
    SqlInfo.SQL_MAX_TABLE_NAME_LENGTH: MAX_NAME_LENGTH,
    SqlInfo.SQL_MAX_TABLES_IN_SELECT: 0,
    SqlInfo.SQL_MAX_USERNAME_LENGTH: 0,
}
"""Zero means: no limit, or none that is known."""

_STRING_LISTS = {
    # What ThanoSQL adds to the words of SQL.
    SqlInfo.SQL_KEYWORDS: ["BUILD", "CONVERT", "COPY", "LIST", "PRINT", "SEARCH"],
    SqlInfo.SQL_NUMERIC_FUNCTIONS: _words(
        "abs acos asin atan atan2 ceil cos cot degrees exp floor log log10 pi power "
        "radians random round signum sin sqrt tan trunc"
    ),
    SqlInfo.SQL_STRING_FUNCTIONS: _words(
        "ascii char_length concat left length lower lpad ltrim repeat replace reverse "
        "right rpad rtrim strpos substr upper"
    ),
    SqlInfo.SQL_SYSTEM_FUNCTIONS: _words("coalesce nullif version"),
    SqlInfo.SQL_DATETIME_FUNCTIONS: _words(
        "current_date current_time date_bin date_part date_trunc now to_timestamp"
    ),
}

# CONVERT is a statement here, and CAST takes its place in expressions.
_MAPS: dict[SqlInfo, list[Any]] = {SqlInfo.SQL_SUPPORTS_CONVERT: []}

FACTS: dict[int, tuple[int, Any]] = {
    id: (kind, value)
    for kind, facts in (
        (_STRING, _STRING_FACTS),
        (_BOOL, dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)),
        (_BIGINT, _LIMITS),
        (_INT32, _INT32_FACTS),
        (_STRINGS, _STRING_LISTS),
        (_MAP, _MAPS),
    )
    for id, value in facts.items()
}
"""The child of the union and the value, by id; every id of the specification."""


def sql_info_batch(ids: Iterable[int]) -> pa.RecordBatch:
    """Return the facts of these ids, all if none is named, without unknown ones."""
    wanted = [id for id in ids or sorted(FACTS) if id in FACTS]
    children: list[list[Any]] = [[] for _ in _VALUE]
    kinds, offsets = [], []
    for kind, value in (FACTS[id] for id in wanted):
        kinds.append(kind)
        offsets.append(len(children[kind]))
        children[kind].append(value)
    union = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(v, f.type) for v, f in zip(children, _VALUE, strict=True)],
        [field.name for field in _VALUE],
    )
    names = pa.array(wanted, pa.uint32())
    return pa.RecordBatch.from_arrays([names, union], schema=SQL_INFO_SCHEMA)
