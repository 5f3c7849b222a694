"""Definitions of columns: names, types, and what is declared about them.

Types and defaults are kept as written; the engine finds out what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.clauses import read_expression
from thanosql_server.sql.constraints import (
    STARTS,
    Constraint,
    read_constraint,
    read_constraint_name,
    read_references,
    refuse_twice,
    refuse_unserved,
)
from thanosql_server.sql.generation import (
    VECTOR,
    begins_generation,
    read_generation,
    refuse_twice_given,
)
from thanosql_server.sql.nodes import ColumnDefinition, TypeText
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from thanosql_server.sql.constraints import Named
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Query

# What may follow a type or a default; NOT and NULL are looked at more closely.
_CONSTRAINTS = frozenset(
    {"NULL", "NOT", "DEFAULT", "PRIMARY", "COMMENT", "CONSTRAINT", "UNIQUE", "CHECK"}
    | {"REFERENCES", "GENERATED", "COLLATE", "AUTOINCREMENT", "AUTO_INCREMENT"}
)
_KINDS = ("PRIMARY", "UNIQUE", "REFERENCES")
_FACTS = ("NULL", "NOT", "DEFAULT", "COMMENT")


def read_columns(
    cursor: Cursor,
) -> tuple[tuple[ColumnDefinition, ...], tuple[Constraint, ...]]:
    """Read `(column type ..., ..., PRIMARY KEY (...))`: columns, and constraints.

    The constraints hold those of columns, too, and at most one is a primary key.
    """
    cursor.expect_symbol("(", "'(' and the columns")
    columns: list[ColumnDefinition] = []
    constraints: list[Constraint] = []
    while True:
        if cursor.word() in STARTS:
            constraints.append(read_constraint(cursor))
        else:
            columns.append(read_column(cursor))
            constraints += columns[-1].constraints
        if not cursor.take_symbol(","):
            break
    cursor.expect_symbol(")", "',' or ')' in the list of columns")
    refuse_twice([(one.name, one.position) for one in columns])
    keys = [one for one in constraints if one.kind == "PRIMARY KEY"]
    if len(keys) > 1:
        position = keys[1].columns[0][1]
        raise SyntaxError_("a table has one PRIMARY KEY", position=position)
    return tuple(columns), tuple(constraints)


def read_column(cursor: Cursor) -> ColumnDefinition:
    """Read `column type [NOT NULL] [DEFAULT value] [PRIMARY KEY] [COMMENT 'text']`."""
    position = Position.of(cursor.text, cursor.here())
    name = cursor.identifier("a column")
    type_ = _type_of(cursor, name)
    facts: dict[str, Any] = {}
    constraints: list[Constraint] = []
    while cursor.word() in _CONSTRAINTS:
        given = read_constraint_name(cursor)
        if begins_generation(cursor):
            facts["generation"] = read_generation(cursor)
            continue
        refuse_unserved(cursor)
        if cursor.word() in _KINDS:
            named = ((name, position),)
            constraints.append(_column_constraint(cursor, given, named))
        else:
            _read_fact(cursor, facts)
    refuse_twice_given(name, facts, position)
    return ColumnDefinition(
        name, position, type_, **facts, constraints=tuple(constraints)
    )


def _type_of(cursor: Cursor, name: str) -> TypeText:
    """Read a column's type; one that is generated may leave it out."""
    if begins_generation(cursor):
        return TypeText(VECTOR, Position.of(cursor.text, cursor.here()))
    return read_type(cursor, f"a type for column '{name}'")


def _column_constraint(cursor: Cursor, name: str | None, column: Named) -> Constraint:
    word = cursor.advance().word
    if word == "REFERENCES":
        references = read_references(cursor)
        if len(references.columns) > 1:
            raise SyntaxError_(
                f"column '{column[0][0]}' cannot refer to several columns",
                position=column[0][1],
            )
        return Constraint("FOREIGN KEY", name, column, references)
    if word == "PRIMARY":
        cursor.expect_words("KEY", expected="KEY after PRIMARY")
        return Constraint("PRIMARY KEY", name, column)
    return Constraint("UNIQUE", name, column)


def _read_fact(cursor: Cursor, facts: dict[str, Any]) -> None:
    if cursor.word() not in _FACTS:
        raise cursor.error("PRIMARY KEY, UNIQUE, REFERENCES, NOT NULL or DEFAULT")
    word = cursor.advance().word
    if word == "DEFAULT":
        facts["default"] = read_default(cursor)
    elif word == "COMMENT":
        facts["comment"] = read_comment(cursor)
    elif word == "NOT":
        cursor.expect_words("NULL", expected="NULL after NOT")
        facts["not_null"] = True


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
