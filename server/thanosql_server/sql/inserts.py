"""INSERT: the table, the columns given, the rows, and what they may run into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql_server.sql.clauses import read_query
from thanosql_server.sql.nodes import Insert, Span
from thanosql_server.sql.recognition import starts_query
from thanosql_server.sql.tokens import Kind
from thanosql_server.sql.upserts import Upsert, at_conflict, read_conflict

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Query
    from thanosql_server.sql.tokens import Token

_FEW = 1000
"""Tokens of an INSERT that may be carried out without planning."""


def read_insert(cursor: Cursor) -> Insert:
    """Read what follows INSERT INTO."""
    table = cursor.table_name()
    alias = cursor.identifier("a name after AS") if cursor.take_words("AS") else None
    columns = _columns(cursor)
    rows: tuple[tuple[Span, ...], ...] = ()
    query = None
    if not cursor.take_words("DEFAULT", "VALUES"):
        if not starts_query(cursor):
            raise cursor.error(f"VALUES or a query after INSERT INTO {table}")
        first = cursor.index
        query = read_query(cursor, at_conflict)
        rows = _rows(cursor.tokens[first : cursor.index])
    if not at_conflict(cursor):
        return Insert(table, columns, query, rows)
    alias = alias or table.name
    conflict = read_conflict(cursor, alias)
    return Upsert(table, columns, query, rows, alias=alias, conflict=conflict)


def cut(query: Query, spans: list[Span]) -> list[Query]:
    """Return the pieces of a query between the spans, which are inside it, in order."""
    starts = [query.span.start, *(span.end for span in spans)]
    ends = [*(span.start for span in spans), query.span.end]
    return [
        replace(
            query,
            span=Span(start, end),
            clauses=_within(query.clauses, start, end),
            parameters=_within(query.parameters, start, end),
            calls=_within(query.calls, start, end),
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _within(items: tuple, start: int, end: int) -> tuple:  # type: ignore[type-arg]
    # The ignore: clauses, calls and placeholders, which all have a span.
    return tuple(one for one in items if start <= one.span.start < end)


def _columns(cursor: Cursor) -> tuple[str, ...] | None:
    """Read `(a, b)`; None if there is no list, or a query in the parentheses."""
    second = cursor.peek(1)
    listed = second is not None and second.kind in (Kind.WORD, Kind.QUOTED)
    ends = cursor.at_symbol(",", 2) or cursor.at_symbol(")", 2)
    if not (cursor.at_symbol("(") and listed and ends):
        return None
    cursor.advance()
    columns = [cursor.identifier("a column")]
    while cursor.take_symbol(","):
        columns.append(cursor.identifier("a column after ','"))
    cursor.expect_symbol(")", "',' or ')' in the list of columns")
    return tuple(columns)


def _rows(tokens: list[Token]) -> tuple[tuple[Span, ...], ...]:
    """Return the values of each row of `VALUES (a, b), ...`; none for other queries.

    Of many they are looked at only where it matters: for parameters and for DEFAULT.
    """
    if not tokens or tokens[0].word != "VALUES":
        return ()
    if len(tokens) > _FEW and not any(map(_matters, tokens)):
        return ()
    rows: list[list[Span]] = []
    depth, start = 0, 0
    for place, token in enumerate(tokens[1:], start=1):
        if token.kind is not Kind.SYMBOL:
            if not depth:
                return ()
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        opens = depth == 1 and token.text == "("
        if opens:
            rows.append([])
        closes = depth == 0 and token.text == ")"
        separates = depth == 1 and token.text == ","
        if closes or separates:
            rows[-1].append(Span(start, tokens[place - 1].end))
        if opens or separates:
            start = tokens[place + 1].start if place + 1 < len(tokens) else token.end
    return tuple(map(tuple, rows))


def _matters(token: Token) -> bool:
    return token.kind is Kind.PARAMETER or token.word == "DEFAULT"
