"""Which generated columns a statement searches, and how fresh they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.planner import columns_read
from thanosql_server.sql.calls import COMPARISONS
from thanosql_server.storage.generated import generated_columns
from thanosql_server.storage.schemas import schema_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datafusion import DataFrame

    from thanosql_server.engine.freshness import Counts
    from thanosql_server.engine.planning import Planning
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.tables import Table


@dataclass(frozen=True)
class Searched:
    """A generated column that a statement searches.

    Attributes:
        space: where the table is.
        table: the version of it that the statement was planned for.
        column: the column.
    """

    space: Space
    table: Table
    column: Generated


def searched(planning: Planning, frame: DataFrame) -> list[Searched]:
    """Return the generated columns that a statement compares.

    Where its tables have none, this costs next to nothing.
    """
    if not _compares(planning):
        return []
    tables = {one.name: one.table for one in planning.catalog.tables.handed_out}
    many = planning.clauses.searched_many
    found = [one for call in many for one in _of(planning, call.table, {call.column})]
    if any(generated_columns(table.schema) for table in tables.values()):
        for name, columns in columns_read(frame.optimized_logical_plan()):
            # The others are of a version, or are being changed.
            if name in tables and not name.startswith(f"{TARGET_SCHEMA}."):
                found += _of(planning, tables[name], columns)
    return list(dict.fromkeys(found))


def _of(planning: Planning, table: Table, columns: set[str]) -> Iterator[Searched]:
    """Yield those of a table's columns that are generated."""
    schemas = planning.environment.workspace.schemas
    for one in generated_columns(table.schema):
        if one.column in columns:
            schema = schema_at(Path(table.place).parent)
            yield Searched(schemas.open(schema), table, one)


def _compares(planning: Planning) -> bool:
    clauses = planning.clauses
    if clauses.queries or clauses.searched_many:
        return True
    return any(
        call.function in COMPARISONS
        for query in planning.statement.queries
        for call in query.calls
    )


def pending(planning: Planning, frame: DataFrame) -> Iterator[str]:
    """Yield what EXPLAIN says of rows that wait."""
    for one in searched(planning, frame):
        found = counts_of(planning, one)
        if found.todo:
            name = one.column.column
            yield f"{found.todo} rows wait for their embeddings in '{name}'"


def counts_of(planning: Planning, one: Searched) -> Counts:
    """Return how fresh a column is for a statement as it was planned."""
    return planning.environment.filler.freshness.counts(one.table, one.column)


def counts_now(planning: Planning, one: Searched) -> Counts:
    """Return how fresh a column is in the newest version of its table."""
    newest = one.space.tables.open(one.table.name)
    return planning.environment.filler.freshness.counts(newest, one.column)
