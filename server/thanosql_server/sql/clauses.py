"""Queries: plain SQL text with ThanoSQL clauses found in it, at any depth.

The body of a clause is either in parentheses, and then ends with them, or it reaches
to the end of the statement or to the parenthesis around the clause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import SyntaxError_, nearest
from thanosql_server.sql.nodes import (
    Convert,
    ListObjects,
    Placeholder,
    Print,
    Query,
    Search,
    SearchItem,
    Span,
)
from thanosql_server.sql.options import Parameter, show
from thanosql_server.sql.recognition import (
    MEDIA,
    PRINTED,
    QUERY_WORDS,
    is_clause,
    starts_query,
)
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from thanosql_server.errors import Position
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Clause
    from thanosql_server.sql.options import Options, Value
    from thanosql_server.sql.tokens import Token

_KINDS: dict[str, Literal["text", "image"]] = {
    "text": "text",
    "texts": "text",
    "image": "image",
    "images": "image",
}


class UnsupportedClause(Exception):
    """The statement holds a clause that is known but not served."""

    def __init__(self, verb: str, span: Span) -> None:
        super().__init__(verb)
        self.verb = verb
        self.span = span


def read_query(cursor: Cursor) -> Query:
    """Read a query that reaches to the end of the statement."""
    return _scan(cursor)


def read_body(cursor: Cursor, after: str) -> Query:
    """Read `AS` and the query of a statement, which reaches to its end."""
    _expect_as(cursor, after)
    return _scan(cursor)


def _clause_body(cursor: Cursor, after: str) -> Query:
    """Read `AS` and the query of a clause, in parentheses or bare."""
    _expect_as(cursor, after)
    opening = cursor.peek()
    if not cursor.take_symbol("("):
        return _scan(cursor)
    if not starts_query(cursor):
        raise cursor.error("a query in the parentheses", QUERY_WORDS)
    body = _scan(cursor)
    if not cursor.take_symbol(")"):
        raise cursor.error_at("'(' is not closed", opening)
    return body


def _expect_as(cursor: Cursor, after: str) -> None:
    cursor.expect_words("AS", expected=f"AS and a query after {after}")
    if not starts_query(cursor):
        raise cursor.error("a query after AS", QUERY_WORDS)


def _scan(cursor: Cursor) -> Query:
    """Read up to the end of the statement or a parenthesis opened before here."""
    start, first = cursor.here(), cursor.index
    clauses: list[Clause] = []
    placeholders: list[Placeholder] = []
    opened: list[Token] = []
    while (token := cursor.peek()) is not None:
        if token.kind is Kind.WORD:
            if is_clause(cursor, surely=cursor.index == first):
                clauses.append(_read_clause(cursor))
                continue
        elif token.kind is Kind.PARAMETER:
            index = cursor.parameter(token).index
            placeholders.append(Placeholder(index, Span(token.start, token.end)))
        elif token.is_symbol("("):
            opened.append(token)
        elif token.is_symbol(";") or (token.is_symbol(")") and not opened):
            break
        elif token.is_symbol(")"):
            opened.pop()
        cursor.advance()
    if opened:
        raise cursor.error_at("'(' is not closed", opened[-1])
    span = cursor.span_from(start)
    return Query(cursor.text, span, tuple(clauses), tuple(placeholders))


def _read_clause(cursor: Cursor) -> Clause:
    cursor.enter()
    clause = _READERS[cursor.word()](cursor)
    cursor.leave()
    return clause


def _read_convert(cursor: Cursor) -> Convert:
    start = cursor.here()
    cursor.expect_words("CONVERT")
    cursor.expect_words("USING", expected="USING and a model after CONVERT")
    model, position = cursor.name("the name of a model")
    options = cursor.options()
    body = _clause_body(cursor, _after(options, f"CONVERT USING {model}"))
    return Convert(model, options, body, cursor.span_from(start), position)


def _read_search(cursor: Cursor) -> Search:
    start, first = cursor.here(), cursor.peek()
    cursor.expect_words("SEARCH")
    if cursor.word() in MEDIA - {"IMAGE"}:
        verb = f"SEARCH {cursor.advance().word}"
        raise UnsupportedClause(verb, cursor.span_from(start))
    cursor.expect_words("IMAGE", expected="IMAGE after SEARCH")
    items = _argument(cursor)
    cursor.expect_words("USING", expected="USING and a model after SEARCH IMAGE ...")
    model, position = cursor.name("the name of a model")
    options = cursor.options()
    items = _items_in_options(items, options)
    if not items:
        message = (
            "SEARCH IMAGE needs what to search for: text='...' or image='...' "
            "before USING, or OPTIONS(search_by='text', search_input='...')"
        )
        raise cursor.error_at(message, first)
    body = _clause_body(cursor, _after(options, f"USING {model}"))
    span = cursor.span_from(start)
    return Search("IMAGE", items, model, options, body, span, position)


def _argument(cursor: Cursor) -> tuple[SearchItem, ...]:
    """Read `text='...'`, `images=['...', '...']`; empty if USING stands here."""
    if cursor.word() == "USING":
        return ()
    token = cursor.peek()
    kind = _KINDS.get(cursor.word().lower())
    if token is None or kind is None:
        raise cursor.error(
            "text=, texts=, image= or images= after SEARCH IMAGE", _KINDS
        )
    key = cursor.advance().text
    cursor.expect_symbol("=", f"'=' after '{key}'")
    value = cursor.value(f"what to search for after '{key}='")
    return _items(kind, value, cursor.position(token))


def _items_in_options(
    items: tuple[SearchItem, ...], options: Options
) -> tuple[SearchItem, ...]:
    """Return the items of OPTIONS(search_by=, search_input=), or `items` without."""
    given = [name for name in ("search_by", "search_input") if name in options]
    if not given:
        return items
    position = options.position(given[0])
    if items:
        message = f"'{given[0]}' repeats what already stands before USING"
        raise SyntaxError_(message, position=position)
    if len(given) == 1:
        message = "search_by and search_input go together; one of them is missing"
        raise SyntaxError_(message, position=position)
    by = options["search_by"]
    kind = _KINDS.get(by.lower()) if isinstance(by, str) else None
    if kind is None:
        hint = nearest(str(by), _KINDS)
        message = f"search_by must be 'text' or 'image', not {show(by)}{hint}"
        raise SyntaxError_(message, position=position)
    return _items(kind, options["search_input"], options.position("search_input"))


def _items(
    kind: Literal["text", "image"], value: Value, position: Position
) -> tuple[SearchItem, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if not values:
        raise SyntaxError_("the list of what to search for is empty", position=position)
    return tuple(_item(kind, item, position) for item in values)


def _item(
    kind: Literal["text", "image"], value: Value, position: Position
) -> SearchItem:
    if isinstance(value, (str, Parameter)):
        return SearchItem(kind, value, position)
    message = f"what to search for must be in quotes, not {show(value)}"
    raise SyntaxError_(message, position=position)


def _read_print(cursor: Cursor) -> Print:
    start = cursor.here()
    cursor.expect_words("PRINT")
    medium = PRINTED.get(cursor.word())
    if medium is None:
        raise cursor.error("IMAGE, AUDIO or VIDEO after PRINT", PRINTED)
    cursor.advance()
    options = cursor.options()
    body = _clause_body(cursor, _after(options, f"PRINT {medium}"))
    return Print(medium, options, body, cursor.span_from(start))


def _read_list(cursor: Cursor) -> ListObjects:
    start = cursor.here()
    cursor.expect_words("LIST")
    if cursor.take_words("MODEL"):
        return ListObjects("MODEL", cursor.span_from(start))
    if cursor.take_words("TABLE"):
        return ListObjects("TABLE", cursor.span_from(start))
    expected = "MODEL, TABLE, THANOSQL MODEL or THANOSQL DATASET after LIST"
    if cursor.take_words("THANOSQL", "MODEL"):
        return ListObjects("THANOSQL MODEL", cursor.span_from(start))
    cursor.expect_words("THANOSQL", "DATASET", expected=expected)
    return ListObjects("THANOSQL DATASET", cursor.span_from(start))


def _read_unsupported(cursor: Cursor) -> Clause:
    token = cursor.advance()
    raise UnsupportedClause(token.word, Span(token.start, token.end))


def _after(options: Options, otherwise: str) -> str:
    return "OPTIONS(...)" if options else otherwise


_READERS: dict[str, Callable[[Cursor], Clause]] = {
    "CONVERT": _read_convert,
    "SEARCH": _read_search,
    "PRINT": _read_print,
    "LIST": _read_list,
    "FUNCTION": _read_unsupported,
    "PREDICT": _read_unsupported,
    "EVALUATE": _read_unsupported,
    "TRANSFORM": _read_unsupported,
    "GENERATE": _read_unsupported,
}
