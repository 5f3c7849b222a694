"""Runs what was planned so that a client's cancel stops it.

Both runners yield None about every 50 ms while there is nothing to hand over, and stop
the work when they are closed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.conform import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from datafusion import DataFrame, RecordBatch, RecordBatchStream

    from thanosql_server.control import Control

POLL_SECONDS = 0.05


class _Loops:
    """Asyncio loops, each lent to one stream at a time and run on that one's thread.

    Only a stream that is awaited can be cancelled: cancelling the future stops
    DataFusion's work at once (0.04 CPU-seconds after the cancel), while a thread
    blocked in the plain stream works on to its end. A loop on a thread of its own costs
    two changes of thread for each batch; making a loop takes 0.1 ms and three files.
    """

    def __init__(self) -> None:
        self._free: list[asyncio.AbstractEventLoop] = []

    @contextmanager
    def lent(self) -> Iterator[asyncio.AbstractEventLoop]:
        try:
            loop = self._free.pop()
        except IndexError:
            loop = asyncio.new_event_loop()
        try:
            yield loop
        finally:
            # The collector closes a loop that it finds together with its stream.
            if not loop.is_closed():
                self._free.append(loop)


_LOOPS = _Loops()


class _Batches:
    """DataFusion's stream, one batch ahead of who reads it.

    The work goes on in DataFusion's own threads while the loop stands still.
    """

    def __init__(self, source: RecordBatchStream) -> None:
        self._source = source
        self._ahead: asyncio.Task[RecordBatch | None] | None = None

    async def next(self) -> asyncio.Task[RecordBatch | None] | None:
        """Return the next batch as a task that is done, None if it takes long."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(_next(self._source))
        task = self._ahead
        await asyncio.wait({task}, timeout=POLL_SECONDS)
        if not task.done():
            return None
        self._ahead = None
        if not task.cancelled() and not task.exception() and task.result() is not None:
            self._ahead = asyncio.ensure_future(_next(self._source))
            await asyncio.sleep(0)  # lets it begin
        return task

    async def stop(self) -> None:
        """Cancel what goes on."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait({self._ahead})
            if not self._ahead.cancelled():
                self._ahead.exception()  # nobody will ask for it any more


async def _next(source: RecordBatchStream) -> RecordBatch | None:
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        return None


def stream(
    frame: DataFrame, schema: pa.Schema, control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Execute `frame` and yield its batches, each cast to exactly `schema`."""
    with _LOOPS.lent() as loop:
        batches = _Batches(frame.execute_stream())
        try:
            while True:
                done = loop.run_until_complete(batches.next())
                control.check()
                if done is None:
                    yield None
                    continue
                batch = done.result()
                if batch is None:
                    return
                yield conform(batch.to_pyarrow(), schema)
        finally:
            _run_anywhere(loop, batches.stop())
            # Cancelling alone does nothing while somebody still holds the stream.
            del batches


def _run_anywhere(
    loop: asyncio.AbstractEventLoop, work: Coroutine[None, None, None]
) -> None:
    """Run `work` even where another loop runs: generators are closed by anyone."""
    if asyncio._get_running_loop() is None:
        loop.run_until_complete(work)
        return
    thread = threading.Thread(target=loop.run_until_complete, args=(work,))
    thread.start()
    thread.join()


def in_thread(work: Callable[[], None], control: Control) -> Iterator[None]:
    """Do `work` on a thread of its own; closing the iterator cancels and waits."""
    done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    thread = threading.Thread(target=run, name="statement", daemon=True)
    thread.start()
    try:
        while not concurrent.futures.wait([done], timeout=POLL_SECONDS).done:
            yield None
        done.result()
    finally:
        if not done.done():
            control.cancel()
        thread.join()


def reader(
    batches: Iterator[pa.RecordBatch | None], schema: pa.Schema
) -> pa.RecordBatchReader:
    """Return the batches of a running plan as a reader, for whoever stores them."""
    return pa.RecordBatchReader.from_batches(
        schema, (batch for batch in batches if batch is not None)
    )
