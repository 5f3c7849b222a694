"""Definitions of columns: names, types, and what is declared about them.

Types and defaults are kept as written; the engine finds out what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.clauses import UnsupportedClause, read_expression
from thanosql_server.sql.nodes import ColumnDefinition, Span, TypeText
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Query

# What may follow a type or a default; NOT and NULL are looked at more closely.
_CONSTRAINTS = frozenset(
    {"NULL", "NOT", "DEFAULT", "PRIMARY", "COMMENT", "CONSTRAINT", "UNIQUE", "CHECK"}
    | {"REFERENCES", "GENERATED", "COLLATE", "AUTOINCREMENT", "AUTO_INCREMENT"}
)
_UNSERVED = frozenset(
    {"UNIQUE", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "FOREIGN"}
    | {"AUTOINCREMENT", "AUTO_INCREMENT"}
)
_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


def read_columns(
    cursor: Cursor,
) -> tuple[tuple[ColumnDefinition, ...], tuple[tuple[str, Position], ...]]:
    """Read `(column type ..., ..., PRIMARY KEY (...))`: columns, and the key."""
    cursor.expect_symbol("(", "'(' and the columns")
    columns: list[ColumnDefinition] = []
    keys: list[tuple[tuple[str, Position], ...]] = []
    while True:
        if cursor.word() in _TABLE_CONSTRAINTS:
            keys.append(_table_constraint(cursor))
        else:
            columns.append(read_column(cursor))
        if not cursor.take_symbol(","):
            break
    cursor.expect_symbol(")", "',' or ')' in the list of columns")
    _refuse_twice([(one.name, one.position) for one in columns])
    keys += [((one.name, one.position),) for one in columns if one.is_key]
    if len(keys) > 1:
        raise SyntaxError_("a table has one PRIMARY KEY", position=keys[1][0][1])
    return tuple(columns), keys[0] if keys else ()


def read_column(cursor: Cursor) -> ColumnDefinition:
    """Read `column type [NOT NULL] [DEFAULT value] [PRIMARY KEY] [COMMENT 'text']`."""
    position = Position.of(cursor.text, cursor.here())
    name = cursor.identifier("a column")
    type_ = read_type(cursor, f"a type for column '{name}'")
    facts: dict[str, Any] = {}
    while cursor.word() in _CONSTRAINTS:
        _read_constraint(cursor, facts)
    return ColumnDefinition(name, position, type_, **facts)


def _read_constraint(cursor: Cursor, facts: dict[str, Any]) -> None:
    if cursor.word() in _UNSERVED:
        raise _unserved(cursor)
    word = cursor.advance().word
    if word == "DEFAULT":
        facts["default"] = read_default(cursor)
    elif word == "COMMENT":
        facts["comment"] = read_comment(cursor)
    elif word == "PRIMARY":
        cursor.expect_words("KEY", expected="KEY after PRIMARY")
        facts["is_key"] = True
    elif word == "NOT":
        cursor.expect_words("NULL", expected="NULL after NOT")
        facts["not_null"] = True
    elif word == "CONSTRAINT":
        cursor.identifier("the name of the constraint")


def read_type(cursor: Cursor, expected: str) -> TypeText:
    """Read a type: words, numbers in parentheses, brackets, and types inside `<>`."""
    position = Position.of(cursor.text, cursor.here())
    if cursor.kind() is not Kind.WORD or cursor.word() in _CONSTRAINTS:
        raise cursor.error(expected)
    angles = 0

    def ends(here: Cursor) -> bool:
        nonlocal angles
        angles += here.at_symbol("<") - here.at_symbol(">")
        inside = angles > 0 or here.at_symbol(">")
        return not inside and (
            here.at_symbol(",") or here.word() in _CONSTRAINTS | {"USING"}
        )

    return TypeText(read_expression(cursor, expected, ends).text, position)


def read_default(cursor: Cursor) -> Query:
    """Read the value after DEFAULT: an expression without parameters and queries."""
    default = read_expression(cursor, "a value after DEFAULT", _ends_default)
    inside = (*default.parameters, *default.clauses, *default.calls)
    if inside:
        first = min(inside, key=lambda one: one.span.start)
        raise SyntaxError_(
            "a default is computed later and cannot hold parameters or clauses",
            position=Position.of(cursor.text, first.span.start),
        )
    return default


def read_comment(cursor: Cursor) -> str:
    """Read the text of a comment."""
    if cursor.kind() is not Kind.STRING:
        raise cursor.error("a text in quotes")
    return cursor.advance().text


def _ends_default(here: Cursor) -> bool:
    word = here.word()
    if word in ("NOT", "NULL"):
        starts = here.word(-1) == "DEFAULT"
        within = here.word(-1) in ("IS", "NOT") or (
            word == "NOT" and here.word(1) != "NULL"
        )
        return not starts and not within
    return here.at_symbol(",") or word in _CONSTRAINTS


def _table_constraint(cursor: Cursor) -> tuple[tuple[str, Position], ...]:
    if cursor.take_words("CONSTRAINT"):
        cursor.identifier("the name of the constraint")
    if cursor.word() in _UNSERVED:
        raise _unserved(cursor)
    cursor.expect_words("PRIMARY", "KEY", expected="PRIMARY KEY")
    cursor.expect_symbol("(", "'(' and the columns of the key")
    key = [_key_column(cursor)]
    while cursor.take_symbol(","):
        key.append(_key_column(cursor))
    cursor.expect_symbol(")", "',' or ')' in the columns of the key")
    _refuse_twice(key)
    return tuple(key)


def _key_column(cursor: Cursor) -> tuple[str, Position]:
    position = Position.of(cursor.text, cursor.here())
    return cursor.identifier("a column of the key"), position


def _unserved(cursor: Cursor) -> UnsupportedClause:
    """Skip to the end and return that the constraint here is not served."""
    start, word = cursor.here(), cursor.word()
    while not cursor.at_end():
        cursor.advance()
    return UnsupportedClause(word, Span(start, cursor.end_of_last()))


def _refuse_twice(names: list[tuple[str, Position]]) -> None:
    seen = set[str]()
    for name, position in names:
        if name in seen:
            raise SyntaxError_(f"column '{name}' is named twice", position=position)
        seen.add(name)
