"""DELETE, UPDATE and TRUNCATE: which table, which rows, and the new values.

Conditions and values are kept as written; the engine makes a query of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.errors import Position
from thanosql_server.sql.clauses import UnsupportedClause, read_expression
from thanosql_server.sql.nodes import Assignment, Delete, Span, Truncate, Update

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Query, TableName

# What may follow a condition in other databases, and is not served here. In an
# expression these words stand in parentheses only.
_FOREIGN = frozenset({"RETURNING", "ORDER", "LIMIT"})


def read_delete(cursor: Cursor) -> Delete:
    """Read `DELETE FROM table [AS alias] [USING others] [WHERE condition]`."""
    cursor.expect_words("DELETE")
    cursor.expect_words("FROM", expected="FROM and a table, or MODEL, after DELETE")
    table, alias = _target(cursor, ("USING", "WHERE"))
    others = _others(cursor, "USING")
    where = _where(cursor, f"DELETE FROM {table}")
    return Delete(table, alias, others, where)


def read_update(cursor: Cursor) -> Update:
    """Read `UPDATE table [AS alias] SET a = x, ... [FROM others] [WHERE ...]`."""
    cursor.expect_words("UPDATE")
    table, alias = _target(cursor, ("SET",))
    cursor.expect_words("SET", expected=f"SET after UPDATE {table}")
    assignments = [read_assignment(cursor, alias)]
    while cursor.take_symbol(","):
        assignments.append(read_assignment(cursor, alias))
    _refuse_twice(cursor, assignments)
    others = _others(cursor, "FROM")
    where = _where(cursor, "the new values")
    return Update(table, alias, tuple(assignments), others, where)


def read_truncate(cursor: Cursor) -> Truncate:
    """Read `TRUNCATE [TABLE] table [, ...]`."""
    cursor.expect_words("TRUNCATE")
    cursor.take_words("TABLE")
    tables = [cursor.table_name()]
    while cursor.take_symbol(","):
        tables.append(cursor.table_name())
    return Truncate(tuple(tables))


def read_assignment(cursor: Cursor, alias: str) -> Assignment:
    """Read `column = value`; the column may be qualified with the table's alias."""
    if cursor.at_symbol("("):
        raise cursor.error("a column, as in SET a = 1, b = 2")
    position = Position.of(cursor.text, cursor.here())
    column = cursor.identifier("a column")
    if column == alias and cursor.take_symbol("."):
        column = cursor.identifier(f"a column after '{alias}.'")
    cursor.expect_symbol("=", f"'=' after column '{column}'")
    if cursor.word() == "DEFAULT" and _ends_value(cursor, 1):
        cursor.advance()
        return Assignment(column, None, position)
    value = read_expression(cursor, f"a value for column '{column}'", _ends_value)
    return Assignment(column, value, position)


def _ends_value(cursor: Cursor, ahead: int = 0) -> bool:
    word = cursor.word(ahead)
    if word == "FROM":  # but `a IS DISTINCT FROM b` goes on
        return cursor.word(ahead - 1) != "DISTINCT"
    ends = cursor.at_end(ahead) or cursor.at_symbol(",", ahead)
    return ends or word == "WHERE" or word in _FOREIGN


def _target(cursor: Cursor, follows: tuple[str, ...]) -> tuple[TableName, str]:
    """Read the table and its alias, which by default is its name."""
    table = cursor.table_name()
    named = not cursor.at_end() and cursor.word() not in _FOREIGN.union(follows)
    if cursor.take_words("AS") or named:
        return table, cursor.identifier(f"{' or '.join(follows)} after {table}")
    return table, table.name


def _others(cursor: Cursor, word: str) -> Query | None:
    """Read the other tables of the statement, if there are any."""
    if not cursor.take_words(word):
        return None
    return read_expression(
        cursor, f"a table after {word}", lambda here: here.word() in _AFTER_TABLES
    )


def _where(cursor: Cursor, after: str) -> Query | None:
    _refuse_foreign(cursor)
    if cursor.at_end():
        return None
    cursor.expect_words(
        "WHERE", expected=f"WHERE or the end of the statement after {after}"
    )
    where = read_expression(
        cursor, "a condition after WHERE", lambda here: here.word() in _FOREIGN
    )
    _refuse_foreign(cursor)
    return where


def _refuse_foreign(cursor: Cursor) -> None:
    if cursor.word() in _FOREIGN:
        start, word = cursor.here(), cursor.word()
        verb = f"{cursor.tokens[0].word} ... {word}"
        while not cursor.at_end():
            cursor.advance()
        raise UnsupportedClause(verb, Span(start, cursor.end_of_last()))


def _refuse_twice(cursor: Cursor, assignments: list[Assignment]) -> None:
    names = [one.column for one in assignments]
    for name in names:
        if names.count(name) > 1:
            raise cursor.error_at(f"column '{name}' is set twice")


# The list of tables is spliced into a query as it is, so it must end before any of
# the words that could follow it there.
_AFTER_TABLES = _FOREIGN | {
    *("WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "OFFSET", "FETCH", "SELECT"),
    *("UNION", "EXCEPT", "INTERSECT", "MINUS", "SORT", "CLUSTER", "DISTRIBUTE", "FOR"),
}
