"""The commands that list primary and foreign keys, which are declared and not enforced.

The columns and the order of the rows are those of the specification.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from thanosql_server.storage.constraints import FOREIGN, PRIMARY, constraints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_proto.flight_sql import (
        CommandGetCrossReference,
        CommandGetExportedKeys,
        CommandGetImportedKeys,
        CommandGetPrimaryKeys,
    )
    from thanosql_server.flight.protocol import Engine, TableInfo
    from thanosql_server.storage.constraints import Constraint, Reference

RULES = ("CASCADE", "RESTRICT", "SET NULL", "NO ACTION", "SET DEFAULT")
"""What may become of rows that refer to one that goes, by its number."""


def _names(prefix: str = "") -> list[pa.Field]:
    """Return the columns that tell a column of a table."""
    return [
        pa.field(f"{prefix}catalog_name", pa.string()),
        pa.field(f"{prefix}db_schema_name", pa.string()),
        pa.field(f"{prefix}table_name", pa.string(), nullable=False),
        pa.field(f"{prefix}column_name", pa.string(), nullable=False),
    ]


PRIMARY_KEYS = pa.schema(
    [
        *_names(),
        pa.field("key_name", pa.string()),
        pa.field("key_sequence", pa.int32(), nullable=False),
    ]
)
FOREIGN_KEYS = pa.schema(
    [
        *_names("pk_"),
        *_names("fk_"),
        pa.field("key_sequence", pa.int32(), nullable=False),
        pa.field("fk_key_name", pa.string()),
        pa.field("pk_key_name", pa.string()),
        pa.field("update_rule", pa.uint8(), nullable=False),
        pa.field("delete_rule", pa.uint8(), nullable=False),
    ]
)


class _Wanted(NamedTuple):
    """A table as a command names it; None leaves a part open."""

    catalog: str | None
    schema: str | None
    table: str

    @classmethod
    def by(cls, command: Any, prefix: str = "") -> _Wanted:
        """Return the table that the fields of a command name."""

        def given(name: str) -> str | None:
            return getattr(command, name) if command.HasField(name) else None

        catalog, schema = given(f"{prefix}catalog"), given(f"{prefix}db_schema")
        return cls(catalog, schema, getattr(command, f"{prefix}table"))

    def is_at(self, catalog: str, schema: str, table: str) -> bool:
        """Whether this is the table."""
        return (
            self.catalog in (None, catalog)
            and self.schema in (None, schema)
            and self.table == table
        )


class _ForeignKey(NamedTuple):
    """A foreign key, the table that has it, and the name of the key it refers to."""

    table: TableInfo
    key: Constraint
    to: Reference
    to_name: str | None

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield one row per column, as `FOREIGN_KEYS`."""
        own, to = self.table, self.to
        rules = RULES.index(to.on_update), RULES.index(to.on_delete)
        pairs = zip(to.columns, self.key.columns, strict=True)
        for place, (theirs, ours) in enumerate(pairs, start=1):
            # A key cannot refer to another catalog.
            yield (
                *(own.catalog, to.schema, to.table, theirs),
                *(own.catalog, own.schema, own.name, ours),
                *(place, self.key.name, self.to_name, *rules),
            )


def primary_key_rows(
    engine: Engine, command: CommandGetPrimaryKeys
) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of a table's primary key."""
    for table, one in _constraints(engine, _Wanted.by(command)):
        if one.kind == PRIMARY:
            for place, column in enumerate(one.columns, start=1):
                at = (table.catalog, table.schema, table.name)
                yield (*at, column, one.name, place)


def imported_key_rows(
    engine: Engine, command: CommandGetImportedKeys
) -> Iterator[tuple[Any, ...]]:
    """Yield the foreign keys of a table, by what they refer to."""
    return _rows(_foreign_keys(engine, of=_Wanted.by(command)), _by_referenced)


def exported_key_rows(
    engine: Engine, command: CommandGetExportedKeys
) -> Iterator[tuple[Any, ...]]:
    """Yield the foreign keys that refer to a table, by the tables that have them."""
    return _rows(_foreign_keys(engine, to=_Wanted.by(command)), _by_own)


def cross_reference_rows(
    engine: Engine, command: CommandGetCrossReference
) -> Iterator[tuple[Any, ...]]:
    """Yield the foreign keys of one table that refer to another."""
    of, to = _Wanted.by(command, "fk_"), _Wanted.by(command, "pk_")
    return _rows(_foreign_keys(engine, of=of, to=to), _by_referenced)


def _constraints(
    engine: Engine, wanted: _Wanted | None
) -> Iterator[tuple[TableInfo, Constraint]]:
    """Yield what is declared of a table, or of all of them."""
    is_wanted = wanted.is_at if wanted else None
    for table in engine.tables(columns=True, wanted=is_wanted):
        for one in constraints_of(table.name, table.columns or pa.schema([])):
            yield table, one


def _foreign_keys(
    engine: Engine, of: _Wanted | None = None, to: _Wanted | None = None
) -> Iterator[_ForeignKey]:
    """Yield the foreign keys of a table, those that refer to one, or both."""
    for table, one in _constraints(engine, of):
        refers = one.reference
        if one.kind != FOREIGN or refers is None:
            continue
        if to is None or to.is_at(table.catalog, refers.schema, refers.table):
            name = _name_of_key(engine, table.catalog, refers)
            yield _ForeignKey(table, one, refers, name)


def _name_of_key(engine: Engine, catalog: str, to: Reference) -> str | None:
    """Return the name of the key of these columns, None if none is declared."""
    table = _Wanted(catalog, to.schema, to.table)
    for _, one in _constraints(engine, table):
        if one.kind != FOREIGN and one.columns == to.columns:
            return one.name
    return None


def _by_own(one: _ForeignKey) -> tuple[str, ...]:
    return one.table.catalog, one.table.schema, one.table.name, one.key.name


def _by_referenced(one: _ForeignKey) -> tuple[str, ...]:
    to = (one.table.catalog, one.to.schema, one.to.table, one.to_name or "")
    return (*to, *_by_own(one))


def _rows(
    keys: Iterator[_ForeignKey], order: Callable[[_ForeignKey], tuple[str, ...]]
) -> Iterator[tuple[Any, ...]]:
    return chain.from_iterable(one.rows() for one in sorted(keys, key=order))
