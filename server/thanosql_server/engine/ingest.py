"""Ingestion: rows that a client sends become a table, or more rows of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.actions import action
from thanosql_server.engine.loading import APPEND, REPLACE, load, reported
from thanosql_server.engine.places import place_at
from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.errors import InvalidStatement, UndefinedTable, nearest
from thanosql_server.sql.names import quote
from thanosql_server.sql.nodes import Statement
from thanosql_server.storage.facts import without_facts

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.engine.places import Place
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning

_OF_A_RESULT = b"ARROW:FLIGHT:SQL:"
"""Metadata of columns begins so that tells where a result came from."""


@dataclass(frozen=True)
class Ingest(Statement):
    """A table to be loaded, which clients name without SQL.

    Attributes:
        table: the table's name as it is, without quotes.
        schema: where it is, None for where tables are.
        catalog: as `schema`.
        if_exists: FAIL, APPEND or REPLACE; see `loading`.
        create: whether to make a table that is not there.
    """

    table: str
    schema: str | None
    catalog: str | None
    if_exists: str
    create: bool

    def __str__(self) -> str:
        parts = (self.catalog, self.schema, self.table)
        return ".".join(quote(part) for part in parts if part is not None)


def ingest(planning: Planning, node: Ingest, rows: pa.RecordBatchReader) -> Plan:
    """Load the rows in one commit, or nothing of them.

    Args:
        planning: of the node.
        node: the table, and what to do if it is there or not.
        rows: read once, batch by batch, while the plan runs; whatever they raise ends
            the plan and leaves the table as it was.
    """
    catalog = CATALOG if node.catalog is None else node.catalog
    schema = SCHEMA if node.schema is None else node.schema
    place = place_at(planning.environment.workspace, (catalog, schema, node.table))

    def work(control: Control) -> int:
        _check_presence(place, node)
        source = reported(_plain(rows), control, "ingesting")
        return load(planning, place, source, node.if_exists, control)

    return action(work)


def _check_presence(place: Place, node: Ingest) -> None:
    name = place.name
    if node.if_exists in (APPEND, REPLACE) and place.views.exists(name):
        raise InvalidStatement(
            f"'{name}' is a view and cannot be changed; change the tables it reads"
        )
    if not node.create and not place.tables.exists(name):
        raise UndefinedTable(
            f"there is no table '{name}'{nearest(name, place.tables.names())}"
        )


def _plain(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows without what their metadata says of another table.

    A table's defaults are expressions that were checked when it was defined; a client
    must not bring others, and what another server tells of a result is not true here.
    """
    fields = without_facts(rows.schema)
    schema = pa.schema([_unlabelled(field) for field in fields])
    batches = (
        pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in rows
    )
    return pa.RecordBatchReader.from_batches(schema, batches)


def _unlabelled(field: pa.Field) -> pa.Field:
    metadata = field.metadata or {}
    kept = {k: v for k, v in metadata.items() if not k.startswith(_OF_A_RESULT)}
    return field.with_metadata(kept or None)
