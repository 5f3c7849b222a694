"""Runs queries: warms up what their functions need, then streams their rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from thanosql_server.engine.executor import in_thread, stream
from thanosql_server.engine.explain import search_path
from thanosql_server.engine.faults import translate
from thanosql_server.engine.planner import give_hints, keeps_row_order
from thanosql_server.engine.presorted import presorted
from thanosql_server.engine.session import adopt
from thanosql_server.engine.shared_memory import PAUSE, Waiting
from thanosql_server.errors import OutOfMemory, ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import TypeAlias

    import pyarrow as pa
    from datafusion import DataFrame

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning

    Batches: TypeAlias = Generator[pa.RecordBatch | None, None, None]

EMBEDDING_BATCH_ROWS = 256
"""Rows handed to an embedding function at a time: first results come early."""


def announced_schema(planning: Planning, frame: DataFrame) -> pa.Schema:
    """Return the columns of the result, the one of a PRINT marked as such."""
    schema = frame.schema()
    printed = planning.clauses.printed
    return schema if printed is None else printed.announced(schema)


def rows(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Batches:
    """Run a planned query and yield its batches; see `Plan.run`."""
    planning.control = control
    if planning.clauses.warm_up:
        yield from in_thread(lambda: _warm_up(planning), control)
    batches = _streamed(planning, frame, schema, control)
    try:
        yield from _with_files(planning, batches, control)
        yield from search_path(planning, frame, schema)
    finally:
        batches.close()
        for counted in planning.clauses.counted:
            counted.warn(control, "have no embedding")


def _with_files(
    planning: Planning, batches: Iterator[pa.RecordBatch | None], control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Return the batches, with the files of a PRINT and the pictures of calls."""
    printed, thumbnails = planning.clauses.printed, planning.clauses.thumbnails
    if printed is not None:
        paths = planning.environment.workspace.paths
        batches = printed.with_files(batches, paths, control)
    return thumbnails.with_pictures(batches, control) if thumbnails.used else batches


def _warm_up(planning: Planning) -> None:
    """Load encoders and embed the query items, off DataFusion's threads."""
    for load in planning.clauses.warm_up:
        planning.control.check()
        load()


def _streamed(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Batches:
    """Run the query; if it runs out of memory, again with less, and when there is more.

    It is given up once it has failed with all of the memory to itself.
    """
    shared = planning.environment.contexts.shared
    frugal = False
    with Waiting(shared, control) as waiting:
        while True:
            try:
                with shared.used() as use:
                    yield from _attempt(planning, frame, schema, control, frugal)
                return
            except OutOfMemory:
                if planning.delivered or planning.reads_once:
                    raise
                if frugal and use.alone:
                    raise
                if frugal and not (yield from waiting.freed()):
                    raise
                # Tasks of the failed attempt give their memory back as they end.
                time.sleep(PAUSE)
            frugal = True


def _attempt(
    planning: Planning,
    frame: DataFrame,
    schema: pa.Schema,
    control: Control,
    frugal: bool,
) -> Batches:
    contexts = planning.environment.contexts
    space = contexts.temp_space.of(planning.catalog)
    try:
        if frugal:
            context = contexts.new(planning.catalog, frugal=True)
            running = adopt(context, frame.logical_plan())
        else:
            running = hinted(planning, frame)
        for batch in stream(running, schema, control):
            planning.delivered = planning.delivered or batch is not None
            space.check()
            yield batch
    except Exception as error:
        cause = failure(planning, error)
        # Its frames hold the stream, and that its memory.
        error.__traceback__ = None
        raise cause from None


def hinted(planning: Planning, frame: DataFrame) -> DataFrame:
    """Return the frame to execute, after leaving hints on its table."""
    plan = frame.optimized_logical_plan()
    clauses, tables = planning.clauses, planning.catalog.tables.handed_out
    hints = give_hints(plan, clauses.queries, tables)
    planning.environment.quick.learn(planning, plan, hints)
    for table in tables:
        table.nearest, table.control = planning.environment.nearest, planning.control
    if clauses.counted:
        for table in tables:
            table.batch_rows = EMBEDDING_BATCH_ROWS
    in_order = keeps_row_order(plan)
    if not tables or not (in_order or hints):
        return frame
    # Several partitions would hand over their rows as they come.
    context = planning.environment.contexts.new(planning.catalog, partitions=1)
    if in_order:
        return adopt(context, plan)
    return presorted(context, plan, hints) or frame


def failure(planning: Planning, error: BaseException) -> ThanoSQLError:
    """Return what really went wrong: a function's own exception comes first."""
    scans = (table.failure for table in planning.catalog.tables.handed_out)
    cause = planning.failure or next(filter(None, scans), None) or error
    if isinstance(cause, ThanoSQLError):
        return cause
    if planning.control.cancelled:
        return planning.control.cancellation()
    return translate(cause, planning.statement.text)
