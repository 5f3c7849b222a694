"""UNIQUE, FOREIGN KEY and REFERENCES: what is declared of columns, not enforced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.clauses import UnsupportedClause
from thanosql_server.sql.nodes import Span

if TYPE_CHECKING:
    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import TableName

Named: TypeAlias = "tuple[tuple[str, Position], ...]"
"""Columns, each with its place in the text."""

Kind: TypeAlias = Literal["PRIMARY KEY", "UNIQUE", "FOREIGN KEY"]

UNSERVED = frozenset(
    {"CHECK", "GENERATED", "COLLATE", "AUTOINCREMENT", "AUTO_INCREMENT", "EXCLUDE"}
)
STARTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"})
"""Words that begin a constraint in the list of columns."""

_RULES = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class References:
    """`REFERENCES table [(columns)] [ON DELETE rule] [ON UPDATE rule]`."""

    table: TableName
    columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table; those of one column are kept the same way."""

    kind: Kind
    name: str | None
    columns: Named
    references: References | None = None


def read_constraint(cursor: Cursor) -> Constraint:
    """Read `[CONSTRAINT name] PRIMARY KEY|UNIQUE|FOREIGN KEY (columns) ...`."""
    name = read_constraint_name(cursor)
    refuse_unserved(cursor)
    if cursor.take_words("UNIQUE"):
        _take_nulls(cursor)
        return Constraint("UNIQUE", name, read_names(cursor, "the constraint"))
    if cursor.take_words("FOREIGN", "KEY"):
        columns = read_names(cursor, "the foreign key")
        cursor.expect_words("REFERENCES", expected="REFERENCES and a table")
        references = read_references(cursor)
        if references.columns and len(references.columns) != len(columns):
            raise SyntaxError_(
                f"{len(columns)} columns cannot refer to {len(references.columns)}",
                position=columns[0][1],
            )
        return Constraint("FOREIGN KEY", name, columns, references)
    cursor.expect_words("PRIMARY", "KEY", expected="PRIMARY KEY, UNIQUE or FOREIGN KEY")
    return Constraint("PRIMARY KEY", name, read_names(cursor, "the key"))


def read_constraint_name(cursor: Cursor) -> str | None:
    """Read `CONSTRAINT name` if it stands here."""
    if not cursor.take_words("CONSTRAINT"):
        return None
    return cursor.identifier("the name of the constraint")


def read_references(cursor: Cursor) -> References:
    """Read what follows REFERENCES."""
    table = cursor.table_name()
    columns: tuple[str, ...] = ()
    if cursor.at_symbol("("):
        columns = tuple(name for name, _ in read_names(cursor, f"table {table}"))
    rules: dict[str, str] = {}
    while cursor.word() in ("ON", "MATCH", "DEFERRABLE", "INITIALLY") or (
        cursor.word() == "NOT" and cursor.word(1) == "DEFERRABLE"
    ):
        _read_rule(cursor, rules)
    return References(table, columns, **rules)


def read_names(cursor: Cursor, of: str) -> Named:
    """Read `(column, ...)`."""
    cursor.expect_symbol("(", f"'(' and the columns of {of}")
    names = [_name(cursor, of)]
    while cursor.take_symbol(","):
        names.append(_name(cursor, of))
    cursor.expect_symbol(")", f"',' or ')' in the columns of {of}")
    refuse_twice(names)
    return tuple(names)


def refuse_twice(names: list[tuple[str, Position]]) -> None:
    """Raise SyntaxError_ if a column is named twice."""
    seen = set[str]()
    for name, position in names:
        if name in seen:
            raise SyntaxError_(f"column '{name}' is named twice", position=position)
        seen.add(name)


def refuse_unserved(cursor: Cursor) -> None:
    """Raise UnsupportedClause if a constraint stands here that is not served."""
    if cursor.word() in UNSERVED:
        start, word = cursor.here(), cursor.word()
        while not cursor.at_end():
            cursor.advance()
        raise UnsupportedClause(word, Span(start, cursor.end_of_last()))


def _read_rule(cursor: Cursor, rules: dict[str, str]) -> None:
    if cursor.take_words("MATCH"):
        cursor.identifier("SIMPLE or FULL after MATCH")
    elif cursor.take_words("ON"):
        event = "on_delete" if cursor.word() == "DELETE" else "on_update"
        if cursor.word() not in ("DELETE", "UPDATE") or event in rules:
            raise cursor.error("DELETE or UPDATE after ON, each once")
        cursor.advance()
        rules[event] = _rule(cursor)
    else:
        cursor.take_words("NOT")
        word = cursor.advance().word
        if word == "INITIALLY" and not (
            cursor.take_words("DEFERRED") or cursor.take_words("IMMEDIATE")
        ):
            raise cursor.error("DEFERRED or IMMEDIATE after INITIALLY")


def _rule(cursor: Cursor) -> str:
    for rule in _RULES:
        if cursor.take_words(*rule.split()):
            return rule
    raise cursor.error(f"{', '.join(_RULES[:-1])} or {_RULES[-1]}")


def _take_nulls(cursor: Cursor) -> None:
    cursor.take_words("NULLS", "DISTINCT")


def _name(cursor: Cursor, of: str) -> tuple[str, Position]:
    position = Position.of(cursor.text, cursor.here())
    return cursor.identifier(f"a column of {of}"), position
