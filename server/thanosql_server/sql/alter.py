"""ALTER TABLE: one change of a table's columns, or its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import Position
from thanosql_server.sql.clauses import UnsupportedClause, read_expression
from thanosql_server.sql.definitions import read_column, read_default, read_type
from thanosql_server.sql.generation import DropExpression
from thanosql_server.sql.nodes import (
    AddColumn,
    AlterTable,
    AlterType,
    DropColumn,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Span,
)

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Alteration

_EXPECTED = "ADD, DROP, RENAME or ALTER, and a column, after ALTER TABLE {}"
_UNSERVED = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


def read_alter(cursor: Cursor) -> AlterTable:
    """Read `ALTER TABLE [IF EXISTS] table change`."""
    start = cursor.here()
    cursor.expect_words("ALTER")
    if cursor.word() != "TABLE":
        raise _unserved(cursor, start, f"ALTER {cursor.word()}".rstrip())
    cursor.advance()
    if_exists = cursor.take_words("IF", "EXISTS")
    table = cursor.table_name()
    change = _change(cursor, str(table))
    if cursor.at_symbol(","):
        raise cursor.error("the end of the statement: one change at a time")
    return AlterTable(table, if_exists, change)


def _change(cursor: Cursor, table: str) -> Alteration:
    start, verb = cursor.here(), cursor.word()
    if verb not in ("ADD", "DROP", "RENAME", "ALTER"):
        raise cursor.error(_EXPECTED.format(table))
    cursor.advance()
    if cursor.word() in _UNSERVED:
        raise _unserved(cursor, start, f"ALTER TABLE ... {verb} {cursor.word()}")
    if verb == "RENAME" and cursor.take_words("TO"):
        return RenameTable(cursor.table_name())
    cursor.take_words("COLUMN")
    if verb == "ADD":
        absent = cursor.take_words("IF", "NOT", "EXISTS")
        return AddColumn(read_column(cursor), absent)
    if verb == "DROP":
        return _drop(cursor)
    name, position = _column(cursor)
    if verb == "RENAME":
        cursor.expect_words("TO", expected=f"TO and the new name of column '{name}'")
        return RenameColumn(name, position, *_column(cursor))
    return _alter(cursor, name, position)


def _drop(cursor: Cursor) -> DropColumn:
    if_exists = cursor.take_words("IF", "EXISTS")
    name, position = _column(cursor)
    cascade = cursor.take_words("CASCADE")
    if not cascade:
        cursor.take_words("RESTRICT")
    return DropColumn(name, position, if_exists, cascade)


def _alter(cursor: Cursor, name: str, position: Position) -> Alteration:
    if cursor.take_words("SET", "NOT", "NULL"):
        return SetNullable(name, position, nullable=False)
    if cursor.take_words("DROP", "NOT", "NULL"):
        return SetNullable(name, position, nullable=True)
    if cursor.take_words("DROP", "DEFAULT"):
        return SetDefault(name, position, None)
    if cursor.take_words("SET", "DEFAULT"):
        return SetDefault(name, position, read_default(cursor))
    if cursor.take_words("DROP", "EXPRESSION"):
        return DropExpression(name, position, cursor.take_words("IF", "EXISTS"))
    if cursor.take_words("SET", "DATA", "TYPE") or cursor.take_words("TYPE"):
        kind = read_type(cursor, f"the new type of column '{name}'")
        using = None
        if cursor.take_words("USING"):
            expected = f"the new values of column '{name}' after USING"
            using = read_expression(cursor, expected, lambda here: False)
        return AlterType(name, position, kind, using)
    raise cursor.error(
        f"TYPE, SET DEFAULT, DROP DEFAULT, SET NOT NULL or DROP NOT NULL after '{name}'"
    )


def _column(cursor: Cursor) -> tuple[str, Position]:
    position = Position.of(cursor.text, cursor.here())
    return cursor.identifier("a column"), position


def _unserved(cursor: Cursor, start: int, verb: str) -> UnsupportedClause:
    while not cursor.at_end():
        cursor.advance()
    return UnsupportedClause(verb, Span(start, cursor.end_of_last()))
