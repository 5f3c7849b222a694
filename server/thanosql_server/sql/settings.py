"""SET, RESET and SHOW of settings; SHOW STATEMENTS and CANCEL STATEMENT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import Position
from thanosql_server.sql.nodes import Statement
from thanosql_server.sql.tokens import Kind

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.options import Value

_NOT_SETTINGS = frozenset(
    {"TABLES", "COLUMNS", "FUNCTIONS", "SCHEMAS", "DATABASES", "VIEWS", "CREATE"}
    | {"INDEXES", "INDEX", "VERSIONS", "MODELS"}
)
"""What may stand behind SHOW and is the name of no setting."""


@dataclass(frozen=True)
class SetSetting(Statement):
    """`SET name = value`; a value of None stands for DEFAULT."""

    name: str
    value: Value
    position: Position


@dataclass(frozen=True)
class ResetSetting(Statement):
    """`RESET name` or, without a name, `RESET ALL`."""

    name: str | None
    position: Position


@dataclass(frozen=True)
class ShowSetting(Statement):
    """`SHOW name` or, without a name, `SHOW ALL`."""

    name: str | None
    position: Position


@dataclass(frozen=True)
class ShowStatements(Statement):
    """`SHOW STATEMENTS`."""


@dataclass(frozen=True)
class CancelStatement(Statement):
    """`CANCEL STATEMENT 'id'`."""

    id: Value
    position: Position


def read_set(cursor: Cursor) -> SetSetting:
    """Read `SET [SESSION] name = | TO value | DEFAULT`."""
    cursor.expect_words("SET")
    if not (cursor.at_symbol("=", 1) or cursor.word(1) == "TO"):
        cursor.take_words("SESSION")
    position = Position.of(cursor.text, cursor.here())
    name = _name(cursor, "the name of a setting after SET")
    if not cursor.take_words("TO"):
        cursor.expect_symbol("=", f"'=' or TO and a value after SET {name}")
    if cursor.take_words("DEFAULT"):
        return SetSetting(name, None, position)
    expected = f"a value for {name}, or DEFAULT"
    if cursor.word() in ("NULL", "NONE") or cursor.at_symbol("["):
        raise cursor.error(expected)
    return SetSetting(name, cursor.value(expected), position)


def read_reset(cursor: Cursor) -> ResetSetting:
    """Read `RESET name | ALL`."""
    cursor.expect_words("RESET")
    return ResetSetting(*_name_or_all(cursor, "RESET"))


def read_show(cursor: Cursor) -> Statement | None:
    """Read `SHOW name | ALL | STATEMENTS`; None if it is another SHOW."""
    start = cursor.index
    cursor.expect_words("SHOW")
    if cursor.take_words("STATEMENTS"):
        return ShowStatements()
    if cursor.word() not in _NOT_SETTINGS and cursor.kind() in (
        Kind.WORD,
        Kind.QUOTED,
    ):
        shown = ShowSetting(*_name_or_all(cursor, "SHOW"))
        if cursor.at_end():
            return shown
    cursor.index = start
    return None


def read_cancel(cursor: Cursor) -> CancelStatement:
    """Read `CANCEL STATEMENT 'id'`."""
    cursor.expect_words("CANCEL")
    cursor.expect_words("STATEMENT", expected="STATEMENT after CANCEL")
    return CancelStatement(*cursor.path("the id of a statement in quotes"))


def _name_or_all(cursor: Cursor, verb: str) -> tuple[str | None, Position]:
    position = Position.of(cursor.text, cursor.here())
    if cursor.take_words("ALL"):
        return None, position
    return _name(cursor, f"the name of a setting, or ALL, after {verb}"), position


def _name(cursor: Cursor, expected: str) -> str:
    name = cursor.identifier(expected)
    while cursor.take_symbol("."):
        name += "." + cursor.identifier("the rest of the name after '.'")
    return name.lower()
