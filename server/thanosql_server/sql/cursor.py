"""A place in the tokens of one statement, and the small things read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import Position, SyntaxError_, nearest
from thanosql_server.sql.nodes import Options, Parameter, Span, TableName, Value
from thanosql_server.sql.parameters import number_parameters
from thanosql_server.sql.tokens import Kind, excerpt, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thanosql_server.sql.tokens import Token

MAX_DEPTH = 50
"""Of clauses and lists inside each other; Python's stack ends near 150."""

_NEVER_NAMES = ("AS", "FROM", "USING")
_NAMES = (Kind.WORD, Kind.QUOTED, Kind.STRING)
_CONSTANTS: dict[str, Value] = {
    "TRUE": True,
    "FALSE": False,
    "NONE": None,
    "NULL": None,
}


class Cursor:
    """Reads the tokens of one statement from left to right.

    Raises:
        SyntaxError_: a quote is not closed, or parameters are not numbered well.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0
        self.depth = 0
        self._parameters = number_parameters(text, self.tokens)

    @property
    def parameter_count(self) -> int:
        """How many values the statement needs."""
        return max(self._parameters.values(), default=0)

    def peek(self, ahead: int = 0) -> Token | None:
        """Return a token without moving; None beyond either end."""
        index = self.index + ahead
        return self.tokens[index] if 0 <= index < len(self.tokens) else None

    def word(self, ahead: int = 0) -> str:
        """Return the upper-case unquoted word there, or ""."""
        token = self.peek(ahead)
        return token.word if token else ""

    def kind(self, ahead: int = 0) -> Kind | None:
        """Return the kind of the token there."""
        token = self.peek(ahead)
        return token.kind if token else None

    def at_symbol(self, symbol: str, ahead: int = 0) -> bool:
        """Whether the token there is the symbol."""
        token = self.peek(ahead)
        return token is not None and token.is_symbol(symbol)

    def at_end(self, ahead: int = 0) -> bool:
        """Whether the statement ends there."""
        return self.peek(ahead) is None or self.at_symbol(";", ahead)

    def advance(self) -> Token:
        """Return the token here and move on."""
        token = self.tokens[self.index]
        self.index += 1
        return token

    def take_words(self, *words: str) -> bool:
        """Move over the words if all of them stand here."""
        if any(self.word(ahead) != word for ahead, word in enumerate(words)):
            return False
        self.index += len(words)
        return True

    def take_symbol(self, symbol: str) -> bool:
        """Move over the symbol if it stands here."""
        if not self.at_symbol(symbol):
            return False
        self.index += 1
        return True

    def expect_words(self, *words: str, expected: str = "") -> None:
        """Move over the words or raise; `expected` says more than the words."""
        if not self.take_words(*words):
            raise self.error(expected or " ".join(words))

    def expect_symbol(self, symbol: str, expected: str = "") -> None:
        """Move over the symbol or raise."""
        if not self.take_symbol(symbol):
            raise self.error(expected or f"'{symbol}'")

    def expect_end(self) -> None:
        """Raise unless the text ends here, after any number of semicolons."""
        ended = self.at_symbol(";")
        while self.take_symbol(";"):
            pass
        if self.peek() is not None:
            what = "one statement" if ended else "the end of the statement"
            raise self.error(what)

    def error(self, expected: str, hints: Iterable[str] = ()) -> SyntaxError_:
        """Return the error that something else was expected here."""
        token = self.peek()
        if token is None or self.at_end():
            return self.error_at(f"expected {expected}, found end of statement")
        found = self.text[token.start : token.end]
        hint = nearest(found, hints)
        return self.error_at(f"expected {expected}, found {excerpt(found)}{hint}")

    def error_at(self, message: str, token: Token | None = None) -> SyntaxError_:
        """Return an error at the token, or at the place reached so far."""
        token = token or self.peek()
        offset = token.start if token else self.end_of_last(len(self.tokens))
        return SyntaxError_(message, position=Position.of(self.text, offset))

    def end_of_last(self, index: int | None = None) -> int:
        """Return the offset behind the token before here."""
        index = self.index if index is None else index
        return self.tokens[index - 1].end if index else 0

    def span_from(self, start: int) -> Span:
        """Return the span from an offset to the token before here."""
        return Span(start, max(start, self.end_of_last()))

    def here(self) -> int:
        """Return the offset of the token here, or of the end of the text."""
        token = self.peek()
        return token.start if token else self.end_of_last()

    def position(self, token: Token) -> Position:
        """Return the line and column of a token."""
        return Position.of(self.text, token.start)

    def parameter(self, token: Token) -> Parameter:
        """Return the parameter that a placeholder stands for."""
        return Parameter(self._parameters[token.start])

    def name(self, what: str) -> tuple[str, Position]:
        """Read a name of ours (model, family, data set) as it is written."""
        token = self._named(_NAMES, what)
        return token.text, self.position(token)

    def identifier(self, what: str) -> str:
        """Read an SQL identifier: lower case unless quoted."""
        token = self._named((Kind.WORD, Kind.QUOTED), what)
        return token.text if token.kind is Kind.QUOTED else token.text.lower()

    def _named(self, kinds: tuple[Kind, ...], what: str) -> Token:
        token = self.peek()
        named = token is not None and token.kind in kinds and token.text != ""
        if not named or self.word() in _NEVER_NAMES:
            raise self.error(what)
        return self.advance()

    def table_name(self, what: str = "a table name") -> TableName:
        """Read a table's name, with schema and catalog if they are written."""
        position = Position.of(self.text, self.here())
        parts = [self.identifier(what)]
        while self.take_symbol("."):
            parts.append(self.identifier(f"{what} after '.'"))
        return TableName(tuple(parts), position)

    def options(self, word: str = "OPTIONS") -> Options:
        """Read `OPTIONS(name=value, ...)`; without OPTIONS there are none."""
        if not self.take_words(word):
            return Options({}, {})
        self.expect_symbol("(", f"'(' after {word}")
        values: dict[str, Value] = {}
        positions: dict[str, Position] = {}
        while not self.take_symbol(")"):
            if values:
                self.expect_symbol(",", f"',' or ')' in {word}(...)")
            self._option(values, positions)
        return Options(values, positions)

    def _option(self, values: dict[str, Value], positions: dict[str, Position]) -> None:
        token = self.peek()
        if token is None or token.kind not in (Kind.WORD, Kind.QUOTED):
            raise self.error("the name of an option")
        name = self.advance().text.lower()
        if name in values:
            raise self.error_at(f"option '{name}' is given twice", token)
        self.expect_symbol("=", f"'=' after option '{name}'")
        values[name] = self.value(f"a value for option '{name}'")
        positions[name] = self.position(token)

    def path(self, expected: str) -> tuple[str | Parameter, Position]:
        """Read a path in quotes, or a parameter in its place."""
        token = self.peek()
        if token and token.kind in (Kind.STRING, Kind.QUOTED, Kind.PARAMETER):
            value = self.value(expected)
            if isinstance(value, (str, Parameter)):
                return value, self.position(token)
        raise self.error(expected)

    def value(self, expected: str) -> Value:
        """Read a value of a clause: strings in either quotes, words, numbers, lists."""
        token = self.peek()
        if token is None:
            raise self.error(expected)
        if token.kind in (Kind.STRING, Kind.QUOTED):
            return self.advance().text
        if token.kind is Kind.PARAMETER:
            return self.parameter(self.advance())
        if token.kind is Kind.WORD:
            self.advance()
            return _CONSTANTS.get(token.word, token.text)
        if self.take_symbol("["):
            return self._list()
        return self._number(expected)

    def _list(self) -> Value:
        self.enter()
        items: list[Value] = []
        while not self.take_symbol("]"):
            if items:
                self.expect_symbol(",", "',' or ']' in a list")
            items.append(self.value("a value in a list"))
        self.leave()
        return tuple(items)

    def _number(self, expected: str) -> Value:
        start = self.index
        sign = "-" if self.take_symbol("-") else ""
        if not sign:
            self.take_symbol("+")
        whole = not self.take_symbol(".")
        if self.kind() is not Kind.NUMBER:
            self.index = start
            raise self.error(expected)
        digits = self.advance().text
        if not whole:
            digits = f"0.{digits}"
        return self._convert(sign + digits, self.tokens[start])

    def _convert(self, digits: str, token: Token) -> int | float:
        try:
            return float(digits) if set(digits) & set(".eE") else int(digits)
        except ValueError:
            message = f"{excerpt(digits)} is not a number that can be used"
            raise self.error_at(message, token) from None

    def enter(self) -> None:
        """Count one more level of nesting; raise beyond `MAX_DEPTH`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error_at(f"more than {MAX_DEPTH} levels inside each other")

    def leave(self) -> None:
        """Leave a level of nesting."""
        self.depth -= 1
