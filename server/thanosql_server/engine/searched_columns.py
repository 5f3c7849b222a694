"""Which generated columns a statement searches, and how fresh they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.engine.planner import columns_read
from thanosql_server.sql.calls import COMPARISONS
from thanosql_server.storage.generated import generated_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datafusion import DataFrame

    from thanosql_server.engine.freshness import Counts
    from thanosql_server.engine.planning import Planning
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.schemas import Space


@dataclass(frozen=True)
class Searched:
    """A generated column that a statement searches."""

    space: Space
    table: str
    column: Generated


def searched(planning: Planning, frame: DataFrame) -> list[Searched]:
    """Return the generated columns that a statement compares.

    Where its tables have none, this costs next to nothing.
    """
    if not _compares(planning):
        return []
    tables = {one.name: one.table for one in planning.catalog.tables.handed_out}
    found = []
    schemas = planning.environment.workspace.schemas
    if any(generated_columns(table.schema) for table in tables.values()):
        for name, columns in columns_read(frame.optimized_logical_plan()):
            table = tables.get(name)
            space = name.partition(".")[0]
            if table is None or not schemas.exists(space):
                continue
            found += [
                Searched(schemas.open(space), table.name, one)
                for one in generated_columns(table.schema)
                if one.column in columns
            ]
    return list(dict.fromkeys(found))


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
    """Return how fresh a column is in the newest version of its table."""
    freshness = planning.environment.filler.freshness
    return freshness.counts(one.space.tables.open(one.table), one.column)
