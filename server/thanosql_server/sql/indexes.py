"""CREATE INDEX, DROP INDEX and SHOW INDEXES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import Position
from thanosql_server.sql.nodes import Options, Statement, TableName

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor


@dataclass(frozen=True)
class CreateIndex(Statement):
    """`CREATE INDEX name ON table USING method (column [operators]) WITH (...)`."""

    name: str
    name_position: Position
    if_not_exists: bool
    table: TableName
    method: str
    method_position: Position
    column: str
    column_position: Position
    operators: str | None
    operators_position: Position | None
    options: Options


@dataclass(frozen=True)
class DropIndex(Statement):
    """`DROP INDEX [IF EXISTS] name [, ...]`."""

    names: tuple[tuple[str, Position], ...]
    if_exists: bool


@dataclass(frozen=True)
class ShowIndexes(Statement):
    """`SHOW INDEXES [FROM table]`."""

    table: TableName | None


def read_create_index(cursor: Cursor) -> CreateIndex:
    """Read `INDEX [IF NOT EXISTS] name ON table USING method (column) WITH (...)`."""
    cursor.expect_words("INDEX")
    cursor.take_words("CONCURRENTLY")  # PostgreSQL's; ours never blocks anybody
    if_not_exists = cursor.take_words("IF", "NOT", "EXISTS")
    name, name_position = _named(cursor, "the name of the new index")
    cursor.expect_words("ON", expected=f"ON and a table after CREATE INDEX {name}")
    table = cursor.table_name()
    cursor.expect_words("USING", expected=f"USING HNSW and a column after ON {table}")
    method, method_position = _named(cursor, "HNSW after USING")
    cursor.expect_symbol("(", f"'(' and a column after USING {method.upper()}")
    column, column_position = _named(cursor, "a column")
    operators, operators_position = None, None
    if not cursor.at_symbol(")") and not cursor.at_symbol(","):
        operators, operators_position = _named(cursor, "')' after the column")
    if cursor.at_symbol(","):
        raise cursor.error("')': an index is of one column")
    cursor.expect_symbol(")", "')' after the column")
    word = "WITH" if cursor.word() == "WITH" else "OPTIONS"
    return CreateIndex(
        name,
        name_position,
        if_not_exists,
        table,
        method,
        method_position,
        column,
        column_position,
        operators,
        operators_position,
        cursor.options(word),
    )


def read_drop_index(cursor: Cursor) -> DropIndex:
    """Read `INDEX [IF EXISTS] name [, ...] [CASCADE|RESTRICT]`."""
    cursor.expect_words("INDEX")
    if_exists = cursor.take_words("IF", "EXISTS")
    names = [_named(cursor, "the name of an index")]
    while cursor.take_symbol(","):
        names.append(_named(cursor, "the name of an index after ','"))
    _ = cursor.take_words("CASCADE") or cursor.take_words("RESTRICT")
    return DropIndex(tuple(names), if_exists)


def shows_indexes(cursor: Cursor) -> bool:
    """Whether SHOW INDEXES stands here, and not SHOW of something else."""
    return cursor.word() == "SHOW" and cursor.word(1) in ("INDEX", "INDEXES")


def read_show_indexes(cursor: Cursor) -> ShowIndexes:
    """Read `SHOW INDEXES [FROM|IN|ON table]`."""
    cursor.advance()
    cursor.advance()
    if cursor.at_end():
        return ShowIndexes(None)
    if cursor.word() not in ("FROM", "IN", "ON"):
        raise cursor.error("FROM and a table after SHOW INDEXES")
    cursor.advance()
    return ShowIndexes(cursor.table_name())


def _named(cursor: Cursor, what: str) -> tuple[str, Position]:
    position = Position.of(cursor.text, cursor.here())
    return cursor.identifier(what), position
