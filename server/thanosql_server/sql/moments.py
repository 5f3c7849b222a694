"""Literals of moments that DataFusion cannot read: `TIMESTAMP '9999-12-31 00:00:00'`.

It takes them for nanoseconds, which reach from 1677 to 2262. Columns have microseconds
unless they say otherwise, and so have these literals.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from thanosql_server.sql.nodes import Span
from thanosql_server.sql.tokens import Kind, quote_text, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.sql.tokens import Token

_FIRST, _LAST = 1677, 2262
"""Years that nanoseconds hold in part; they hold those between them whole."""

_MOMENT = re.compile(r"\s*([+-]?\d{1,6})-[^.]*(?:\.(\d*))?")
_MENTIONED = re.compile(r"\bTIMESTAMP\b", re.IGNORECASE)
_ZONES = (("WITH", "TIME", "ZONE"), ("WITHOUT", "TIME", "ZONE"), ())


@dataclass(frozen=True)
class Moment:
    """A literal in the SQL text of a query, and the text that stands for it."""

    span: Span
    sql: str


def moments_in(source: str, span: Span) -> Sequence[Moment]:
    """Return the literals in a piece of a statement that have to be written anew."""
    found = _moments_of(source)
    first, last = (
        bisect_left(found, place, key=lambda one: one.span.start)
        for place in (span.start, span.end)
    )
    return found[first:last]


@lru_cache(maxsize=8)
def _moments_of(source: str) -> tuple[Moment, ...]:
    """Return them all, in order; a statement is asked for in many pieces."""
    if not _MENTIONED.search(source):
        return ()
    tokens = tokenize(source)
    found = (_moment(tokens, place) for place in range(len(tokens) - 1))
    return tuple(moment for moment in found if moment is not None)


def _moment(tokens: Sequence[Token], place: int) -> Moment | None:
    if tokens[place].word != "TIMESTAMP":
        return None
    after = tuple(token.word for token in tokens[place + 1 : place + 4])
    zone = next(words for words in _ZONES if after[: len(words)] == words)
    text = tokens[place + 1 + len(zone) :][:1]
    if not text or text[0].kind is not Kind.STRING:
        return None
    if _fits_nanoseconds(text[0].text):
        return None
    written = f"CAST({quote_text(text[0].text)} AS TIMESTAMP(6))"
    return Moment(Span(tokens[place].start, text[0].end), written)


def _fits_nanoseconds(text: str) -> bool:
    """Whether DataFusion can read a moment, or needs to for its many digits."""
    moment = _MOMENT.match(text)
    if moment is None or _FIRST < int(moment[1]) < _LAST:
        return True
    return int(moment[1]) in (_FIRST, _LAST) and len(moment[2] or "") > 6
