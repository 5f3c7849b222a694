"""Which column an index is of, in a version of its table, and which may have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.search.vectors import dim_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.index_records import Index
    from thanosql_server.storage.table import Table


def is_of(index: Index, table: Table, column: str) -> bool:
    """Return whether an index is of a column, whatever it is called."""
    return indexed_column(index, table) == column


def indexed_column(index: Index, table: Table) -> str | None:
    """Return what the column of an index is called in a version; None if it is gone.

    A renamed column is known by its number, as long as it has the values that the index
    was made of; a table that was replaced counts its columns anew, and the index
    follows the name.
    """
    definition, schema = index.definition, table.schema
    numbers = table.field_numbers()
    if numbers.get(definition.column) != definition.field and index.generation:
        renamed = [name for name, one in numbers.items() if one == definition.field]
        runs = {run.fragment.number: run.fragment for run in index.generation.runs}
        for name in renamed:
            if name in schema.names and _shares(runs, table.fragments(name)):
                return name if _fits(table, name) else None
    return definition.column if _fits(table, definition.column) else None


def _shares(runs: dict[int, Fragment], fragments: Sequence[Fragment] | None) -> bool:
    return any(
        one.number in runs and runs[one.number].same_values(one)
        for one in fragments or ()
    )


def _fits(table: Table, column: str) -> bool:
    """Return whether a table has such a column, and an index can be made of it."""
    return column in table.schema.names and obstacle(table, column) is None


def obstacle(table: Table, column: str) -> str | None:
    """Return why no index can be made of a column, or None."""
    dtype = table.schema.field(column).type
    if dim_of(dtype) is None:
        return f"holds {dtype}, not vectors of a fixed length, as VECTOR(n) has them"
    if dtype.value_type.bit_width > 32:
        return f"holds {dtype}; an index takes float32 numbers"
    if table.fragments(column) is None:
        return "is stored in a way that an index cannot follow"
    return None
