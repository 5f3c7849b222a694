"""Runs queries: warms up what their functions need, then streams their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.executor import in_thread, stream
from thanosql_server.engine.faults import translate
from thanosql_server.engine.planner import give_hints, keeps_row_order
from thanosql_server.engine.session import adopt
from thanosql_server.errors import Cancelled, ResourceExhausted, ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from datafusion import DataFrame

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning

PICTURE_METADATA = {b"thanosql:media": b"image"}
"""Marks a binary column whose values are pictures, for clients that show them."""

EMBEDDING_BATCH_ROWS = 256
"""Rows handed to an embedding function at a time: first results come early."""


def announced_schema(planning: Planning, frame: DataFrame) -> pa.Schema:
    """Return the columns of the result, a picture column marked as one."""
    schema = frame.schema()
    picture = planning.clauses.picture
    if picture is None or picture not in schema.names:
        return schema
    index = schema.get_field_index(picture)
    marked = schema.field(index).with_metadata(PICTURE_METADATA)
    return schema.set(index, marked)


def rows(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Run a planned query and yield its batches; see `Plan.run`."""
    planning.control = control
    yield from in_thread(lambda: _warm_up(planning), control)
    try:
        yield from _streamed(planning, frame, schema, control)
    finally:
        for counted in planning.clauses.unreadable:
            counted.warn(control, "have no embedding")


def _warm_up(planning: Planning) -> None:
    """Load encoders and embed the query items, off DataFusion's threads."""
    for load in planning.clauses.warm_up:
        planning.control.check()
        load()


def _streamed(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Iterator[pa.RecordBatch | None]:
    delivered = False
    try:
        for batch in stream(_hinted(planning, frame), schema, control):
            delivered = delivered or batch is not None
            yield batch
    except Exception as error:
        failure = _failure(planning, error)
        if not isinstance(failure, ResourceExhausted) or delivered:
            raise failure from None
    else:
        return
    # A hash join holds one side in memory and cannot spill; a sort-merge join can.
    yield from _again_with_sorted_joins(planning, frame, schema, control)


def _again_with_sorted_joins(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Iterator[pa.RecordBatch | None]:
    contexts = planning.environment.contexts
    context = contexts.new(planning.catalog, hash_joins=False)
    try:
        yield from stream(adopt(context, frame.logical_plan()), schema, control)
    except Exception as error:
        raise _failure(planning, error) from None


def _hinted(planning: Planning, frame: DataFrame) -> DataFrame:
    """Return the frame to execute, after leaving hints on its table."""
    plan = frame.optimized_logical_plan()
    clauses, tables = planning.clauses, planning.catalog.tables.handed_out
    give_hints(plan, clauses.queries, tables)
    if clauses.unreadable:
        for table in tables:
            table.batch_rows = EMBEDDING_BATCH_ROWS
    if not keeps_row_order(plan):
        return frame
    # Several partitions would hand over their rows as they come.
    context = planning.environment.contexts.new(planning.catalog, partitions=1)
    return adopt(context, plan)


def _failure(planning: Planning, error: BaseException) -> ThanoSQLError:
    """Return what really went wrong: a function's own exception comes first."""
    scans = (table.failure for table in planning.catalog.tables.handed_out)
    cause = planning.failure or next(filter(None, scans), None) or error
    if isinstance(cause, ThanoSQLError):
        return cause
    if planning.control.cancelled:
        return Cancelled("the statement was cancelled")
    return translate(cause, planning.statement.text)
