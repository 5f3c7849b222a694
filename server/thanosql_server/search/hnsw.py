"""Graphs of near neighbours: the one file that needs hnswlib, and knows its traps.

Hierarchical navigable small worlds: Malkov and Yashunin, Efficient and robust
approximate nearest neighbor search using Hierarchical Navigable Small World graphs,
https://arxiv.org/abs/1603.09320. What hnswlib 0.8 does that one must know:

- `set_ef` belongs to the graph, not to a search, and searches run at the same time. It
  is called here only while no search runs. A search for k rows keeps max(ef, k) in
  sight; so where others run with another ef, or all that is in sight is wanted, as many
  rows are asked for as are to be kept in sight, which takes 3 to 5 % longer.
- It fails if it reaches fewer vectors than were asked for, and loses its buffers then:
  no graph is asked twice for what it could not reach.
- Vectors that are alike fill each other's links until nothing leads out of them: the
  caller puts in each vector once.
- A filter is a Python function, called for every vector looked at; deleted vectors stay
  deleted for whoever reads an older version. Callers sieve what is found instead.
- Adding is not safe beside searching: a graph that is searched is never added to.
- A file that is cut short is read as far as it goes, and one from elsewhere may end the
  process; callers compare checksums first. Saving does not notice a full disk.
- Threads are as many as there are processors unless told, and GIL-free.
- With m = 1 a vector's level is infinite.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from thanosql_server.errors import NotSupported, ResourceExhausted
from thanosql_server.search.large_pages import in_large_pages
from thanosql_server.search.measures import COSINE, DISTANCE, INNER

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.search.measures import Measure

    Matrix = NDArray[np.float32]
    Labels = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]

LEAST_M, MOST_M = 2, 100
MOST_EF_CONSTRUCTION = 2000
LARGEST_DIM = 16_000

_SPACES = {COSINE.name: "ip", INNER.name: "ip", DISTANCE.name: "l2"}
"""Cosines are inner products of vectors that the caller has made of unit length."""

_BESIDE = 130
"""Bytes of a vector beside its numbers and links, in memory: label, hash, locks."""

_SEED = 100


def require_hnswlib() -> None:
    """Raise NotSupported if hnswlib is not installed."""
    _hnswlib()


def bytes_of(labels: int, dim: int, m: int) -> int:
    """Return about how much memory a graph of so many vectors takes."""
    return labels * (4 * dim + 8 * m + 5 * m + _BESIDE)


class Graph:
    """A graph of vectors with the labels 0, 1, 2, ...; searched from any thread."""

    def __init__(self, index: Any, dim: int, measure: Measure, m: int) -> None:
        self._index = index
        self.dim = dim
        self.measure = measure
        self.m = m
        self._lock = threading.Lock()
        self._unreached: int | None = None
        self._ef, self._searching = 1, 0
        index.set_ef(1)

    @classmethod
    def new(
        cls, dim: int, measure: Measure, m: int, ef_construction: int, capacity: int
    ) -> Graph:
        """Return a graph without vectors, and with room for `capacity` of them.

        Raises:
            NotSupported: hnswlib is not installed.
            ResourceExhausted: there is not that much memory.
        """
        index = _hnswlib().Index(_SPACES[measure.name], dim)
        try:
            with in_large_pages(filled=False):
                index.init_index(
                    max(capacity, 1), m, max(ef_construction, m), random_seed=_SEED
                )
        except (RuntimeError, MemoryError):
            raise _no_room(capacity, dim, m) from None
        return cls(index, dim, measure, m)

    @classmethod
    def load(
        cls, path: Path, dim: int, measure: Measure, m: int, capacity: int = 0
    ) -> Graph:
        """Read a graph that `save` has written; its checksum was compared before.

        Args:
            path: the file.
            dim: numbers per vector.
            measure: what it is for.
            m: links per vector.
            capacity: room for so many vectors, those in the file included.

        Raises:
            NotSupported: hnswlib is not installed.
            ResourceExhausted: there is not that much memory.
        """
        index = _hnswlib().Index(_SPACES[measure.name], dim)
        try:
            with in_large_pages(filled=True):
                index.load_index(os.fsencode(path), max_elements=max(capacity, 1))
        except (RuntimeError, MemoryError):
            raise _no_room(capacity, dim, m) from None
        return cls(index, dim, measure, m)

    def __len__(self) -> int:
        return int(self._index.element_count)

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return bytes_of(int(self._index.max_elements), self.dim, self.m)

    def add(self, vectors: Matrix, threads: int) -> None:
        """Put in vectors (n, dim), which get the next labels; nobody searches yet."""
        first = len(self)
        labels = np.arange(first, first + len(vectors), dtype=np.uint64)
        vectors = np.ascontiguousarray(vectors, np.float32)
        if len(vectors):
            self._index.add_items(vectors, labels, num_threads=max(threads, 1))

    def nearest(
        self, queries: Matrix, count: int, least: int = 1, threads: int = 1
    ) -> tuple[Labels, Scores] | None:
        """Return about the nearest vectors, and their scores, the nearest first.

        Args:
            queries: (n, dim), of unit length for a cosine.
            count: how many to keep in sight, and to return.
            least: how many are wanted, at the least; where fewer than `count` can be
                reached, which happens with inner products, half as many are returned,
                or a quarter, and so on.
            threads: for several queries.

        Returns:
            Labels and scores (n, min(count, vectors) or fewer); None if `least` cannot
            be reached.
        """
        count = min(count, len(self))
        if not count:
            empty = (len(queries), 0)
            return np.zeros(empty, np.uint64), np.zeros(empty)
        queries = np.ascontiguousarray(queries, np.float32)
        while count >= min(least, len(self)):
            if self._unreached is None or count < self._unreached:
                try:
                    labels, distances = self._index.knn_query(
                        queries, count, num_threads=max(threads, 1)
                    )
                except RuntimeError:
                    with self._lock:
                        self._unreached = min(count, self._unreached or count)
                else:
                    return labels, self.scores(distances)
            count //= 2
        return None

    def first(
        self, query: Matrix, k: int, ef: int
    ) -> tuple[Labels, NDArray[np.float32]] | None:
        """Return the labels (k,) of about the nearest vectors, and their distances.

        Args:
            query: (1, dim), contiguous, of unit length for a cosine.
            k: how many, at most as many as there are vectors.
            ef: how many to keep in sight, at least k.

        Returns:
            The nearest first; None if so many cannot be reached.
        """
        with self._lock:
            if self._ef != ef and not self._searching:
                self._index.set_ef(ef)
                self._ef = ef
            shared = self._ef == ef
            self._searching += shared
        try:
            count = k if shared else min(ef, len(self))
            labels, distances = self._index.knn_query(query, count, num_threads=1)
        except RuntimeError:
            return None
        finally:
            if shared:
                with self._lock:
                    self._searching -= 1
        return labels[0, :k], distances[0, :k]

    def save(self, path: Path) -> None:
        """Write the graph to a file.

        Raises:
            ResourceExhausted: the disk is full.
        """
        self._index.save_index(os.fsencode(path))
        if path.stat().st_size != self._index.index_file_size():
            raise ResourceExhausted("the server's disk is full; the index is not kept")

    def scores(self, distances: NDArray[np.float32]) -> Scores:
        """Return results of the measure, given squares or 1 - products."""
        if self.measure is COSINE:
            scores: Scores = np.minimum(1.0 - distances, 1.0)
            return scores
        exact = distances.astype(np.float64)
        if self.measure is DISTANCE:
            return np.sqrt(np.maximum(exact, 0))
        return 1.0 - exact


def _hnswlib() -> Any:
    try:
        import hnswlib
    except ImportError:
        raise NotSupported(
            "an HNSW index needs hnswlib, not installed on the server; "
            "pip install 'thanosql-flight[hnsw]'"
        ) from None
    return hnswlib


def _no_room(labels: int, dim: int, m: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"an index of {labels:,} vectors takes {bytes_of(labels, dim, m):,} bytes, and "
        "the server has not got them free"
    )
