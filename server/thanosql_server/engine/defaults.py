"""Defaults of columns: SQL expressions, computed where no value is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datafusion import col

from thanosql_server.engine import query as queries
from thanosql_server.engine import session
from thanosql_server.engine.executor import reader
from thanosql_server.engine.faults import translate
from thanosql_server.engine.provider import StreamTable
from thanosql_server.errors import InvalidStatement, Position
from thanosql_server.sql.names import quote
from thanosql_server.sql.tokens import tokenize
from thanosql_server.storage.facts import DEFAULT, fact

if TYPE_CHECKING:
    import pyarrow as pa
    from datafusion import DataFrame, Expr

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Query
    from thanosql_server.storage.tables import Table

_ROWS = "__rows"
_QUERY_WORDS = frozenset({"SELECT", "VALUES", "WITH", "FROM"})


def checked_default(planning: Planning, default: Query, field: pa.Field) -> str:
    """Return the text of a default that can be computed and fits its column.

    Raises:
        InvalidStatement: it is a query, or names columns.
        InvalidData: its value does not fit the column.
    """
    position = Position.of(default.source, default.span.start)
    if any(token.word in _QUERY_WORDS for token in tokenize(default.text)):
        raise InvalidStatement(
            "a default is a constant or a function, not a query", position=position
        )
    frame = planning.spliced("SELECT (", default, f"\n) AS {quote(field.name)}")
    try:
        frame.select(col(quote(field.name)).cast(field.type)).collect()
    except Exception as error:
        failure = translate(error, planning.statement.text)
        raise failure.at(position) from None
    return default.text


def with_defaults(frame: DataFrame, schema: pa.Schema, given: list[str]) -> DataFrame:
    """Return the rows with the defaults of the columns that are not given.

    Args:
        frame: rows with the columns of the table, or with those that are given.
        schema: the table's columns.
        given: the columns that have values in `frame`.
    """
    has = set(frame.schema().names)
    columns = []
    for field in schema:
        default = None if field.name in given else _default(frame, field)
        if default is not None:
            columns.append(default)
        elif field.name in has:
            columns.append(col(quote(field.name)))
    return frame.select(*columns)


def completed(
    planning: Planning, table: Table, rows: pa.RecordBatchReader, control: Control
) -> pa.RecordBatchReader:
    """Return rows that are to be added to a table with the defaults they lack."""
    given = rows.schema.names
    lacking = [f for f in table.schema if f.name not in given and fact(f, DEFAULT)]
    if not lacking or not set(given) <= set(table.schema.names):
        return rows
    source = planning.guarded(rows, rows.schema)
    shown = planning.catalog.show(_ROWS, StreamTable(source))
    whole = session.sql(planning.context, f"SELECT * FROM {shown}")
    frame = with_defaults(whole, table.schema, given)
    schema = frame.schema()
    return reader(queries.rows(planning, frame, schema, control), schema)


def _default(frame: DataFrame, field: pa.Field) -> Expr | None:
    """Return a column's default, in its type, as an expression over `frame`."""
    text = fact(field, DEFAULT)
    if text is None:
        return None
    return frame.parse_sql_expr(text).cast(field.type).alias(field.name)
