"""Spreads work over the threads of a pool, item by item."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

Item = TypeVar("Item")


def spread(
    pool: Executor,
    threads: int,
    work: Callable[[Item], object],
    items: Iterable[Item],
) -> None:
    """Do `work` on every item, on `threads` threads of the pool.

    Items are drawn as threads become free, by one thread at a time, so that no more of
    them exist than there are threads. The first error stops all, and is raised.
    """
    waiting = iter(items)
    taking = threading.Lock()
    failed = threading.Event()

    def take() -> Iterator[Item]:
        while not failed.is_set():
            with taking:
                items = list(itertools.islice(waiting, 1))
            if not items:
                return
            yield items.pop()

    def run() -> None:
        try:
            for item in take():
                work(item)
        except BaseException:
            failed.set()
            raise

    running = [pool.submit(run) for _ in range(threads)]
    for done in running:
        done.exception()
    for done in running:
        done.result()
