"""The system table `thanosql.generated`: how fresh generated columns are."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.engine.generated import expression
from thanosql_server.errors import ThanoSQLError
from thanosql_server.ml.media import UnreadableImage, open_image
from thanosql_server.storage.generated import NOTHING, generated_columns

if TYPE_CHECKING:
    from thanosql_server.engine.filling import Filler
    from thanosql_server.engine.fresh_keeper import FreshKeeper
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.table import Table

GENERATED_SCHEMA = pa.schema(
    [
        pa.field("table_schema", pa.string(), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("expression", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("pending", pa.int64(), nullable=False),
        pa.field("failed", pa.int64(), nullable=False),
        pa.field("stale", pa.int64(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("last_refreshed", pa.timestamp("us", "UTC")),
    ]
)


def generated_table(filler: Filler, keeper: FreshKeeper) -> pa.Table:
    """Return one row per generated column."""
    rows = []
    for space, name in filler.workspace.schemas.tables():
        try:
            table = space.tables.open(name)
            columns = generated_columns(table.schema)
            rows += [_row(filler, keeper, space.schema, table, one) for one in columns]
        except ThanoSQLError:
            continue  # dropped meanwhile, or broken: no reason to list nothing
    return pa.Table.from_pylist(rows, schema=GENERATED_SCHEMA)


def _row(
    filler: Filler, keeper: FreshKeeper, schema: str, table: Table, column: Generated
) -> dict[str, Any]:
    counts = filler.freshness.counts(table, column)
    seconds = keeper.refreshed(table, column.column)
    trouble = keeper.trouble(table, column.column)
    state = "fresh"
    if counts.todo:
        state = "stale" if counts.stale else "pending"
        if trouble is not None:
            state = "stopped"
        elif keeper.is_busy(table, column.column):
            state = "refreshing"
    reason = trouble if counts.todo else None
    if reason is None and counts.failed:
        reason = _first_failure(filler, table, column)
    return {
        "table_schema": schema,
        "table_name": table.name,
        "column_name": column.column,
        "model": column.model,
        "expression": expression(column),
        "rows": counts.rows,
        "pending": counts.pending,
        "failed": counts.failed,
        "stale": counts.stale,
        "state": state,
        "reason": reason,
        "last_refreshed": None
        if seconds is None
        else datetime.fromtimestamp(seconds, timezone.utc),
    }


def _first_failure(filler: Filler, table: Table, column: Generated) -> str | None:
    """Return why the first row without an embedding has none, as it is now."""
    without = pc.field(column.column).is_null() & pc.field(column.input).is_valid()
    names = [column.input, column.origin]
    for batch in table.scan(names, without):
        failed = pc.fill_null(pc.equal(batch.column(1), NOTHING), False)
        values = batch.column(0).filter(failed)
        if len(values):
            return _why(filler, column, values[0].as_py())
    return None


def _why(filler: Filler, column: Generated, value: str) -> str:
    if column.function == "embed_text":
        return "a text is empty"
    try:
        open_image(filler.workspace.paths.resolve(value)).close()
    except UnreadableImage as error:
        return f"'{value}' ({error.reason})"
    except ThanoSQLError as error:
        return f"'{value}' ({error.message})"
    return f"'{value}' can be read by now; REFRESH TABLE tries it again"
