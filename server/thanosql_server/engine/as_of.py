"""Tables as of an earlier version: which one is meant, and how a query reads it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.places import place_of
from thanosql_server.engine.provider import LanceTable
from thanosql_server.engine.targets import at, refuse_view
from thanosql_server.errors import InvalidValue
from thanosql_server.sql.options import Parameter, bind

if TYPE_CHECKING:
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.versions import AsOf, TableVersion

NOT_A_TABLE = "has no versions; its tables have"
"""Why a view is refused."""


def table_version(planning: Planning, node: TableVersion) -> str:
    """Return the name under which the statement reads a version of a table."""
    place = place_of(planning.environment.workspace, node.table)
    refuse_view(place, node.table, NOT_A_TABLE)
    version = wanted_version(planning, node.as_of)
    at(node.table.position, lambda: place.tables.folder_of(place.name))
    table = at(node.as_of.position, lambda: place.tables.open(place.name, version))
    name = f"{'.'.join(place.key)}@{table.version}"
    shown = LanceTable(table, f"{TARGET_SCHEMA}.{name}")
    planning.catalog.reading.handed_out.append(shown)
    return planning.catalog.show(name, shown)


def wanted_version(planning: Planning, as_of: AsOf) -> int | datetime | None:
    """Return the version that is meant, None if its parameter is not known yet.

    Raises:
        InvalidValue: the value is no number of a version, or no time.
    """
    written = as_of.time if as_of.number is None else as_of.number
    if isinstance(written, Parameter):
        if planning.arguments is None:
            return None
        values = [value.as_py() for value in planning.arguments]
        written = at(as_of.position, lambda: bind(written, values))  # type: ignore[assignment]
    if as_of.number is None:
        return at(as_of.position, lambda: _time(written))
    if type(written) is int:
        return written
    raise InvalidValue("a version is a whole number", position=as_of.position)


def _time(value: object) -> datetime:
    """Return a time in UTC; one that names no zone is in UTC.

    Raises:
        InvalidValue: it is none.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            moment: datetime = pc.cast(pa.scalar(str(value)), kind).as_py()
        except pa.ArrowException:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    raise InvalidValue(
        f"'{value}' is not a time; write it as '2026-11-21 18:30:00', in UTC"
    )
