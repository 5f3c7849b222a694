"""SQL text -> tokens with their places; the only user of sqlglot.

Only sqlglot's tokenizer is used, never its parser or generator: writing DataFusion's
SQL anew through a generator changed 13 % of DataFusion's own test queries. The rules
below are those of DataFusion's lexer (sqlparser, generic dialect).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType
from sqlglot.tokens import Tokenizer
from sqlglot.trie import new_trie

from thanosql_server.errors import Position, SyntaxError_

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token as ForeignToken

_DOLLAR_QUOTE = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*(?:(?!/\*).)*?\*/)*", re.DOTALL)
_OPENERS = {'"': "quoted name", "`": "quoted name", "/": "comment"}


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    """A keyword or an unquoted identifier."""
    QUOTED = auto()
    """`"..."` or a text in backticks: an identifier in SQL, a string in clauses."""
    STRING = auto()
    """`'...'`."""
    LITERAL = auto()
    """A string of another form: `E'...'`, `N'...'`, `$$...$$`."""
    NUMBER = auto()
    PARAMETER = auto()
    """`?`, `$1` or `$name`."""
    SYMBOL = auto()
    """One character of punctuation."""


class Token(NamedTuple):
    """One token; `text` without quotes, `start` to `end` are offsets in the source.

    A named tuple, since a statement may have a million of them: a frozen dataclass
    takes 2.5 times as long to make.
    """

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The upper-case word, or `""` for anything but an unquoted word."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    def is_symbol(self, symbol: str) -> bool:
        """Whether this is the one-character symbol."""
        return self.kind is Kind.SYMBOL and self.text == symbol

    def reads_as(self, name: str) -> bool:
        """Whether SQL reads this token as the identifier `name`."""
        if self.kind is Kind.WORD:
            return self.text.lower() == name
        return self.kind is Kind.QUOTED and self.text == name


_KINDS = {
    TokenType.VAR: Kind.WORD,
    TokenType.STRING: Kind.STRING,
    TokenType.IDENTIFIER: Kind.QUOTED,
    TokenType.NUMBER: Kind.NUMBER,
    TokenType.PLACEHOLDER: Kind.PARAMETER,
    TokenType.BYTE_STRING: Kind.LITERAL,
    TokenType.NATIONAL_STRING: Kind.LITERAL,
    TokenType.RAW_STRING: Kind.LITERAL,
}


class _Tokenizer(Tokenizer):
    # Without keywords every word is a plain one and every symbol one character, so
    # that no word of ours or of DataFusion's can be swallowed as a command.
    KEYWORDS: ClassVar[dict[str, TokenType]] = {}
    COMMANDS: ClassVar[set[TokenType]] = set()
    IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ['"', "`"]
    BYTE_STRINGS: ClassVar[list[str | tuple[str, str]]] = [("e'", "'"), ("E'", "'")]
    BYTE_STRING_ESCAPES: ClassVar[list[str]] = ["'", "\\"]
    COMMENTS_TERMINATE_AT_NEWLINE_ONLY = True


def tokenize(sql: str) -> list[Token]:
    """Split `sql` into tokens, without blanks and comments.

    Raises:
        SyntaxError_: a quote or a block comment is not closed.
    """
    tokenizer = _tokenizer_class(frozenset(_DOLLAR_QUOTE.findall(sql)))()
    try:
        return [_token(token) for token in tokenizer.tokenize(sql)]
    except TokenError as error:
        known = tokenizer.tokens
        raise _not_closed(sql, known[-1].end + 1 if known else 0) from error


def quote(name: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def excerpt(text: str, limit: int = 30) -> str:
    """Return the beginning of `text`, quoted, for a message."""
    line = " ".join(text.split())
    return f"'{line if len(line) <= limit else line[: limit - 3] + '...'}'"


@lru_cache(maxsize=64)
def _tokenizer_class(tags: frozenset[str]) -> type[Tokenizer]:
    """Return a tokenizer that knows these dollar quotes (`$$`, `$tag$`).

    sqlglot's own dollar quotes take `$1,$` in `($1,$2)` for an opening tag.
    """

    class Tagged(_Tokenizer):
        RAW_STRINGS: ClassVar[list[str | tuple[str, str]]] = list(tags)

    # sqlglot adds Jinja's comments to every dialect; DataFusion has none.
    Tagged._COMMENTS.pop("{#", None)
    starts = (*Tagged._COMMENTS, *Tagged._QUOTES, *Tagged._FORMAT_STRINGS)
    Tagged._KEYWORD_TRIE = new_trie(start.upper() for start in starts)
    return Tagged


def _token(token: ForeignToken) -> Token:
    kind = _KINDS.get(token.token_type, Kind.SYMBOL)
    if kind is Kind.WORD and token.text.startswith("$"):
        kind = Kind.PARAMETER
    return Token(kind, token.text, token.start, token.end + 1)


def _not_closed(sql: str, known_end: int) -> SyntaxError_:
    blank = _BLANK.match(sql, known_end)
    start = blank.end() if blank else known_end
    what = _OPENERS.get(sql[start : start + 1], "string")
    return SyntaxError_(
        f"the {what} that begins with {excerpt(sql[start:])} is not closed",
        position=Position.of(sql, start),
    )
