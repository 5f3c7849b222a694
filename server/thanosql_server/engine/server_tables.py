"""The system tables about the server: settings, statements, and what it keeps fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.generated_listing import (
    GENERATED_SCHEMA,
    generated_table,
)
from thanosql_server.settings import SETTINGS, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.activity import Activity, Entry
    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Environment

SETTING_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("default", pa.string(), nullable=False),
        pa.field("unit", pa.string()),
        pa.field("description", pa.string(), nullable=False),
    ]
)

STATEMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("user", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("started_utc", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("rows", pa.int64()),
        pa.field("phase", pa.string()),
        pa.field("done", pa.int64()),
        pa.field("total", pa.int64()),
        pa.field("message", pa.string()),
        pa.field("text", pa.string(), nullable=False),
    ]
)

SCHEMAS = {
    "generated": GENERATED_SCHEMA,
    "settings": SETTING_SCHEMA,
    "statements": STATEMENT_SCHEMA,
}


def server_tables(
    environment: Environment, control: Control
) -> dict[str, Callable[[], pa.Table]]:
    """Return the tables as the caller of a statement sees them, by name."""
    activity = environment.activity
    return {
        "generated": lambda: generated_table(environment.filler, environment.keeper),
        "settings": lambda: settings_table(control),
        "statements": lambda: statements_table(activity, control),
    }


def settings_table(control: Control) -> pa.Table:
    """Return one row per setting, with its value in the statement's session."""
    rows = [
        {
            "name": setting.name,
            "value": shown(control.settings[setting.name]),
            "default": shown(setting.default),
            "unit": setting.unit or None,
            "description": setting.description,
        }
        for setting in sorted(SETTINGS.values(), key=lambda setting: setting.name)
    ]
    return pa.Table.from_pylist(rows, schema=SETTING_SCHEMA)


def statements_table(activity: Activity, control: Control) -> pa.Table:
    """Return one row per statement that runs or has ended lately.

    Those that run come first, then the latest. An admin sees everybody's.
    """
    rows = [_row(entry) for entry in activity.entries(control.caller)]
    return pa.Table.from_pylist(rows, schema=STATEMENT_SCHEMA)


def _row(entry: Entry) -> dict[str, object]:
    progress = entry.control.progress
    return {
        "id": entry.id,
        "user": entry.control.caller.user,
        "state": entry.state,
        "started_utc": entry.started,
        "seconds": entry.seconds,
        "rows": entry.rows,
        "phase": progress.phase if progress else None,
        "done": progress.done if progress else None,
        "total": (progress.total or None) if progress else None,
        "message": entry.message or (progress.message if progress else "") or None,
        "text": entry.text,
    }
