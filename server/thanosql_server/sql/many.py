"""`search_many(...)` in the FROM of a query: many searches of one table at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import SyntaxError_
from thanosql_server.sql.nodes import Query, Span
from thanosql_server.sql.recognition import CLAUSE_VERBS, QUERY_WORDS
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.errors import Position
    from thanosql_server.sql.calls import Place
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.options import Value

NAME = "search_many"
KINDS = ("text", "image", "vector")
"""What a column of queries may hold."""

_ARGUMENTS = ("a table", "a column", "a model or NULL", "a table of queries", "k")


@dataclass(frozen=True)
class SearchMany:
    """`search_many(table, column, model, queries, k [, text|image|vector='column'])`.

    Attributes:
        table: the table that is searched.
        column: its column of vectors.
        model: what embeds texts and pictures, or None.
        queries: the name of a table or view, or a query that was in parentheses.
        k: rows for each query.
        kind: what the column of queries holds, None if it is to be found.
        query_column: its name.
        body: the query, one without text if there is a name.
        span: from the name to the closing parenthesis.
        positions: where the arguments begin.
    """

    table: Value
    column: Value
    model: Value
    queries: Value
    k: Value
    kind: str | None
    query_column: str | None
    body: Query
    span: Span
    positions: tuple[Position, ...]


def is_search_many(cursor: Cursor, place: Place) -> bool:
    """Whether a call of `search_many` begins here, where a table may stand."""
    token = cursor.peek()
    if token is None or token.kind not in (Kind.WORD, Kind.QUOTED):
        return False
    called = token.reads_as(NAME) and cursor.at_symbol("(", 1)
    return called and place.takes_table(cursor)


def read_search_many(cursor: Cursor, read: Callable[[Cursor], Query]) -> SearchMany:
    """Read a call; `read` reads the query up to the parenthesis that closes it.

    Raises:
        SyntaxError_: an argument is missing or of a kind that cannot be.
    """
    cursor.enter()
    start, opening = cursor.here(), cursor.peek(1)
    cursor.index += 2
    body = Query(cursor.text, Span(start, start))
    values: list[Value] = []
    positions: list[Position] = []
    for number, what in enumerate(_ARGUMENTS):
        if number:
            cursor.expect_symbol(",", f"',' and {what}")
        if (token := cursor.peek()) is not None:
            positions.append(cursor.position(token))
        if number == _ARGUMENTS.index("a table of queries") and cursor.at_symbol("("):
            body = _query(cursor, read)
            values.append(None)
        else:
            values.append(_value(cursor, what))
    kind, column = _query_column(cursor)
    if not cursor.take_symbol(")"):
        if cursor.at_end():
            raise cursor.error_at("'(' is not closed", opening)
        raise cursor.error("',' and text=, image= or vector=, or ')'")
    cursor.leave()
    span = cursor.span_from(start)
    table, searched, model, queries, k = values
    return SearchMany(
        table, searched, model, queries, k, kind, column, body, span, tuple(positions)
    )


def _query(cursor: Cursor, read: Callable[[Cursor], Query]) -> Query:
    opening = cursor.advance()
    if cursor.word() not in QUERY_WORDS | CLAUSE_VERBS:
        raise cursor.error("a query in the parentheses", QUERY_WORDS)
    body = read(cursor)
    if not cursor.take_symbol(")"):
        raise cursor.error_at("'(' is not closed", opening)
    return body


def _value(cursor: Cursor, what: str) -> Value:
    """Read a value; a name without quotes is read in lower case, as in SQL."""
    bare = cursor.kind() is Kind.WORD
    value = cursor.value(what)
    return value.lower() if bare and isinstance(value, str) else value


def _query_column(cursor: Cursor) -> tuple[str | None, str | None]:
    """Read `, text='column'`, if it stands here."""
    if not cursor.take_symbol(","):
        return None, None
    token = cursor.peek()
    kind = cursor.word().lower()
    if kind not in KINDS:
        raise cursor.error("text=, image= or vector= and a column of the queries")
    cursor.advance()
    cursor.expect_symbol("=", f"'=' after '{kind}'")
    column = _value(cursor, "the name of a column of the queries")
    if not isinstance(column, str):
        raise SyntaxError_(
            f"{kind}= takes the name of a column of the queries",
            position=cursor.position(token) if token else None,
        )
    return kind, column
