"""Versions of tables: reading old ones, SHOW VERSIONS, RESTORE TABLE and VACUUM."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.actions import action
from thanosql_server.engine.as_of import NOT_A_TABLE, wanted_version
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.stored_names import stored_name
from thanosql_server.engine.targets import at, refuse_view
from thanosql_server.engine.version_listing import VERSION_SCHEMA, rows_of
from thanosql_server.errors import UndefinedTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.versions import RestoreTable, ShowVersions, Vacuum


def show_versions(planning: Planning, node: ShowVersions) -> Plan:
    """SHOW VERSIONS t: one row per version that is there, the newest first."""
    name = stored_name(node.table)
    refuse_view(planning, node.table, NOT_A_TABLE)
    workspace = planning.environment.workspace
    history = workspace.history
    at(node.table.position, lambda: workspace.tables.folder_of(name))

    def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
        versions = at(node.table.position, lambda: history.versions(name))
        yield from rows_of(name, versions[::-1]).to_batches()

    return Plan(VERSION_SCHEMA, execute)


def restore_table(planning: Planning, node: RestoreTable) -> Plan:
    """RESTORE TABLE t TO VERSION n: the old version becomes the newest, too."""
    name = stored_name(node.table)
    refuse_view(planning, node.table, NOT_A_TABLE)
    version = wanted_version(planning, node.as_of)
    workspace = planning.environment.workspace
    at(node.table.position, lambda: workspace.tables.folder_of(name))
    if version is not None:
        at(node.as_of.position, lambda: workspace.tables.open(name, version))

    def work(control: Control) -> int:
        control.check()
        if version is not None:
            at(node.as_of.position, lambda: workspace.history.restore(name, version))
        return -1

    kind = pa.string() if node.as_of.number is None else pa.int64()
    return action(work, _parameters(node.parameter_count, kind))


def vacuum(planning: Planning, node: Vacuum) -> Plan:
    """VACUUM [t]: remove versions replaced long ago, and what no version needs."""
    workspace = planning.environment.workspace
    kept = None if node.hours is None else timedelta(hours=node.hours)
    if node.table is not None:
        refuse_view(planning, node.table, NOT_A_TABLE)
        name = stored_name(node.table)
        at(node.table.position, lambda: workspace.tables.folder_of(name))
        names = [name]
    else:
        names = workspace.tables.names()

    def work(control: Control) -> int:
        versions = size = 0
        for done, name in enumerate(names):
            control.report("cleaning up", done, len(names), name)
            try:
                removed = workspace.history.vacuum(name, kept)
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


def _parameters(count: int, kind: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(str(n + 1), kind) for n in range(count)])
