"""Has memory that is freed go back to the system at once.

Reading a column fills and frees buffers of megabytes on many threads, and glibc keeps
up to 64 MiB for each of them: 250,000 x 512 left 190 MB beside the 126 of their codes,
which `malloc_trim` does not free either. Buffers with pages of their own leave nothing,
but pages are new each time: reading took about twice as long (medians 0.60 and 1.30 s,
least 0.52 and 0.92).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of mallopt's parameters, malloc.h of glibc."""
_OWN_PAGES = 1 << 20
"""Buffers of so many bytes get pages of their own meanwhile."""
_USUAL = 32 << 20
"""What glibc raises that to by itself in a process that frees large buffers."""

_lock = threading.Lock()
_within = 0


@contextmanager
def at_once() -> Iterator[None]:
    """Give freed buffers of all threads back to the system; only glibc can be told."""
    _change(1)
    try:
        yield
    finally:
        _change(-1)


def _change(by: int) -> None:
    global _within
    with _lock:
        _within += by
        mallopt = _mallopt()
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _OWN_PAGES if _within else _USUAL)
            mallopt(_TRIM_THRESHOLD, 2 * (_OWN_PAGES if _within else _USUAL))


@cache
def _mallopt() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[[int, int], int] | None = getattr(
        ctypes.CDLL(None), "mallopt", None
    )
    return found
