"""Constraints of CREATE TABLE as storage keeps them: with names, declared only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.places import schema_of
from thanosql_server.engine.session import SCHEMA
from thanosql_server.errors import (
    DuplicateObject,
    InvalidStatement,
    UndefinedColumn,
    nearest,
)
from thanosql_server.sql.nodes import TableName
from thanosql_server.storage.constraints import PRIMARY, UNIQUE, Constraint, Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.sql.constraints import Constraint as Written
    from thanosql_server.sql.constraints import References


def declared(
    table: str, columns: Sequence[str], written: Sequence[Written]
) -> list[Constraint]:
    """Return the constraints of a table, those without a name with one.

    Args:
        table: its name.
        columns: its columns.
        written: the constraints as the statement has them.

    Raises:
        UndefinedColumn: a constraint names a column that the table lacks.
        DuplicateObject: two constraints have the same name.
        InvalidStatement: a foreign key has not as many columns as it refers to.
    """
    found: dict[str, Constraint] = {}
    for one in written:
        position = one.columns[0][1]
        named = tuple(name for name, _ in one.columns)
        _require_columns(one, columns)
        name = one.name or _free_name(table, one.kind, named, found)
        if name in found:
            raise DuplicateObject(
                f"there are two constraints '{name}'", position=position
            )
        reference = None
        if one.references is not None:
            key = _key(written) if _is_table(one.references.table, table) else ()
            reference = _reference(one.references, key)
            if len(reference.columns) != len(named):
                raise InvalidStatement(
                    f"name the columns of '{one.references.table}' that the foreign "
                    "key refers to",
                    position=one.references.table.position,
                )
        found[name] = Constraint(one.kind, name, named, reference)
    return list(found.values())


def _require_columns(one: Written, columns: Sequence[str]) -> None:
    what = "the key" if one.kind == PRIMARY else "the constraint"
    for name, position in one.columns:
        if name not in columns:
            raise UndefinedColumn(
                f"there is no column '{name}' for {what}{nearest(name, columns)}",
                position=position,
            )


def _free_name(
    table: str, kind: str, columns: tuple[str, ...], found: dict[str, Constraint]
) -> str:
    """Return a name as PostgreSQL makes it: t_pkey, t_a_key, t_a_b_fkey."""
    if kind == PRIMARY:
        return f"{table}_pkey"
    suffix = "key" if kind == UNIQUE else "fkey"
    base = "_".join((table, *columns, suffix))
    number = 0
    while (name := f"{base}{number or ''}") in found:
        number += 1
    return name


def _reference(written: References, key: tuple[str, ...]) -> Reference:
    *qualifiers, name = written.table.parts
    schema = TableName(tuple(qualifiers or [SCHEMA]), written.table.position)
    return Reference(
        schema_of(schema),
        name,
        written.columns or key,
        written.on_update,
        written.on_delete,
    )


def _is_table(name: TableName, table: str) -> bool:
    return name.name == table


def _key(written: Sequence[Written]) -> tuple[str, ...]:
    """Return the primary key, to which a table's references to itself go."""
    keys = [one.columns for one in written if one.kind == PRIMARY]
    return tuple(name for name, _ in keys[0]) if keys else ()
