"""Runs queries: warms up what their functions need, then streams their rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from thanosql_server.engine import plain
from thanosql_server.engine.executor import in_thread, stream
from thanosql_server.engine.explain import search_path
from thanosql_server.engine.faults import translate
from thanosql_server.engine.joins import tables_to_size
from thanosql_server.engine.literals import literal_row
from thanosql_server.engine.planner import give_hints, keeps_row_order
from thanosql_server.engine.presorted import presorted
from thanosql_server.engine.session import adopt
from thanosql_server.engine.shared_memory import PAUSE, Waiting
from thanosql_server.errors import InternalError, OutOfMemory, ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import TypeAlias

    import pyarrow as pa
    from datafusion import DataFrame, LogicalPlan

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning

    Batches: TypeAlias = Generator[pa.RecordBatch | None, None, None]
    Way: TypeAlias = Callable[[Planning, DataFrame, pa.Schema, Control], Batches]

EMBEDDING_BATCH_ROWS = 256
"""Rows handed to an embedding function at a time: first results come early."""


def announced_schema(planning: Planning, frame: DataFrame) -> pa.Schema:
    """Return the columns of the result, the one of a PRINT marked as such."""
    schema = planning.columns(frame)
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
    """Run the query; if it fails for what another way can do without, in that way.

    If it runs out of memory, it is tried with less, and when there is more. It is given
    up once it has failed with all of the memory to itself.
    """
    shared = planning.environment.contexts.shared
    way: Way = _usual
    with Waiting(shared, control) as waiting:
        while True:
            batches = way(planning, frame, schema, control)
            try:
                with shared.used() as use:
                    yield from _attempt(planning, batches)
                return
            except InternalError:
                if way is not _usual or planning.delivered or planning.reads_once:
                    raise
                way = _filtered_late
            except OutOfMemory:
                if planning.delivered or planning.reads_once:
                    raise
                if way is _frugal and use.alone:
                    raise
                if way is _frugal and not (yield from waiting.freed()):
                    raise
                # Tasks of the failed attempt give their memory back as they end.
                time.sleep(PAUSE)
                way = _frugal


def _attempt(planning: Planning, batches: Batches) -> Batches:
    space = planning.environment.contexts.temp_space.of(planning.catalog)
    try:
        for batch in batches:
            planning.delivered = planning.delivered or batch is not None
            space.check()
            yield batch
    except Exception as error:
        cause = failure(planning, error)
        # Its frames hold the stream, and that its memory.
        error.__traceback__ = None
        raise cause from None
    finally:
        batches.close()


def _usual(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Batches:
    """Run the query in the quickest way that is known for it."""
    plan = frame.optimized_logical_plan()
    row = literal_row(plan, schema)
    if row is not None:
        yield row
        return
    table = plain.plain(plan, planning.catalog.tables.handed_out)
    if table is None or planning.clauses.counted:
        yield from stream(hinted(planning, frame, plan), schema, control)
    else:
        yield from plain.rows(table, schema, control)


def _frugal(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Batches:
    """Run the query with little memory."""
    context = planning.environment.contexts.new(planning.catalog, frugal=True)
    yield from stream(adopt(context, frame.logical_plan()), schema, control)


def _filtered_late(
    planning: Planning, frame: DataFrame, schema: pa.Schema, control: Control
) -> Batches:
    """Filter rows above the scans: these cannot compare lists, for instance."""
    tables = planning.catalog.tables.handed_out
    names = frozenset(table.name for table in tables if not table.row_ids)
    planned = planning.sized(frame, names)
    planning.failure = None
    for table in tables:
        table.failure = None
        table.nearest, table.control = planning.environment.nearest, planning.control
    yield from stream(planned, schema, control)


def hinted(planning: Planning, frame: DataFrame, plan: LogicalPlan) -> DataFrame:
    """Return the frame to execute, after leaving hints on its table.

    Args:
        planning: of the statement.
        frame: the query.
        plan: its plan after DataFusion's optimizer.
    """
    clauses, tables = planning.clauses, planning.catalog.tables.handed_out
    hints = give_hints(plan, clauses.queries, tables)
    if len(hints) == 1:
        planning.environment.quick.known.learn(planning, frame, plan, hints[0])
    for table in tables:
        table.nearest, table.control = planning.environment.nearest, planning.control
    if clauses.counted:
        for table in tables:
            table.batch_rows = EMBEDDING_BATCH_ROWS
    in_order = keeps_row_order(plan)
    if not tables:
        return frame
    if not (in_order or hints):
        return _sized(planning, frame, plan)
    # Several partitions would hand over their rows as they come.
    context = planning.environment.contexts.new(planning.catalog, partitions=1)
    if in_order:
        return adopt(context, plan)
    return presorted(context, plan, hints) or frame


def _sized(planning: Planning, frame: DataFrame, plan: LogicalPlan) -> DataFrame:
    """Return the frame with the rows of the tables known, if that helps its joins."""
    tables = planning.catalog.tables.handed_out
    names = tables_to_size(plan, tables) if not planning.clauses.counted else ()
    if not names:
        return frame
    sized = planning.sized(frame, names)
    for table in tables:
        table.nearest, table.control = planning.environment.nearest, planning.control
    return sized


def failure(planning: Planning, error: BaseException) -> ThanoSQLError:
    """Return what really went wrong: a function's own exception comes first."""
    scans = (table.failure for table in planning.catalog.tables.handed_out)
    cause = planning.failure or next(filter(None, scans), None) or error
    if isinstance(cause, ThanoSQLError):
        return cause
    if planning.control.cancelled:
        return planning.control.cancellation()
    return translate(cause, planning.statement.text)
