"""ON CONFLICT of an INSERT: the key that rows may run into, and what happens then.

As PostgreSQL's manual has it (INSERT, "ON CONFLICT Clause"), without conditions and
expressions in the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thanosql_server.errors import Position
from thanosql_server.sql.changes import read_assignment
from thanosql_server.sql.clauses import UnsupportedClause, read_expression
from thanosql_server.sql.nodes import Insert, Query, Span

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Assignment


@dataclass(frozen=True)
class OnConflict:
    """`ON CONFLICT [(columns)|ON CONSTRAINT name] DO NOTHING|UPDATE SET ... [WHERE]`.

    Attributes:
        position: where the key is written.
        columns: the columns of a key, with their places; empty if none are named.
        constraint: the name of a key.
        assignments: what an update sets; empty for DO NOTHING.
        where: which of the rows that are there are updated.
    """

    position: Position
    columns: tuple[tuple[str, Position], ...] = ()
    constraint: str | None = None
    assignments: tuple[Assignment, ...] = ()
    where: Query | None = None


@dataclass(frozen=True, kw_only=True)
class Upsert(Insert):
    """`INSERT INTO table [AS alias] ... ON CONFLICT ...`."""

    alias: str
    conflict: OnConflict

    @property
    def queries(self) -> tuple[Query, ...]:
        """The query of the rows, the new values and the condition."""
        values = (one.value for one in self.conflict.assignments)
        found = (*super().queries, *values, self.conflict.where)
        return tuple(one for one in found if one is not None)


def at_conflict(cursor: Cursor) -> bool:
    """Whether ON CONFLICT begins here, and not `JOIN b ON conflict = 1`."""
    if cursor.word() != "ON" or cursor.word(1) != "CONFLICT":
        return False
    return cursor.word(2) in ("DO", "ON") or cursor.at_symbol("(", 2)


def read_conflict(cursor: Cursor, alias: str) -> OnConflict:
    """Read ON CONFLICT and what follows, up to the end of the statement."""
    cursor.expect_words("ON", "CONFLICT")
    position = Position.of(cursor.text, cursor.here())
    constraint = None
    columns: tuple[tuple[str, Position], ...] = ()
    if cursor.take_words("ON", "CONSTRAINT"):
        position = Position.of(cursor.text, cursor.here())
        constraint = cursor.identifier("the name of a constraint")
    elif cursor.take_symbol("("):
        columns = _columns(cursor)
    if cursor.word() == "WHERE":
        raise UnsupportedClause("ON CONFLICT (...) WHERE", _rest(cursor))
    cursor.expect_words("DO", expected="DO NOTHING or DO UPDATE SET after ON CONFLICT")
    target = OnConflict(position, columns, constraint)
    if not cursor.take_words("NOTHING"):
        target = _update(cursor, alias, target)
    if cursor.word() == "RETURNING":
        raise UnsupportedClause("INSERT ... RETURNING", _rest(cursor))
    return target


def _update(cursor: Cursor, alias: str, target: OnConflict) -> OnConflict:
    """Read `UPDATE SET a = x, ... [WHERE condition]`."""
    cursor.expect_words("UPDATE", expected="NOTHING or UPDATE after DO")
    if not target.columns and target.constraint is None:
        raise cursor.error_at(
            "ON CONFLICT DO UPDATE needs the columns of a key, as in "
            "ON CONFLICT (id) DO UPDATE",
            cursor.peek(-2),
        )
    cursor.expect_words("SET", expected="SET after DO UPDATE")
    assignments = [read_assignment(cursor, alias)]
    while cursor.take_symbol(","):
        assignments.append(read_assignment(cursor, alias))
    where = None
    if cursor.take_words("WHERE"):
        where = read_expression(
            cursor, "a condition after WHERE", lambda here: here.word() == "RETURNING"
        )
    return replace(target, assignments=tuple(assignments), where=where)


def _columns(cursor: Cursor) -> tuple[tuple[str, Position], ...]:
    """Read `a, b)`."""
    columns = [_column(cursor)]
    while cursor.take_symbol(","):
        columns.append(_column(cursor))
    cursor.expect_symbol(")", "',' or ')' after a column of the key")
    return tuple(columns)


def _column(cursor: Cursor) -> tuple[str, Position]:
    position = Position.of(cursor.text, cursor.here())
    return cursor.identifier("a column of a key"), position


def _rest(cursor: Cursor) -> Span:
    """Skip to the end of the statement."""
    start = cursor.here()
    while not cursor.at_end():
        cursor.advance()
    return Span(start, cursor.end_of_last())
