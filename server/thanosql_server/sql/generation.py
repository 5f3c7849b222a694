"""GENERATED ALWAYS AS (embed_image('model', column)): columns that are kept fresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import NotSupported, Position, SyntaxError_
from thanosql_server.sql.calls import EMBEDDINGS
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor

VECTOR = "VECTOR"
"""The type of a column of embeddings whose length the model tells."""

_FORM = "embed_image('model', column) or embed_text('model', column)"


@dataclass(frozen=True)
class Generation:
    """`GENERATED ALWAYS AS (function('model', column)) [STORED]`.

    Attributes:
        function: `embed_image` or `embed_text`.
        model: the model's name as it is written.
        input: the column that is embedded.
        position: of the word GENERATED.
        model_position: of the model's name.
        input_position: of the column's name.
    """

    function: str
    model: str
    input: str
    position: Position
    model_position: Position
    input_position: Position


@dataclass(frozen=True)
class DropExpression:
    """`ALTER [COLUMN] name DROP EXPRESSION [IF EXISTS]`: a column like any other."""

    name: str
    position: Position
    if_exists: bool


def begins_generation(cursor: Cursor) -> bool:
    """Whether GENERATED ALWAYS AS and an expression stand here."""
    words = [cursor.word(ahead) for ahead in range(3)]
    return words == ["GENERATED", "ALWAYS", "AS"] and cursor.at_symbol("(", 3)


def read_generation(cursor: Cursor) -> Generation:
    """Read `GENERATED ALWAYS AS (function('model', column)) [STORED]`.

    Raises:
        NotSupported: another expression, or a column that is not stored.
    """
    position = Position.of(cursor.text, cursor.here())
    cursor.expect_words("GENERATED", "ALWAYS", "AS")
    cursor.expect_symbol("(")
    at = Position.of(cursor.text, cursor.here())
    function = cursor.word().lower()
    if function not in EMBEDDINGS or not cursor.at_symbol("(", 1):
        raise NotSupported(f"a generated column is {_FORM}", position=at)
    cursor.advance()
    cursor.advance()
    model_position = Position.of(cursor.text, cursor.here())
    if cursor.kind() is not Kind.STRING:
        raise cursor.error(f"the name of a model in quotes, as in {_FORM}")
    model = cursor.advance().text
    cursor.expect_symbol(",", "',' and a column")
    input_position = Position.of(cursor.text, cursor.here())
    input_ = cursor.identifier("a column of this table")
    cursor.expect_symbol(")", f"')': a generated column is {_FORM}")
    cursor.expect_symbol(")", f"')': a generated column is {_FORM}")
    if cursor.word() == "VIRTUAL":
        here = Position.of(cursor.text, cursor.here())
        raise NotSupported("generated columns are stored", position=here)
    cursor.take_words("STORED")
    return Generation(function, model, input_, position, model_position, input_position)


def refuse_twice_given(name: str, facts: dict[str, object], at: Position) -> None:
    """Raise SyntaxError_ if a generated column has a value of another kind, too."""
    if facts.get("generation") is None:
        return
    if facts.get("default") is not None:
        raise SyntaxError_(
            f"column '{name}' has both a default and an expression", position=at
        )
    if facts.get("not_null"):
        raise SyntaxError_(
            f"column '{name}' cannot be NOT NULL: a row waits for its embedding",
            position=at,
        )
