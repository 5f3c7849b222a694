"""Names of tables and columns: generated, former and misspelt ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.nodes import TableName
from thanosql_server.sql.respelling import respell
from thanosql_server.sql.tokens import Kind, quote, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.sql.nodes import Query
    from thanosql_server.sql.tokens import Token

__all__ = [
    "SEARCH_RESULT",
    "candidates",
    "embedding_column",
    "locate",
    "quote",
    "respell",
    "similarity_column",
    "simple_table",
    "text_column",
]

SEARCH_RESULT = "search_result"
"""What SEARCH called its column from 2022-11 on; a second one has the suffix 2."""

# The path column was called by each of these at some time between 2022-05 and 2022-08.
_PATH_COLUMNS = ("image_path", "img_path", "filepath", "path", "image")
_SIMILARITY = re.compile(
    rf"(.+_similarity|similarity_image|{SEARCH_RESULT})(\d*)", re.IGNORECASE
)


def embedding_column(model: str, base: str) -> str:
    """Return the column that CONVERT adds; `base` is the family's, say "simclr"."""
    return f"{model}_{base}".lower()


def text_column(embedding: str) -> str:
    """Return the column of the embeddings of texts, beside those of pictures."""
    return f"{embedding}_text"


def similarity_column(embedding: str, number: int) -> str:
    """Return the column that SEARCH adds for the query item `number`, from 1."""
    return f"{embedding}_similarity{number}"


def simple_table(query: Query) -> TableName | None:
    """Return the table if the query is exactly `SELECT * FROM table`.

    Comments and parentheses around it are allowed.
    """
    if query.clauses or query.parameters:
        return None
    tokens = _without_parentheses(tokenize(query.text))
    begins = [token.word or token.text for token in tokens[:3]]
    if begins != ["SELECT", "*", "FROM"]:
        return None
    parts = _dotted(tokens[3:])
    if not parts:
        return None
    offset = query.span.start + tokens[3].start
    return TableName(parts, Position.of(query.source, offset))


def _without_parentheses(tokens: list[Token]) -> list[Token]:
    while len(tokens) > 1 and tokens[0].is_symbol("(") and tokens[-1].is_symbol(")"):
        tokens = tokens[1:-1]
    return tokens


def _dotted(tokens: list[Token]) -> tuple[str, ...]:
    """Return the parts of `a.b.c`, or none if the tokens are anything else."""
    names, dots = tokens[::2], tokens[1::2]
    named = all(token.kind in (Kind.WORD, Kind.QUOTED) for token in names)
    if not named or len(names) != len(dots) + 1:
        return ()
    if not all(token.is_symbol(".") for token in dots):
        return ()
    return tuple(
        token.text.lower() if token.kind is Kind.WORD else token.text for token in names
    )


def candidates(wrong: str, fields: Sequence[str]) -> str | None:
    """Return the one field that a name which is not there may stand for.

    First the same name in another case; then names of other times: of the similarity
    to the Nth item (`..._similarityN`, `similarity_imageN`, `search_resultN`), and the
    five that the path column has had.
    """
    same = {field for field in fields if field.lower() == wrong.lower()}
    if same:
        return _only(same)
    similarity = _SIMILARITY.fullmatch(wrong)
    if similarity:
        number = similarity[2] or "1"
        found = {SEARCH_RESULT + ("" if number == "1" else number)}.intersection(fields)
        if not similarity[1].lower().endswith("_similarity"):  # that of which model?
            ends = f"_similarity{number}"
            found |= {one for one in fields if one.lower().endswith(ends)}
        return _only(found)
    if wrong.lower() in _PATH_COLUMNS:
        return _only({field for field in fields if field.lower() in _PATH_COLUMNS})
    return None


def _only(found: set[str]) -> str | None:
    return found.pop() if len(found) == 1 else None


def locate(sql: str, name: str) -> Position | None:
    """Return where the text first names the identifier, as written or as SQL reads it.

    None if it does not, or if the text cannot be split into tokens.
    """
    try:
        tokens = tokenize(sql)
    except SyntaxError_:
        return None
    for token in tokens:
        named = token.kind in (Kind.WORD, Kind.QUOTED) and token.text == name
        if named or token.reads_as(name):
            return Position.of(sql, token.start)
    return None
