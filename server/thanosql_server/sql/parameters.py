"""Placeholders -> numbers: `?` in text order over the whole statement, or `$n`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.tokens import Kind, excerpt

if TYPE_CHECKING:
    from thanosql_server.sql.tokens import Token

MAX_PARAMETERS = 65_535
"""As many as PostgreSQL's protocol can carry; a larger `$n` is a slip."""


def number_parameters(text: str, tokens: list[Token]) -> dict[int, int]:
    """Return the index, from 1, of each placeholder by its offset in `text`.

    Raises:
        SyntaxError_: both styles in one statement, `?1`, `$name`, `$0`, or too many.
    """
    found = [token for token in tokens if token.kind is Kind.PARAMETER]
    for token in found[1:]:
        if (token.text == "?") != (found[0].text == "?"):
            message = "use either ? or $1, $2, ... for parameters, not both"
            raise _error(text, token, message)
    return {
        token.start: _index(text, token, order) for order, token in enumerate(found, 1)
    }


def _index(text: str, token: Token, order: int) -> int:
    digits = str(order) if token.text == "?" else token.text[1:]
    numbered = token.text == "?" and text[token.end : token.end + 1].isdigit()
    plain = digits.isascii() and digits.isdigit() and len(digits) < 8
    if plain and not numbered and 1 <= int(digits) <= MAX_PARAMETERS:
        return int(digits)
    shown = excerpt(text[token.start : token.end + numbered])
    message = f"{shown} is not a parameter; write ? or $1, $2, ... ${MAX_PARAMETERS}"
    raise _error(text, token, message)


def _error(text: str, token: Token, message: str) -> SyntaxError_:
    return SyntaxError_(message, position=Position.of(text, token.start))
