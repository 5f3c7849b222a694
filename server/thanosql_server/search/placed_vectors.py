"""The nearest rows compared to the bit, their vectors read by their place in the files.

What a graph finds is in the right order but for the last digits of its scores. To
compare the rows as every search does takes their vectors: ten of them are read within
0.1 ms by their place, and within 0.5 by Lance.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.exact import Found
from thanosql_server.search.measures import COSINE
from thanosql_server.storage.fragments import ROW_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql_server.search.nearest import Search
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.plain_rows import PlainRows
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]
    Matrix = NDArray[np.float32]
    Key = tuple[str, str, int, int]

_MOST_KNOWN = 1024
"""Files whose layout is remembered; the oldest make room."""

_PLACE = np.uint64((1 << ROW_BITS) - 1)
_APART = 1e-3
"""Farther than this from the graph's are only scores of other vectors than the graph's:
where vectors lie in a file is a guess."""


class PlacedVectors:
    """Reads vectors by their place; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, PlainRows | None] = {}

    def compared(self, search: Search, found: Found) -> Found:
        """Return the rows compared with the query, the nearest first.

        Args:
            search: for cosines, of one query.
            found: what a graph has found for it.

        Returns:
            `found` itself where its vectors cannot be read by their place.
        """
        if found.compared or search.measure is not COSINE:
            return found
        vectors = self._read(search, found.ids)
        if vectors is None:
            return found
        scores, defined = search.measure.compare(vectors, search.queries[0])
        if not defined.all() or np.abs(scores - found.scores).max(initial=0) > _APART:
            return found
        order = np.lexsort((found.ids, -scores))
        return Found(found.ids[order], scores[order])

    def _read(self, search: Search, ids: RowIds) -> Matrix | None:
        fragments = search.table.fragments(search.column)
        if fragments is None:
            return None
        vectors = np.empty((len(ids), search.dim), np.float32)
        numbers = (ids >> np.uint64(ROW_BITS)).astype(np.int64)
        for number in set(numbers.tolist()):
            fragment = next((one for one in fragments if one.number == number), None)
            plain = None if fragment is None else self._plain(search, fragment)
            if plain is None:
                return None
            here = numbers == number
            try:
                vectors[here] = plain.read((ids[here] & _PLACE).astype(np.intp))
            except OSError:
                return None  # the table was dropped, or an old version forgotten
        return vectors

    def _plain(self, search: Search, fragment: Fragment) -> PlainRows | None:
        table: Table = search.table
        key = table.place, fragment.file, fragment.field, search.dim
        if key not in self._known:
            plain = table.plain_rows(fragment, search.dim)
            with self._lock:
                while len(self._known) >= _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[key] = plain
            return plain
        return self._known.get(key)
