"""Which key the rows of an INSERT ... ON CONFLICT may run into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.targets import column_of
from thanosql_server.errors import UndefinedKey, UndefinedObject, nearest
from thanosql_server.storage.constraints import FOREIGN, constraints_of

if TYPE_CHECKING:
    from thanosql_server.sql.upserts import OnConflict
    from thanosql_server.storage.constraints import Constraint
    from thanosql_server.storage.tables import Table


def conflict_keys(table: Table, conflict: OnConflict) -> list[tuple[str, ...]]:
    """Return the columns of the key that is named, or of all keys if none is.

    Raises:
        UndefinedColumn: the table has no such column.
        UndefinedKey: the columns are no declared key.
        UndefinedObject: there is no key of this name.
    """
    declared = constraints_of(table.name, table.schema)
    keys = [one for one in declared if one.kind != FOREIGN]
    if conflict.constraint is not None:
        return [_named(table, keys, conflict).columns]
    if not conflict.columns:
        return [one.columns for one in keys]
    wanted = {column_of(table, *column).name for column in conflict.columns}
    for one in keys:
        if set(one.columns) == wanted:
            return [one.columns]
    names = ", ".join(name for name, _ in conflict.columns)
    raise UndefinedKey(
        f"({names}) is neither the primary key of table '{table.name}' nor a UNIQUE "
        f"constraint; {_listed(keys)}",
        position=conflict.position,
    )


def _named(table: Table, keys: list[Constraint], conflict: OnConflict) -> Constraint:
    for one in keys:
        if one.name == conflict.constraint:
            return one
    hint = nearest(str(conflict.constraint), [one.name for one in keys])
    raise UndefinedObject(
        f"table '{table.name}' has no key '{conflict.constraint}'"
        f"{hint or '; ' + _listed(keys)}",
        position=conflict.position,
    )


def _listed(keys: list[Constraint]) -> str:
    if not keys:
        return "none is declared, which CREATE TABLE does"
    return "there is " + ", ".join(f"({', '.join(one.columns)})" for one in keys)
