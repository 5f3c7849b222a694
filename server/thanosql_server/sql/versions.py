"""Versions: `t VERSION AS OF 3` in queries, SHOW VERSIONS, RESTORE, VACUUM, OPTIMIZE.

The words are those of Delta Lake and Spark SQL; `FOR` before them, as Trino and
Iceberg write it, is fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.config import MOST_HOURS
from thanosql_server.errors import Position
from thanosql_server.sql.nodes import Span, Statement, TableName
from thanosql_server.sql.options import Parameter
from thanosql_server.sql.recognition import BEFORE_EXPRESSION
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor

_AFTER_TABLE = BEFORE_EXPRESSION | frozenset(
    {"JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "GROUP", "ORDER"}
    | {"UNION", "EXCEPT", "INTERSECT", "MINUS", "WINDOW", "FETCH", "FOR", "SET"}
    | {"TABLESAMPLE", "LATERAL", "ASOF"}
)
"""Words behind a table that are no alias of it."""


@dataclass(frozen=True)
class AsOf:
    """Which version is meant: a number, or the newest one of a time.

    Attributes:
        number: the number of the version, None if a time is given.
        time: the time as text, None if a number is given.
        position: where it is written.
    """

    number: int | Parameter | None
    time: str | Parameter | None
    position: Position


@dataclass(frozen=True)
class TableVersion:
    """A table in a query with the version that is to be read.

    Attributes:
        table: the table.
        as_of: the version.
        span: the table's name and what follows it, up to an alias.
        has_alias: whether an alias follows; without, the table's name is kept.
    """

    table: TableName
    as_of: AsOf
    span: Span
    has_alias: bool


@dataclass(frozen=True)
class ShowVersions(Statement):
    """SHOW VERSIONS [OF|FROM|IN] table."""

    table: TableName


@dataclass(frozen=True)
class RestoreTable(Statement):
    """RESTORE [TABLE] table TO VERSION [AS OF] n | TO TIMESTAMP [AS OF] 'time'."""

    table: TableName
    as_of: AsOf


@dataclass(frozen=True)
class Vacuum(Statement):
    """VACUUM [table] [RETAIN n HOURS]; all tables without a name.

    Attributes:
        table: the table, or None.
        hours: how long replaced versions stay; None for the server's own time.
    """

    table: TableName | None
    hours: int | float | None


@dataclass(frozen=True)
class Optimize(Statement):
    """OPTIMIZE [TABLE] table."""

    table: TableName


def is_as_of(cursor: Cursor) -> bool:
    """Whether `[FOR] VERSION|TIMESTAMP AS OF <value>` stands here, behind a name.

    A column `version` may have the alias `of`; no value follows that.
    """
    before = cursor.peek(-1)
    if before is None or before.kind not in (Kind.WORD, Kind.QUOTED):
        return False
    ahead = 1 if cursor.word() == "FOR" else 0
    if cursor.word(ahead) not in ("VERSION", "TIMESTAMP"):
        return False
    if (cursor.word(ahead + 1), cursor.word(ahead + 2)) != ("AS", "OF"):
        return False
    value = cursor.peek(ahead + 3)
    kinds = (Kind.NUMBER, Kind.STRING, Kind.PARAMETER)
    return value is not None and value.kind in kinds


def read_table_version(cursor: Cursor) -> TableVersion:
    """Read the version of the table whose name stands before here."""
    first = cursor.index - 1
    while _is_dot(cursor, first - 1) and first >= 2:
        first -= 2
    start = cursor.tokens[first].start
    after, cursor.index = cursor.index, first
    table = cursor.table_name()
    if cursor.index != after:
        raise cursor.error("a table name before VERSION AS OF")
    cursor.take_words("FOR")
    as_of = _read_as_of(cursor)
    token = cursor.peek()
    named = token is not None and token.kind in (Kind.WORD, Kind.QUOTED)
    has_alias = named and (cursor.word() == "AS" or cursor.word() not in _AFTER_TABLE)
    return TableVersion(table, as_of, cursor.span_from(start), has_alias)


def read_show_versions(cursor: Cursor) -> ShowVersions:
    """Read `SHOW VERSIONS [OF|FROM|IN] table`."""
    cursor.expect_words("SHOW", "VERSIONS")
    _ = cursor.take_words("OF") or cursor.take_words("FROM") or cursor.take_words("IN")
    return ShowVersions(cursor.table_name())


def read_restore(cursor: Cursor) -> RestoreTable:
    """Read `RESTORE [TABLE] table TO VERSION|TIMESTAMP [AS OF] value`."""
    cursor.expect_words("RESTORE")
    cursor.take_words("TABLE")
    table = cursor.table_name()
    cursor.expect_words("TO", expected=f"TO VERSION n, or TO TIMESTAMP, after {table}")
    return RestoreTable(table, _read_as_of(cursor))


def read_optimize(cursor: Cursor) -> Optimize:
    """Read `OPTIMIZE [TABLE] table`."""
    cursor.expect_words("OPTIMIZE")
    cursor.take_words("TABLE")
    return Optimize(cursor.table_name())


def read_vacuum(cursor: Cursor) -> Vacuum:
    """Read `VACUUM [TABLE] [table] [RETAIN n HOURS]`."""
    cursor.expect_words("VACUUM")
    cursor.take_words("TABLE")
    table = None
    if not cursor.at_end() and cursor.word() != "RETAIN":
        table = cursor.table_name()
    if not cursor.take_words("RETAIN"):
        return Vacuum(table, None)
    token = cursor.peek()
    hours = cursor.value("a number of hours after RETAIN")
    number = isinstance(hours, (int, float)) and not isinstance(hours, bool)
    if not (number and isinstance(hours, (int, float)) and 0 <= hours <= MOST_HOURS):
        message = f"RETAIN takes a number of hours from 0 to {MOST_HOURS:,}"
        raise cursor.error_at(message, token)
    if not (cursor.take_words("HOURS") or cursor.take_words("HOUR")):
        raise cursor.error("HOURS after the number")
    return Vacuum(table, hours)


def _read_as_of(cursor: Cursor) -> AsOf:
    """Read `VERSION|TIMESTAMP [AS OF] value`."""
    if cursor.take_words("VERSION"):
        cursor.take_words("AS", "OF")
        position, token = Position.of(cursor.text, cursor.here()), cursor.peek()
        number = cursor.value("the number of a version")
        if isinstance(number, Parameter) or type(number) is int:
            return AsOf(number, None, position)
        message = "a version is a whole number; SHOW VERSIONS lists them"
        raise cursor.error_at(message, token)
    cursor.expect_words("TIMESTAMP", expected="VERSION or TIMESTAMP")
    cursor.take_words("AS", "OF")
    position, token = Position.of(cursor.text, cursor.here()), cursor.peek()
    time = cursor.value("a time in quotes")
    if isinstance(time, (str, Parameter)):
        return AsOf(None, time, position)
    raise cursor.error_at("a time is a text such as '2026-11-21 18:30:00'", token)


def _is_dot(cursor: Cursor, index: int) -> bool:
    return index >= 0 and cursor.tokens[index].is_symbol(".")
