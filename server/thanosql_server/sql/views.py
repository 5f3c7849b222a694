"""CREATE VIEW and DROP VIEW."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.sql.clauses import read_body
from thanosql_server.sql.nodes import CreateView, DropView

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor


def read_create_view(cursor: Cursor, or_replace: bool) -> CreateView:
    """Read `VIEW [IF NOT EXISTS] view [(column, ...)] AS query`."""
    cursor.expect_words("VIEW")
    if_not_exists = cursor.take_words("IF", "NOT", "EXISTS")
    view = cursor.table_name()
    columns = None
    if cursor.take_symbol("("):
        columns = [cursor.identifier("a column")]
        while cursor.take_symbol(","):
            columns.append(cursor.identifier("a column after ','"))
        cursor.expect_symbol(")", "',' or ')' in the list of columns")
    query = read_body(cursor, f"CREATE VIEW {view}")
    names = None if columns is None else tuple(columns)
    return CreateView(view, or_replace, if_not_exists, names, query)


def read_drop_view(cursor: Cursor) -> DropView:
    """Read `VIEW [IF EXISTS] view [, ...] [CASCADE|RESTRICT]`."""
    cursor.expect_words("VIEW")
    if_exists = cursor.take_words("IF", "EXISTS")
    views = [cursor.table_name()]
    while cursor.take_symbol(","):
        views.append(cursor.table_name())
    cascade = cursor.take_words("CASCADE")
    if not cascade:
        cursor.take_words("RESTRICT")
    return DropView(tuple(views), if_exists, cascade)
