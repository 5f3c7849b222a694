"""Finds the rows that may be among the k nearest, by their codes alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thanosql_server.search.limits import Most

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.search.codes import Codes
    from thanosql_server.search.int8_product import Int8Product, Products
    from thanosql_server.search.limits import CodedQuery, Vector

    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]

BLOCK_ROWS = 16_384
"""Rows multiplied at a time; what is computed from them stays in the cache."""

_BLOCK_PRODUCTS = 1 << 20
"""Products of one block at most, when there are many queries."""

_FIRST_ROWS = 512
"""Rows of which limits are drawn before any row is known to be near."""

_THIN, _THIN_OF_MANY = 0.2, 0.5
"""Where fewer rows than this share are wanted, theirs are copied together first.

For one query a row is multiplied as fast as it is read, and copying takes three times
as long: of 250,000 x 512 a fifth take 8 ms of one thread, and so do all of them. Eight
queries take 31 ms for all, for a copied half 25.
"""

_FEW_QUERIES = 2


class Stretch(NamedTuple):
    """Rows that stand together: the position of the first, codes, which are wanted."""

    start: int
    rows: Codes
    wanted: Mask | None


def screen(
    stretches: Sequence[Stretch],
    queries: Sequence[CodedQuery],
    k: int,
    product: Int8Product,
    control: Control,
) -> list[Positions]:
    """Return for each query the positions that may be among its k best, ascending.

    The k rows that `exact.nearest` puts first are among them, and every row that is as
    near as the k-th.
    """
    codes = np.stack([query.codes for query in queries])
    found = [_Candidates(k) for _ in queries]
    thin = _THIN if len(queries) <= _FEW_QUERIES else _THIN_OF_MANY

    def work(piece: Stretch) -> None:
        control.check()
        piece, places = _gathered(piece, thin)
        if not len(piece.rows):
            return
        most = Most.of(piece.rows)
        products = product(piece.rows.codes, codes)
        for query, candidates, own in zip(queries, found, products, strict=True):
            for near in _near(piece, query, most, own, candidates):
                lower, upper = query.limits(piece.rows[near], own[near])
                positions = near if places is None else places[near]
                candidates.add(piece.start + positions, lower, upper)

    rows = max(256, min(BLOCK_ROWS, _BLOCK_PRODUCTS // len(queries)))
    product.spread(work, _pieces(stretches, rows))
    return [
        _closer(stretches, query, candidates.positions(), k)
        for query, candidates in zip(queries, found, strict=True)
    ]


def _near(
    piece: Stretch,
    query: CodedQuery,
    most: Most,
    products: Products,
    candidates: _Candidates,
) -> Iterator[Positions]:
    """Yield the wanted rows of a piece that may reach the k-th best so far.

    As long as there is none, a few rows are first to find one, as all would do.
    """
    start = 0
    if candidates.least == -np.inf:
        start = max(_FIRST_ROWS, 2 * candidates.k)
        first = np.arange(min(start, len(piece.rows)))
        yield first if piece.wanted is None else first[piece.wanted[first]]
    rows = piece.rows[start:]
    if not len(rows):
        return
    near = start + query.reaching(rows, most, products[start:], candidates.least)
    if piece.wanted is not None:
        near = near[piece.wanted[near]]
    if len(near):
        yield near


def _pieces(stretches: Sequence[Stretch], size: int) -> Iterator[Stretch]:
    for start, rows, wanted in stretches:
        for at in range(0, len(rows), size):
            piece = slice(at, min(at + size, len(rows)))
            mask = None if wanted is None else wanted[piece]
            yield Stretch(start + at, rows[piece], mask)


def _gathered(piece: Stretch, thin: float) -> tuple[Stretch, Positions | None]:
    """Return the rows to multiply, and where they stood if some were left out.

    They are left out if those that are wanted are a smaller share than `thin`.
    """
    start, rows, wanted = piece
    if wanted is None or np.count_nonzero(wanted) > thin * len(rows):
        return piece, None
    hits = np.flatnonzero(wanted)
    return Stretch(start, rows.gathered(hits), None), hits


def _closer(
    stretches: Sequence[Stretch], query: CodedQuery, positions: Positions, k: int
) -> Positions:
    """Look again at the candidates, with the query as it is: about half remain."""
    again = _Candidates(k)
    for start, rows, _ in stretches:
        low, high = np.searchsorted(positions, (start, start + len(rows)))
        for at in range(low, high, BLOCK_ROWS):
            here = positions[at : min(at + BLOCK_ROWS, high)]
            again.add(here, *query.close_limits(rows.gathered(here - start)))
    return again.positions()


class _Candidates:
    """Rows whose upper limit reaches the k-th best lower limit; from any thread.

    Attributes:
        k: how many are looked for.
        least: the k-th best lower limit so far.
    """

    def __init__(self, k: int) -> None:
        self.least = -np.inf
        self.k = k
        self._lock = threading.Lock()
        self._lowers: Vector = np.empty(0)
        self._found: list[tuple[Positions, Vector]] = []

    def add(self, positions: Positions, lower: Vector, upper: Vector) -> None:
        """Take rows into account whose ranks lie between `lower` and `upper`."""
        better = lower[lower > self.least]
        if len(better):
            with self._lock:
                self._raise(better)
        keep = np.flatnonzero(upper >= self.least)
        if len(keep):
            with self._lock:
                self._found.append((positions[keep], upper[keep]))

    def positions(self) -> Positions:
        """Return the rows that remain, ascending."""
        if not self._found:
            return np.empty(0, np.intp)
        places, limits = zip(*self._found, strict=True)
        positions, upper = np.concatenate(places), np.concatenate(limits)
        kept: Positions = np.sort(positions[upper >= self.least])
        return kept

    def _raise(self, better: Vector) -> None:
        lowers = np.concatenate([self._lowers, better])
        if len(lowers) > self.k:
            lowers = np.partition(lowers, len(lowers) - self.k)[-self.k :]
        self._lowers = lowers
        if len(lowers) == self.k:
            self.least = float(lowers.min())
