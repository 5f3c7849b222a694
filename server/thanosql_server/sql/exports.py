"""COPY ... TO: rows into a file of the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.sql.clauses import read_expression, read_query
from thanosql_server.sql.nodes import Query, Statement
from thanosql_server.sql.recognition import QUERY_WORDS, starts_query

if TYPE_CHECKING:
    from thanosql_server.errors import Position
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.options import Options, Parameter


@dataclass(frozen=True)
class CopyTo(Statement):
    """`COPY table|(query) [OPTIONS(...)] TO 'file' [OPTIONS(...)]`.

    Attributes:
        rows: the query, or the name of the table.
        is_table: whether it is a table.
        target: the path, or a parameter.
        options: how to write it.
        position: where the path is written.
    """

    rows: Query
    is_table: bool
    target: str | Parameter
    options: Options
    position: Position


def read_copy_to(cursor: Cursor) -> CopyTo:
    """Read what follows COPY, if it is `... TO`."""
    is_table = not cursor.at_symbol("(")
    rows = _table(cursor) if is_table else _query(cursor)
    options = cursor.options()
    cursor.expect_words("TO", expected="TO and a path in quotes")
    target, position = cursor.path("a path in quotes after TO")
    behind = cursor.options()
    if options and behind:
        raise cursor.error_at("OPTIONS stands before TO or at the end, not both")
    return CopyTo(rows, is_table, target, options or behind, position)


def _query(cursor: Cursor) -> Query:
    opening = cursor.advance()
    if not starts_query(cursor):
        raise cursor.error("a query in the parentheses", QUERY_WORDS)
    query = read_query(cursor)
    if not cursor.take_symbol(")"):
        raise cursor.error_at("'(' is not closed", opening)
    return query


def _table(cursor: Cursor) -> Query:
    return read_expression(
        cursor, "a table name", lambda here: here.word() in ("TO", "OPTIONS")
    )
