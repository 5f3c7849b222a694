"""What a SEARCH looks for: before USING, or in its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import SyntaxError_, nearest
from thanosql_server.sql.nodes import SearchItem
from thanosql_server.sql.options import Parameter, show

if TYPE_CHECKING:
    from typing import Literal

    from thanosql_server.errors import Position
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.options import Options, Value

_KINDS: dict[str, Literal["text", "image"]] = {
    "text": "text",
    "texts": "text",
    "image": "image",
    "images": "image",
}


def items_before_using(cursor: Cursor, verb: str) -> tuple[SearchItem, ...]:
    """Read `text='...'`, `images=['...', '...']`; empty if USING stands here."""
    if cursor.word() == "USING":
        return ()
    token = cursor.peek()
    kind = _KINDS.get(cursor.word().lower())
    if token is None or kind is None:
        raise cursor.error(f"text=, texts=, image= or images= after {verb}", _KINDS)
    key = cursor.advance().text
    cursor.expect_symbol("=", f"'=' after '{key}'")
    value = cursor.value(f"what to search for after '{key}='")
    return _items(kind, value, cursor.position(token))


def items_in_options(
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
