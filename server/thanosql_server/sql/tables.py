"""CREATE TABLE with columns, COMMENT ON, and schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.sql.definitions import read_columns, read_comment
from thanosql_server.sql.nodes import (
    Comment,
    CreateSchema,
    CreateTable,
    DropSchema,
    TableName,
)

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor


def read_create_table(
    cursor: Cursor, table: TableName, or_replace: bool, if_not_exists: bool
) -> CreateTable:
    """Read the columns of a CREATE TABLE, and a comment on the table."""
    columns, constraints = read_columns(cursor)
    comment = None
    if cursor.take_words("COMMENT"):
        cursor.take_symbol("=")
        comment = read_comment(cursor)
    return CreateTable(table, or_replace, if_not_exists, columns, constraints, comment)


def read_comment_on(cursor: Cursor) -> Comment:
    """Read `COMMENT ON TABLE t|COLUMN t.c IS 'text'|NULL`."""
    cursor.expect_words("COMMENT")
    expected = "ON TABLE or ON COLUMN after COMMENT"
    cursor.expect_words("ON", expected=expected)
    column = None
    if cursor.take_words("COLUMN"):
        whole = cursor.table_name()
        if len(whole.parts) < 2:
            raise cursor.error(f"'.' and a column of table '{whole}'")
        table, column = TableName(whole.parts[:-1], whole.position), whole.name
    else:
        cursor.expect_words("TABLE", expected=expected)
        table = cursor.table_name()
    cursor.expect_words("IS", expected="IS and a text in quotes, or NULL")
    comment = None if cursor.take_words("NULL") else read_comment(cursor)
    return Comment(table, column, comment)


def read_create_schema(cursor: Cursor) -> CreateSchema:
    """Read `SCHEMA [IF NOT EXISTS] name`."""
    cursor.expect_words("SCHEMA")
    if_not_exists = cursor.take_words("IF", "NOT", "EXISTS")
    return CreateSchema(cursor.table_name("a schema"), if_not_exists)


def read_drop_schema(cursor: Cursor) -> DropSchema:
    """Read `SCHEMA [IF EXISTS] name [CASCADE|RESTRICT]`."""
    cursor.expect_words("SCHEMA")
    if_exists = cursor.take_words("IF", "EXISTS")
    name = cursor.table_name("a schema")
    cascade = cursor.take_words("CASCADE")
    if not cascade:
        cursor.take_words("RESTRICT")
    return DropSchema(name, if_exists, cascade)
