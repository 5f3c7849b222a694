"""Workers that fetch many files at the same time, and stop together."""

from __future__ import annotations

import queue
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from thanosql_server.control import Control
from thanosql_server.storage.hub_waiting import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")


def for_each(
    items: Iterable[Item],
    work: Callable[[Item, Control], None],
    watch: Callable[[], None],
    workers: int,
) -> None:
    """Do `work` for every item, several at a time; raise the first failure.

    Over the internet a small file costs little but the wait for its first byte.

    Args:
        items: what there is to do.
        work: does it. Its control stops it when another item has failed, or when the
            statement was cancelled; the statement's own control stays as it is.
        watch: is called all the time, reports the progress and raises to stop.
        workers: items that are worked on at the same time.
    """
    leash = Control()
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def run() -> None:
        with suppress(queue.Empty):
            while True:
                leash.check()
                work(waiting.get_nowait(), leash)

    with ThreadPoolExecutor(workers, "hub-file") as pool:
        pending = {pool.submit(run) for _ in range(workers)}
        try:
            while pending:
                watch()
                finished, pending = wait(pending, POLL_SECONDS, FIRST_EXCEPTION)
                for worker in finished:
                    worker.result()
        finally:
            leash.cancel()
