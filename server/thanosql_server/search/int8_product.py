"""Products of bytes on all processors: the one file of this layer that needs torch.

numpy multiplies bytes one by one; torch has oneDNN, which uses the processor's dot
product of bytes (VNNI): 250,000 x 512 in 7 ms on two threads, where numpy needs 25 for
the same numbers as float32. torch is imported when the first search wants it.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from thanosql_server.search.spread import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Bytes = NDArray[np.int8]

Item = TypeVar("Item")
logger = logging.getLogger(__name__)


class Int8Product:
    """Multiplies matrices of bytes, and spreads such work over threads of its own.

    torch would start a team of threads for every thread that calls it, and a team that
    shares its processors with others waits for its slowest member in a loop. These
    threads each work alone, on one piece after another.
    """

    def __init__(self, threads: int) -> None:
        self.threads = max(threads, 1)
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """Whether torch is there and multiplies exactly on this processor."""
        with self._lock:
            return self._torch is not None

    def __call__(self, rows: Bytes, queries: Bytes) -> NDArray[np.int32]:
        """Return the products (m, n) of n rows (n, dim) with m queries (m, dim)."""
        return _multiply(self._torch, rows, queries)

    def spread(self, work: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Do `work` on every item, on all threads; raise the first error."""
        spread(self._pool, self.threads, work, items)

    @cached_property
    def _torch(self) -> Any:
        try:
            import torch
        except ImportError:
            logger.warning("torch is missing: searches compare float32 numbers")
            return None
        if _is_exact(torch):
            return torch
        logger.warning("this processor adds up bytes with saturation; not used")
        return None

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Threads for which torch does not start further ones.

        torch keeps the number per thread, and for threads to come; the latter is set
        back, since encoders and trainings are to have them all.
        """
        before = self._torch.get_num_threads()
        pool = ThreadPoolExecutor(
            self.threads,
            thread_name_prefix="search",
            initializer=lambda: self._torch.set_num_threads(1),
        )
        barrier = threading.Barrier(self.threads)
        for started in [pool.submit(barrier.wait) for _ in range(self.threads)]:
            started.result()
        self._torch.set_num_threads(before)
        return pool


def _multiply(torch: Any, rows: Bytes, queries: Bytes) -> NDArray[np.int32]:
    left = torch.from_numpy(queries)
    right = torch.from_numpy(rows).t()
    product: NDArray[np.int32] = torch._int_mm(left, right).numpy()
    return product


def _is_exact(torch: Any) -> bool:
    """Return whether the largest sums come out right.

    Processors without VNNI may add pairs of products in 16 bits, with saturation.
    """
    for rows in (1, 64):
        for queries in (1, 16):
            left = np.full((rows, 1536), 127, np.int8)
            right = np.full((queries, 1536), -127, np.int8)
            if (_multiply(torch, left, right) != -127 * 127 * 1536).any():
                return False
    return True
