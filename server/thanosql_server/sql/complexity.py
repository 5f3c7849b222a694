"""How much of a statement stands inside itself; too much would end the server.

DataFusion plans an expression by a function that calls itself for each part of it, and
`a || a || ...` is a tree as deep as the text is long: 9,000 parts overflow the stack
of the thread, which ends the process. Its parser limits parentheses only, to 50.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import Position, StatementTooComplex
from thanosql_server.sql.recognition import SECTIONS, SET_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.sql.tokens import Token

MAX_LENGTH = 16 << 20
"""Characters of a statement. Rows in bulk come as parameters, or with COPY."""

MAX_CHAIN = 5_000
"""Tokens of one expression, those of the deepest parentheses inside it included. With
`a || a || ...` this is 2,500 operators, which take 3 s to plan."""

MAX_QUERIES = 500
"""SELECTs, joins and set operations of a statement."""

_BREAKS = (SECTIONS - SET_WORDS) | {"WHEN", "THEN", "ELSE", "VALUES", "ON", "AS"}
_OPENERS = ("(", "[")
_CLOSERS = (")", "]")


def check_length(text: str) -> None:
    """Raise StatementTooComplex if the text is too long."""
    if len(text) > MAX_LENGTH:
        raise StatementTooComplex(
            f"the statement has {len(text):,} characters, of which there may be "
            f"{MAX_LENGTH:,}; pass values as parameters, or use COPY"
        )


def check_complexity(text: str, tokens: Sequence[Token]) -> None:
    """Raise StatementTooComplex if too much of the statement stands inside itself."""
    if len(tokens) <= MAX_QUERIES:
        return
    queries = 0
    scan = _Scan()
    for token in tokens:
        queries += token.word in _QUERIES or scan.in_tables(token)
        if queries > MAX_QUERIES:
            raise StatementTooComplex(
                f"the statement has more than {MAX_QUERIES} queries and joins; "
                "pass rows as parameters, or store a part of it as a table",
                position=Position.of(text, token.start),
            )
        if scan.deeper(token) > MAX_CHAIN:
            raise StatementTooComplex(
                f"an expression has more than {MAX_CHAIN:,} parts; write many values "
                "as a list: IN (...)",
                position=Position.of(text, token.start),
            )


_QUERIES = SET_WORDS | {"SELECT", "JOIN"}


class _Frame:
    """What stands between two parentheses: tokens since a break, deepest part."""

    __slots__ = ("best", "count", "deep", "tables")

    def __init__(self) -> None:
        self.count = 0
        self.deep = 0
        self.best = 0
        self.tables = False


class _Scan:
    """How deep the expression is that each token belongs to."""

    def __init__(self) -> None:
        self._frames = [_Frame()]

    def in_tables(self, token: Token) -> bool:
        """Whether the token is a comma between tables, which joins them."""
        return self._frames[-1].tables and token.is_symbol(",")

    def deeper(self, token: Token) -> int:
        """Take a token; return the depth of the expression up to here."""
        frame = self._frames[-1]
        if token.text in _OPENERS and token.is_symbol(token.text):
            self._frames.append(_Frame())
        elif token.text in _CLOSERS and token.is_symbol(token.text):
            self._close()
        elif token.word in _BREAKS or token.is_symbol(","):
            _break(frame)
            if token.word:
                frame.tables = token.word == "FROM"
        else:
            frame.count += 1
        frame = self._frames[-1]
        return frame.deep + frame.count

    def _close(self) -> None:
        if len(self._frames) == 1:
            return
        inner = self._frames.pop()
        _break(inner)
        outer = self._frames[-1]
        outer.deep = max(outer.deep, inner.best)
        # Parentheses around all of an expression make it no deeper.
        outer.count += outer.count > 0


def _break(frame: _Frame) -> None:
    frame.best = max(frame.best, frame.deep + frame.count)
    frame.count = frame.deep = 0
