"""Spelling a column anew in a statement whose text is otherwise left alone.

Used when DataFusion does not find a column but `names.candidates` knows the one that
is meant. References are found by their tokens: not aliases, tables, functions, and
not the heads of ThanoSQL clauses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import SyntaxError_
from thanosql_server.sql.nodes import ListObjects
from thanosql_server.sql.parser import parse
from thanosql_server.sql.recognition import (
    BEFORE_EXPRESSION,
    BEFORE_ITEM,
    SECTIONS,
)
from thanosql_server.sql.tokens import Kind, quote, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.sql.nodes import Statement
    from thanosql_server.sql.tokens import Token

_QUERY_WORDS = frozenset({"SELECT", "WITH", "FROM", "VALUES"})


@dataclass
class _Frame:
    """Parentheses or a clause's body around the tokens that follow."""

    depth: int
    is_query: bool
    end: int | None = None
    section: str = ""
    exports: bool = False
    """Whether the select list gives the wrong name to one of its columns."""


@dataclass(frozen=True)
class _Reference:
    """A place to respell; `depth` counts the queries around it."""

    token: Token
    depth: int
    is_item: bool


def respell(sql: str, wrong: str, right: str) -> str | None:
    """Replace references to the column `wrong` by `right`; None if there are none.

    Only the innermost queries that name it are changed, since those around them may
    mean the column that these give out, which keeps the name `wrong`. Call again as
    long as the column is not found: every call leaves fewer references.
    """
    try:
        statement = parse(sql)
    except SyntaxError_:
        return None
    references = list(_references(statement, wrong))
    deepest = max((one.depth for one in references), default=0)
    for one in reversed(references):
        if one.depth == deepest:
            alias = f" AS {quote(wrong)}" if one.is_item else ""
            start, end = one.token.start, one.token.end
            sql = f"{sql[:start]}{quote(right)}{alias}{sql[end:]}"
    return sql if references else None


def _references(statement: Statement, wrong: str) -> Iterator[_Reference]:
    """Yield the references to the column, in text order."""
    tokens = tokenize(statement.text)
    in_sql, bodies = _sql_parts(statement)
    frames = [_Frame(0, is_query=True)]
    for index, token in enumerate(tokens):
        if token.start not in in_sql:
            continue
        _enter(frames, token, bodies, _at(tokens, index + 1))
        if token.reads_as(wrong):
            reference = _reference(tokens, index, frames)
            if reference:
                yield reference


def _sql_parts(statement: Statement) -> tuple[set[int], dict[int, int]]:
    """Return the offsets that are plain SQL, and start and end of clauses' bodies."""
    in_sql: set[int] = set()
    bodies: dict[int, int] = {}
    for query in statement.queries:
        in_sql.update(range(query.span.start, query.span.end))
        for clause in reversed(list(query.walk())):
            in_sql.difference_update(range(clause.span.start, clause.span.end))
            if isinstance(clause, ListObjects):
                continue
            span = clause.body.span
            in_sql.update(range(span.start, span.end))
            bodies[span.start] = span.end
    return in_sql, bodies


def _enter(
    frames: list[_Frame], token: Token, bodies: dict[int, int], following: Token | None
) -> None:
    """Bring the frames up to the token: what it opens, closes or begins."""
    while frames[-1].end is not None and token.start >= frames[-1].end:
        frames.pop()
    if token.start in bodies:
        frames.append(_Frame(frames[-1].depth + 1, True, bodies[token.start]))
    if token.is_symbol("("):
        is_query = following is not None and following.word in _QUERY_WORDS
        frames.append(_Frame(frames[-1].depth + is_query, is_query))
    elif token.is_symbol(")") and len(frames) > 1:
        frames.pop()
    elif token.word in SECTIONS:
        frames[-1].section = token.word


def _reference(
    tokens: list[Token], index: int, frames: list[_Frame]
) -> _Reference | None:
    """Return the reference at a token that reads as the column, if it is one."""
    following = _at(tokens, index + 1)
    first = index
    while _is_symbol(_at(tokens, first - 1), "."):
        first -= 2
    before = _at(tokens, first - 1)
    query = next(frame for frame in reversed(frames) if frame.is_query)
    if not _leads_expression(before, _at(tokens, first - 2), frames[-1]):
        query.exports |= query.section == "SELECT" and frames[-1] is query
        return None
    names_other = _is_symbol(following, "(") or _is_symbol(following, ".")
    defines = _word(following) == "AS" and _is_symbol(_at(tokens, index + 2), "(")
    by_alias = query.exports and query.section == "ORDER" and first == index
    if names_other or defines or by_alias:
        return None
    in_list = frames[-1] is query and query.section == "SELECT"
    is_item = in_list and _begins_item(before) and _ends_item(following)
    query.exports |= is_item
    return _Reference(tokens[index], query.depth, is_item)


def _leads_expression(
    before: Token | None, second: Token | None, frame: _Frame
) -> bool:
    """Whether an expression, not an alias or a table, follows the token `before`."""
    if before is None:
        return False
    if before.kind is Kind.SYMBOL:
        return before.text not in (")", "]")
    if before.word == "FROM" and frame.is_query:
        return _word(second) == "DISTINCT"
    return before.word in BEFORE_EXPRESSION


def _begins_item(before: Token | None) -> bool:
    return _is_symbol(before, ",") or _word(before) in BEFORE_ITEM


def _ends_item(following: Token | None) -> bool:
    closes = following is None or following.kind is Kind.SYMBOL
    if closes:
        return following is None or following.text in (",", ")", ";")
    return _word(following) in SECTIONS


def _at(tokens: list[Token], index: int) -> Token | None:
    return tokens[index] if 0 <= index < len(tokens) else None


def _is_symbol(token: Token | None, symbol: str) -> bool:
    return token is not None and token.is_symbol(symbol)


def _word(token: Token | None) -> str:
    return token.word if token else ""
