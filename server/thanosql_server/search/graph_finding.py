"""One search through a graph, sieved by what counts in a version of the table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.search.exact import Found
from thanosql_server.search.graph_rows import LONGEST, SHORTEST, sort_out
from thanosql_server.search.measures import COSINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from thanosql_server.search.coverage import Cover
    from thanosql_server.search.loaded_graph import Loaded
    from thanosql_server.search.measures import Measure
    from thanosql_server.search.nearest import Search

    RowIds = NDArray[np.uint64]
    Scores = NDArray[np.float32] | NDArray[np.float64]
    Queries = NDArray[np.float32]

FEWEST_PASSING = 0.5
"""A filter that keeps a smaller share of the rows is quicker by the codes."""

MOST_IN_SIGHT = 4096
"""Rows in sight, grown because too few count, beyond which comparing is quicker."""

_DEEP = 0.6
"""Of the rows in sight those beyond this share are found less surely."""

_UNIT = 1e-7
"""A vector whose length differs from 1 by less is of unit length."""


@dataclass(frozen=True)
class Finding:
    """One search on its way through a graph."""

    search: Search
    loaded: Loaded
    cover: Cover
    ids: RowIds | None
    queries: Queries
    threads: int

    def found(self) -> list[Found] | None:
        """Return k rows for each query, or None."""
        search, cover = self.search, self.cover
        share, rows = cover.share, cover.rows + len(cover.beside.ids)
        wanted = None
        if self.ids is not None:
            if len(self.ids) < FEWEST_PASSING * rows:
                return None
            wanted = cover.mask(self.ids)
            share *= len(self.ids) / max(rows, 1)
            rows = len(self.ids)
        if 2 * search.k > rows:
            return None
        sight = max(search.ef, 2 * search.k)
        sight = min(int(sight / max(share, 1e-3)), max(MOST_IN_SIGHT, sight))
        most = max(MOST_IN_SIGHT, sight)
        while sight <= most:
            near = self.loaded.graph.nearest(
                self.queries, sight, search.k, self.threads
            )
            if near is None:
                return None
            hits = [self._counted(*one, wanted) for one in zip(*near, strict=True)]
            enough = [hit for hit in hits if hit is not None]
            if len(enough) == len(hits):
                return self._with_rest(enough)
            sight *= 2
        return None

    def _counted(
        self,
        labels: NDArray[np.uint64],
        scores: Scores,
        wanted: NDArray[np.bool_] | None,
    ) -> tuple[RowIds, Scores] | None:
        """Return the first k rows of those found that count; None if too few do."""
        k, rows = self.search.k, self.loaded.rows
        if self.cover.whole and wanted is None and rows.by_vector is not None:
            return rows.by_vector[labels[:k].astype(np.intp)], scores[:k]
        ids, which = rows.of(labels)
        passes = self.cover.passing(ids, wanted)
        if passes is not None:
            ids, which = ids[passes], which[passes]
        everything = len(labels) == len(self.loaded.graph)
        if not everything and (len(ids) < k or which[k - 1] >= _DEEP * len(labels)):
            return None
        return ids[:k], scores[which[:k]]

    def _with_rest(self, hits: Sequence[tuple[RowIds, Scores]]) -> list[Found] | None:
        """Add the rows that the graph has not, and keep the k nearest of both."""
        found = []
        for (ids, scores), query in zip(hits, self.search.queries, strict=True):
            if len(self.cover.beside.ids):
                more = self.cover.beside.best(query, self.search.k, wanted=self.ids)
                ids = np.concatenate([ids, more[0]])
                scores = np.concatenate([scores, more[1]])
            if len(ids) < self.search.k:
                return None
            found.append(_nearest(ids, scores, self.search))
        return found


def _nearest(ids: RowIds, scores: Scores, search: Search) -> Found:
    """Return the k nearest of some rows, those of equal scores in table order."""
    measure = search.measure
    ranks = scores if measure.nearest_is_least else -scores
    order = np.lexsort((ids, ranks))[: search.k]
    return Found(ids[order], scores[order].astype(_numbers(measure)), compared=False)


def quickly(search: Search, loaded: Loaded, cover: Cover) -> Found | None:
    """Answer the usual search: one ordinary vector, and no row that must not be found.

    Python's part of a search that takes 0.4 ms must be small.
    """
    by_vector, k = loaded.rows.by_vector, search.k
    if by_vector is None or not cover.whole or 4 * k > len(by_vector):
        return None
    query: Queries = search.queries.astype(np.float32, copy=False)
    (flat,) = query
    with np.errstate(all="ignore"):
        length = math.sqrt(flat.dot(flat))
    if not SHORTEST < length < LONGEST:
        return None
    if search.measure is COSINE and abs(length - 1) > _UNIT:
        query = query / np.float32(length)
    near = loaded.graph.first(query, k, min(max(search.ef, 2 * k), len(by_vector)))
    if near is None:
        return None
    ids, scores = by_vector[near[0]], loaded.graph.scores(near[1])
    if len(cover.beside.ids):
        direction = query[0] if search.measure is COSINE else None
        more = cover.beside.best(
            search.queries[0], k, float(scores[-1]), direction=direction
        )
        if len(more[0]):
            ids = np.concatenate([ids, more[0]])
            return _nearest(ids, np.concatenate([scores, more[1]]), search)
    return Found(ids, scores, compared=False)


def _numbers(measure: Measure) -> type[np.floating]:
    return np.float32 if measure is COSINE else np.float64


def prepared(search: Search) -> Queries | None:
    """Return the queries as a graph wants them; None if one of them is not for it."""
    there = np.ones(len(search.queries), np.bool_)
    found = sort_out(search.queries, there, search.measure)
    return found.vectors if found.fit.all() else None
