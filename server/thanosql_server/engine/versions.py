"""Versions of tables: SHOW VERSIONS, RESTORE TABLE, VACUUM and OPTIMIZE."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.actions import action
from thanosql_server.engine.as_of import NOT_A_TABLE, wanted_version
from thanosql_server.engine.places import Place, place_of
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.targets import at, refuse_view
from thanosql_server.engine.version_listing import VERSION_SCHEMA, rows_of
from thanosql_server.errors import UndefinedTable
from thanosql_server.storage.compaction import compact
from thanosql_server.storage.history import History
from thanosql_server.storage.merging import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import TableName
    from thanosql_server.sql.versions import (
        Optimize,
        RestoreTable,
        ShowVersions,
        Vacuum,
    )

FEWEST_MERGED = 2
"""Small fragments that OPTIMIZE merges, which is asked for and need not save work."""


def show_versions(planning: Planning, node: ShowVersions) -> Plan:
    """SHOW VERSIONS t: one row per version that is there, the newest first."""
    place = _table(planning, node.table)

    def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
        history = History(place.tables)
        versions = at(node.table.position, lambda: history.versions(place.name))
        yield from rows_of(*place.key, versions[::-1]).to_batches()

    return Plan(VERSION_SCHEMA, execute)


def restore_table(planning: Planning, node: RestoreTable) -> Plan:
    """RESTORE TABLE t TO VERSION n: the old version becomes the newest, too."""
    place = _table(planning, node.table)
    version = wanted_version(planning, node.as_of)
    if version is not None:
        at(node.as_of.position, lambda: place.tables.open(place.name, version))

    def work(control: Control) -> int:
        control.check()
        if version is not None:
            history = History(place.tables)
            at(node.as_of.position, lambda: history.restore(place.name, version))
        return -1

    kind = pa.string() if node.as_of.number is None else pa.int64()
    return action(work, _parameters(node.parameter_count, kind))


def vacuum(planning: Planning, node: Vacuum) -> Plan:
    """VACUUM [t]: remove versions replaced long ago, and what no version needs."""
    kept = None if node.hours is None else timedelta(hours=node.hours)
    places = _all(planning) if node.table is None else [_table(planning, node.table)]

    def work(control: Control) -> int:
        versions = size = 0
        for done, place in enumerate(places):
            control.report("cleaning up", done, len(places), place.name)
            try:
                removed = History(place.tables).vacuum(place.name, kept)
            except UndefinedTable:
                if node.table is not None:
                    raise
                continue  # it was dropped meanwhile, and everything of it is gone
            versions += removed.versions
            size += removed.bytes
        plural = "" if versions == 1 else "s"
        control.note(f"{versions:,} old version{plural} and {size:,} bytes removed")
        return -1

    return action(work)


def optimize(planning: Planning, node: Optimize) -> Plan:
    """OPTIMIZE TABLE t: merge its small fragments now, as the server does in time."""
    place = _table(planning, node.table)

    def work(control: Control) -> int:
        folder = at(node.table.position, lambda: place.tables.folder_of(place.name))
        done = compact(place.name, folder, FEWEST_MERGED, control.check, MOST_ROWS)
        control.note(f"{done.before:,} fragments became {done.after:,}")
        return -1

    return action(work)


def _table(planning: Planning, name: TableName) -> Place:
    """Return where a table is that has versions.

    Raises:
        UndefinedTable: there is no such table.
        InvalidStatement: it is a view.
    """
    place = place_of(planning.environment.workspace, name)
    refuse_view(place, name, NOT_A_TABLE)
    at(name.position, lambda: place.tables.folder_of(place.name))
    return place


def _all(planning: Planning) -> list[Place]:
    tables = planning.environment.workspace.schemas.tables()
    return [Place(space, name) for space, name in tables]


def _parameters(count: int, kind: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(str(n + 1), kind) for n in range(count)])
