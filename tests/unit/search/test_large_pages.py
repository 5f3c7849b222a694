"""Memory moved to large pages holds what it held."""

import sys
import time

import numpy as np
import pytest

from thanosql_server.search.large_pages import LEAST_BYTES, in_large_pages

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="madvise(2) with large pages is Linux's"
)


def block():
    """Memory that is mapped for it alone, as malloc does with much."""
    import mmap

    return mmap.mmap(-1, 2 * LEAST_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


@pytest.mark.parametrize("filled", [True, False])
def test_contents_stay(filled):
    numbers = np.random.default_rng(0).integers(0, 255, 2 * LEAST_BYTES, np.uint8)
    with in_large_pages(filled=filled):
        memory = block()
        memory[:] = numbers.tobytes()
    for _ in range(20):
        assert np.array_equal(np.frombuffer(memory, np.uint8), numbers)
        time.sleep(0.01)  # a thread may move them now


def test_memory_that_is_gone_meanwhile_does_no_harm():
    with in_large_pages(filled=True):
        memory = block()
        memory[::4096] = b"1" * (2 * LEAST_BYTES // 4096)
    memory.close()
    time.sleep(0.1)


def test_an_error_within_it_is_not_lost():
    with pytest.raises(RuntimeError), in_large_pages(filled=True):
        raise RuntimeError
