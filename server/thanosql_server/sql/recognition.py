"""Telling a ThanoSQL clause from plain SQL that uses the same words.

A clause is recognised in a place where a query may stand, or anywhere if its words
cannot be plain SQL: `convert`, `search`, `print` and `list` remain good names of
columns, tables and functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Medium

MEDIA = frozenset({"IMAGE", "AUDIO", "VIDEO", "TEXT", "KEYWORD"})
"""What SEARCH may stand before."""
PRINTED: dict[str, Medium] = {"IMAGE": "IMAGE", "AUDIO": "AUDIO", "VIDEO": "VIDEO"}
"""What PRINT may stand before."""
QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "TABLE"})
"""First words of plain queries."""
SET_WORDS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS"})
"""What stands between two queries."""
SECTIONS = SET_WORDS | frozenset(
    {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER"}
    | {"LIMIT", "OFFSET", "FETCH"}
)
"""What begins a part of a query."""
BEFORE_ITEM = frozenset({"SELECT", "DISTINCT", "ALL"})
"""What stands before the first item of a select list."""
BEFORE_EXPRESSION = BEFORE_ITEM | frozenset(
    {"WHERE", "ON", "USING", "BY", "HAVING", "QUALIFY", "FROM", "LIMIT", "OFFSET"}
    | {"AND", "OR", "NOT", "BETWEEN", "IN", "IS", "LIKE", "ILIKE", "SIMILAR", "TO"}
    | {"ESCAPE", "CASE", "WHEN", "THEN", "ELSE", "ANY", "SOME"}
)
"""What an expression follows; a word behind any other word is an alias."""
_EXPLAIN_WORDS = frozenset({"EXPLAIN", "ANALYZE", "VERBOSE"})
# What follows a table's alias, as in `FROM (search image JOIN other ...)`.
_AFTER_ALIAS = frozenset(
    {"JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "ON"}
)


def is_clause(cursor: Cursor, *, surely: bool) -> bool:
    """Whether a clause begins here; `surely` if only a query can stand here."""
    verb = cursor.word()
    if verb not in CLAUSE_VERBS:
        return False
    return surely or _RECOGNISERS[verb](cursor)


def starts_query(cursor: Cursor) -> bool:
    """Whether a query begins here: plain SQL, a clause or a parenthesis."""
    word = cursor.word()
    return word in QUERY_WORDS or word in CLAUSE_VERBS or cursor.at_symbol("(")


def _where_queries_start(cursor: Cursor) -> bool:
    before, word = cursor.peek(-1), cursor.word(-1)
    if before is None or before.is_symbol("(") or before.is_symbol(")"):
        return True
    if word in ("ALL", "DISTINCT"):
        return cursor.word(-2) in SET_WORDS
    return word in SET_WORDS or word in _EXPLAIN_WORDS


def _is_alias(cursor: Cursor, ahead: int) -> bool:
    """Whether the word before `ahead` reads as the alias of a table or column."""
    ends = cursor.at_end(ahead) or cursor.at_symbol(")", ahead)
    return ends or cursor.at_symbol(",", ahead) or cursor.word(ahead) in _AFTER_ALIAS


def _is_using_clause(cursor: Cursor) -> bool:
    # `JOIN convert USING (id)` is a table and the columns to join on.
    return cursor.word(1) == "USING" and not cursor.at_symbol("(", 2)


def _is_search(cursor: Cursor) -> bool:
    if cursor.word(1) not in MEDIA:
        return False
    argument = cursor.word(2) != "" and cursor.at_symbol("=", 3)
    using = cursor.word(2) == "USING" and not cursor.at_symbol("(", 3)
    loose = _where_queries_start(cursor) and not _is_alias(cursor, 2)
    return argument or using or loose


def _is_print(cursor: Cursor) -> bool:
    if cursor.word(1) not in PRINTED:
        return False
    options = cursor.word(2) == "OPTIONS" and cursor.at_symbol("(", 3)
    query = cursor.word(2) == "AS" and cursor.word(3) in QUERY_WORDS | CLAUSE_VERBS
    loose = _where_queries_start(cursor) and not _is_alias(cursor, 2)
    return options or query or loose


def _is_list(cursor: Cursor) -> bool:
    if cursor.word(1) == "THANOSQL":
        return cursor.word(2) in ("MODEL", "DATASET") and _where_queries_start(cursor)
    if cursor.word(1) not in ("MODEL", "TABLE", "INDEX") or not _where_queries_start(
        cursor
    ):
        return False
    ends = cursor.at_end(2) or cursor.at_symbol(")", 2)
    return ends or cursor.word(2) in SET_WORDS


def _is_function(cursor: Cursor) -> bool:
    dotted = cursor.word(1) != "" and cursor.at_symbol(".", 2) and cursor.word(3) != ""
    follows = cursor.word(4) in ("OPTIONS", "AS", "FROM")
    return dotted and follows and _where_queries_start(cursor)


_RECOGNISERS: dict[str, Callable[[Cursor], bool]] = {
    "CONVERT": _is_using_clause,
    "SEARCH": _is_search,
    "PRINT": _is_print,
    "LIST": _is_list,
    "FUNCTION": _is_function,
    "PREDICT": _is_using_clause,
    "EVALUATE": _is_using_clause,
    "TRANSFORM": _is_using_clause,
    "GENERATE": _is_using_clause,
}
CLAUSE_VERBS = frozenset(_RECOGNISERS)
"""First words of clauses."""
