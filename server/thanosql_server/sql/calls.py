"""Calls of our functions, found in plain SQL by their tokens.

`embed_text` and the others are names like any other: a call is one of them with a
parenthesis behind it, in a place where an expression may stand. Its arguments are
plain SQL; only those that are constants are read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.nodes import Argument, Call, Parameter, Span
from thanosql_server.sql.recognition import (
    BEFORE_EXPRESSION,
    BEFORE_ITEM,
    QUERY_WORDS,
    SECTIONS,
    SET_WORDS,
)
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.tokens import Token

EMBEDDINGS = ("embed_text", "embed_image")
COMPARISONS = ("cosine_similarity", "l2_distance", "inner_product")
PICTURES = ("image_html",)
FUNCTIONS = frozenset({*EMBEDDINGS, *COMPARISONS, *PICTURES})


@dataclass
class _Frame:
    """The statement, or parentheses in it."""

    opening: Token | None
    is_query: bool
    select: int
    """Where the innermost SELECT around this place begins."""
    section: str = ""


class Place:
    """Where in the SQL of a query a reader has come."""

    def __init__(self, start: int) -> None:
        self._frames = [_Frame(None, is_query=True, select=start)]

    @property
    def depth(self) -> int:
        """Parentheses that are open."""
        return len(self._frames) - 1

    @property
    def opening(self) -> Token | None:
        """The innermost open parenthesis."""
        return self._frames[-1].opening

    @property
    def select(self) -> int:
        """Where the innermost SELECT around this place begins."""
        return self._frames[-1].select

    def see(self, cursor: Cursor) -> None:
        """Take the token here into account, before the cursor moves over it."""
        token, frame = cursor.peek(), self._frames[-1]
        if token is None:
            return
        if token.is_symbol("("):
            is_query = cursor.word(1) in QUERY_WORDS
            start = token.end if is_query else frame.select
            self._frames.append(_Frame(token, is_query, start))
        elif token.is_symbol(")") and self.depth:
            self._frames.pop()
        elif token.word in SECTIONS or token.word == "WITH":
            if token.word in SET_WORDS and not _excludes_columns(cursor):
                frame.select = token.end
            frame.section = token.word
        elif token.word == "DISTINCT" and cursor.word(-1) == "SELECT":
            frame.section = token.word

    def takes_call(self, cursor: Cursor) -> bool:
        """Whether a function called here is part of an expression.

        It is not behind a word or a parenthesis, where it is an alias with columns,
        in the list of a FROM, where it gives a table, nor in a WITH.
        """
        before, frame = cursor.peek(-1), self._frames[-1]
        if before is None or (frame.is_query and frame.section == "WITH"):
            return False
        if before.kind is Kind.SYMBOL:
            listed = frame.is_query and frame.section == "FROM"
            return before.text not in ").]" and not (listed and before.text == ",")
        if before.word == "FROM":
            return cursor.word(-2) == "DISTINCT" and cursor.word(-3) in ("IS", "NOT")
        return before.word in BEFORE_EXPRESSION

    def takes_table(self, cursor: Cursor) -> bool:
        """Whether a function called here gives a table: in a FROM, after a JOIN."""
        before, frame = cursor.peek(-1), self._frames[-1]
        if before is None:
            return False
        if before.word == "FROM":
            return cursor.word(-2) != "DISTINCT"
        listed = frame.is_query and frame.section == "FROM"
        return before.word == "JOIN" or (listed and before.is_symbol(","))

    def begins_item(self, cursor: Cursor) -> bool:
        """Whether an item of a select list begins here.

        Not of SELECT DISTINCT: there ORDER BY knows an item by its alias only.
        """
        frame, before = self._frames[-1], cursor.peek(-1)
        if not frame.is_query or frame.section != "SELECT" or before is None:
            return False
        return before.is_symbol(",") or before.word in BEFORE_ITEM

    def ends_item(self, cursor: Cursor) -> bool:
        """Whether an item of a select list ended before here."""
        token = cursor.peek()
        ended = token is None or cursor.at_symbol(",") or cursor.at_symbol(")")
        return ended or cursor.at_end() or cursor.word() in SECTIONS


def is_call(cursor: Cursor, place: Place) -> bool:
    """Whether a call of one of our functions begins here."""
    token = cursor.peek()
    if token is None or token.kind not in (Kind.WORD, Kind.QUOTED):
        return False
    name = token.text.lower()
    if name not in FUNCTIONS or not token.reads_as(name):
        return False
    return cursor.at_symbol("(", 1) and place.takes_call(cursor)


def read_call(
    cursor: Cursor, place: Place, step: Callable[[], None], inner: Sequence[Call]
) -> Call:
    """Read a call.

    Args:
        cursor: stands at the function's name.
        place: is kept up to date by `step`.
        step: reads what stands at the cursor and moves behind it.
        inner: the calls read so far; those in the arguments are added by `step`.

    Raises:
        SyntaxError_: the parenthesis is not closed, or calls are too deep.
    """
    cursor.enter()
    begins, start, select = place.begins_item(cursor), cursor.index, place.select
    name = cursor.advance()
    step()
    arguments = _arguments(cursor, place, step, inner)
    cursor.leave()
    function = name.text.lower()
    tokens = cursor.tokens[start : cursor.index]
    is_item = begins and place.ends_item(cursor)
    return Call(
        function,
        arguments,
        cursor.span_from(name.start),
        cursor.position(name),
        (select, function, *(_spelling(cursor, token) for token in tokens[1:])),
        _title(cursor.text, tokens) if is_item else None,
    )


def _arguments(
    cursor: Cursor, place: Place, step: Callable[[], None], inner: Sequence[Call]
) -> tuple[Argument, ...]:
    """Read up to the parenthesis that closes the one before here."""
    arguments: list[Argument] = []
    level, opening, first, brackets = place.depth, place.opening, cursor.index, 0
    while (token := cursor.peek()) is not None and not token.is_symbol(";"):
        inside = place.depth > level
        if not inside and not brackets and token.kind is Kind.SYMBOL:
            if token.text == ")" and cursor.index == first and not arguments:
                step()
                return ()
            if token.text in ",)":
                arguments.append(_argument(cursor, first, inner))
                first = cursor.index + 1
            if token.text == ")":
                step()
                return tuple(arguments)
        if not inside and token.kind is Kind.SYMBOL:
            brackets += (token.text in "[{") - (token.text in "]}")
        step()
    raise cursor.error_at("'(' is not closed", opening)


def _argument(cursor: Cursor, first: int, inner: Sequence[Call]) -> Argument:
    """Return the argument from the token `first` to before the cursor."""
    if first == cursor.index:
        token = cursor.tokens[first]
        return Argument(Span(token.start, token.start), cursor.position(token))
    span = Span(cursor.tokens[first].start, cursor.end_of_last())
    position = Position.of(cursor.text, span.start)
    whole = inner and inner[-1].span == span
    value = inner[-1] if whole else _constant(cursor, first)
    return Argument(span, position, value)


def _constant(cursor: Cursor, first: int) -> str | Parameter | tuple[float, ...] | None:
    """Return a text, a parameter or a list of numbers if the argument is just that."""
    token, last = cursor.tokens[first], cursor.index
    if last == first + 1 and token.kind is Kind.STRING:
        return token.text
    if last == first + 1 and token.kind is Kind.PARAMETER:
        return cursor.parameter(token)
    start = first + (token.word == "ARRAY")
    if not cursor.tokens[start].is_symbol("["):
        return None
    depth, cursor.index = cursor.depth, start
    try:
        value = cursor.value("a number")
    except SyntaxError_:
        value = None
    ended = cursor.index == last
    cursor.depth, cursor.index = depth, last
    return _numbers(value) if ended else None


def _numbers(value: object) -> tuple[float, ...] | None:
    """Return the list if all of it are numbers."""
    if not isinstance(value, tuple):
        return None
    plain = all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in value
    )
    return value if plain else None


def _title(text: str, tokens: Sequence[Token]) -> str:
    """Return the tokens as written, with one blank where there are any or comments."""
    pieces = [text[tokens[0].start : tokens[0].end]]
    for before, token in pairwise(tokens):
        blank = before.end < token.start and not before.is_symbol("(")
        pieces.append(" " if blank and token.text not in ",)" else "")
        pieces.append(text[token.start : token.end])
    return "".join(pieces)


def _spelling(cursor: Cursor, token: Token) -> tuple[object, ...]:
    if token.kind is Kind.PARAMETER:
        return token.kind, cursor.parameter(token).index
    text = token.text.lower() if token.kind is Kind.WORD else token.text
    return token.kind, text


def _excludes_columns(cursor: Cursor) -> bool:
    """Whether EXCEPT is that of `SELECT * EXCEPT (column, ...)`."""
    return cursor.at_symbol("(", 1) and cursor.word(2) not in QUERY_WORDS
