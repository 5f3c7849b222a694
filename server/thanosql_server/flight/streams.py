"""A plan's batches on their way to a client: followed, cut to size, with events."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto.thanosql import Completed, Event, Progress
from thanosql_server.errors import InvalidValue, ThanoSQLError
from thanosql_server.flight.parameters import sets_of
from thanosql_server.flight.status import border

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.flight.handles import Run, Running
    from thanosql_server.flight.parameters import Parameters
    from thanosql_server.flight.protocol import Engine

    Steps: TypeAlias = Iterator[pa.RecordBatch | None]
    Message: TypeAlias = pa.RecordBatch | tuple[pa.RecordBatch, bytes]

_WRAPPED = (pa.UnionType, pa.DictionaryType)
"""Types of parameters that hold values of other types, one by one."""

MAX_BATCH_BYTES = 4 << 20
"""Larger batches are cut: ADBC refuses messages of more than 16 MiB."""

PROGRESS_SECONDS = 0.25


def plan_sets(
    engine: Engine,
    query: str,
    sets: Iterator[Parameters | None],
    control: Control,
) -> Plan:
    """Return one plan that runs the statement once for every set of parameters.

    Only the first set is planned now; each further one when its turn comes, so that
    there may be any number of them. The counts of changed rows add up.

    Args:
        engine: what plans.
        query: the statement.
        sets: of parameters.
        control: of the run, or of the planning of what runs later.
    """
    try:
        parameters = next(sets)
    except StopIteration:
        return _as_often(engine.plan(query, None, control), _run_nothing)
    first = engine.plan(query, parameters, control)

    def plans() -> Iterator[Plan]:
        yield first
        for more in sets:
            yield _like(first, engine.plan(query, more, control))

    return _as_often(first, lambda control: _run_all(plans(), control))


def _as_often(plan: Plan, execute: Callable[[Control], Steps]) -> Plan:
    """Return the plan that runs as often as there are sets: once only, by and by."""
    return replace(plan, execute=execute, lasts=False, at_once=False)


def plan_batches(
    engine: Engine,
    query: str,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    control: Control,
) -> Plan:
    """Return one plan for all rows of parameters, in one commit where it can be.

    Otherwise it runs the statement once for every row; see `plan_sets`.
    """
    first = next(batches, None)
    second = next(batches, None)
    known = [one for one in (first, second) if one is not None]
    if len(known) == 1 and known[0].num_rows == 1:
        (parameters,) = sets_of(known)
        return engine.plan(query, parameters, control)
    rows = chain(known, batches)
    plain = not any(isinstance(kind, _WRAPPED) for kind in schema.types)
    if plain and sum(one.num_rows for one in known) > 1:
        reader = pa.RecordBatchReader.from_batches(schema, rows)
        whole = engine.plan_rows(query, reader, control)
        if whole is not None:
            return whole
    return plan_sets(engine, query, sets_of(rows), control)


def _run_nothing(control: Control) -> Steps:
    control.rows_affected = 0
    return iter(())


def _like(first: Plan, plan: Plan) -> Plan:
    if plan.schema != first.schema:
        raise InvalidValue("all rows of parameters must give the same columns")
    return plan


def _run_all(plans: Iterator[Plan], control: Control) -> Steps:
    total, done = 0, 0
    try:
        for plan in plans:
            control.rows_affected = -1
            with _closing(plan.run(control)) as steps:
                yield from steps
            count = control.rows_affected
            total = -1 if count < 0 or total < 0 else total + count
            done += 1
    except ThanoSQLError as error:
        if done and not plan.returns_rows:
            error.message += f"; rows of parameters carried out before it: {done}"
        raise
    control.rows_affected = total


@contextmanager
def _closing(steps: Steps) -> Iterator[Steps]:
    """Close the iterator at the end if it can be closed, which stops its work."""
    try:
        yield steps
    finally:
        close = getattr(steps, "close", None)
        if close:
            close()


def drain(plan: Plan, run: Run, running: Running) -> int:
    """Run a plan to its end and return the number of rows changed, -1 if unknown."""
    with _ending(run, running), _closing(plan.run(run.control)) as steps:
        for _ in steps:
            run.check()
    return run.control.rows_affected


@contextmanager
def _cancelling(run: Run) -> Iterator[None]:
    """Cancel the run if nobody reads on, so that its scans and functions stop, too."""
    try:
        yield
    except GeneratorExit:
        run.control.cancel()
        raise


@contextmanager
def _ending(run: Run, running: Running) -> Iterator[None]:
    """Take a run off the list when the block ends, and note how it did."""
    try:
        yield
    except BaseException as error:
        running.finish(run, error)
        raise
    running.finish(run)


def stream(
    plan: Plan, run: Run, running: Running, *, events: Events | None = None
) -> fl.GeneratorStream:
    """Return the stream of a plan's batches, with events for those who read them."""
    messages = _messages(plan, run, running, events)
    if plan.at_once:
        # gRPC's thread then calls no Python code for each message; see `auth.Admitted`.
        messages = iter(list(messages))
    return fl.GeneratorStream(plan.schema, messages)


def _messages(
    plan: Plan, run: Run, running: Running, events: Events | None
) -> Iterator[Message]:
    with (
        border(run.context),
        _ending(run, running),
        _closing(plan.run(run.control)) as steps,
        _cancelling(run),
    ):
        for batch in steps:
            run.check()
            if batch is not None:
                run.control.rows_returned += batch.num_rows
                yield from cut(_checked(batch, plan.schema))
            if events:
                yield from events.due(run.control)
        if events:
            yield events.completed(run.control)


def _checked(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema != schema:
        raise TypeError(f"the plan announced {schema}, and yields {batch.schema}")
    return batch


def cut(
    batch: pa.RecordBatch, limit: int = MAX_BATCH_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield the batch in halves of halves until each takes at most `limit` bytes.

    A part stays whole if it is one row, or if cutting does not make it smaller: parts
    of a dictionary or of string views still carry all of their values.
    """
    size = batch.nbytes
    middle = batch.num_rows // 2
    if size <= limit or not middle:
        yield batch
        return
    halves = batch.slice(0, middle), batch.slice(middle)
    if sum(half.nbytes for half in halves) > 1.5 * size:
        yield batch
        return
    for half in halves:
        yield from cut(half, limit)


class Events:
    """Progress and completion as metadata of batches without rows.

    Args:
        schema: of the stream.
        progress: whether the client wants to hear of progress.
    """

    def __init__(self, schema: pa.Schema, *, progress: bool) -> None:
        columns = [pa.nulls(0, field.type) for field in schema]
        self._empty = pa.RecordBatch.from_arrays(columns, schema=schema)
        self._progress = progress
        self._last = time.monotonic()

    def due(self, control: Control) -> Iterator[Message]:
        """Yield the progress if the last report is a while ago."""
        now = time.monotonic()
        if not self._progress or now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        yield self._message(Event(progress=_progress(control)))

    def completed(self, control: Control) -> Message:
        """Return the last message of a statement that succeeded."""
        return self._message(Event(completed=completed(control)))

    def _message(self, event: Event) -> Message:
        return self._empty, event.SerializeToString()


def completed(control: Control) -> Completed:
    """Return what there is to say about a statement that succeeded."""
    return Completed(
        rows_affected=control.rows_affected,
        warnings=control.warnings,
        notes=control.notes,
        seconds=control.seconds,
    )


def _progress(control: Control) -> Progress:
    reported = control.progress
    if reported is None:
        return Progress(phase="running", seconds=control.seconds)
    return Progress(
        phase=reported.phase,
        done=reported.done,
        total=reported.total,
        seconds=control.seconds,
        message=reported.message,
    )
