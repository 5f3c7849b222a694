"""Several comparisons of one column, in one pass over it.

Whoever evaluates them asks batch by batch for one comparison after another.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.search.vectors import as_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.search.exact import Comparison


@dataclass
class _Batch:
    """The last batch that a thread has seen, and results not yet asked for.

    Attributes:
        column: its vectors; held, so that no other batch comes to lie where they are.
        first: the comparison that was asked for first.
        found: results by comparison.
        together: comparisons that were asked for on one batch.
    """

    column: pa.Array | None = None
    first: int = -1
    found: dict[int, pa.Array] = field(default_factory=dict)
    together: set[int] = field(default_factory=set)


class Together:
    """Comparisons of one length and measure; safe from any thread.

    A thread computes for a batch what was asked for together on one before: a
    comparison that nobody wants costs nothing.
    """

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        self._comparisons = comparisons
        self._local = threading.local()

    def scores(self, number: int, column: pa.Array) -> pa.Array:
        """Return what `Comparison.scores` does for one of the comparisons."""
        batch = self._batch()
        if not _is_same(batch.column, column):
            numbers = {number, *batch.together}
            batch.column, batch.first = column, number
            batch.found = self._computed(sorted(numbers), column)
        elif number != batch.first:
            batch.together |= {batch.first, number}
        if number not in batch.found:
            batch.found |= self._computed([number], column)
        return batch.found.pop(number)

    def _batch(self) -> _Batch:
        if not hasattr(self._local, "batch"):
            self._local.batch = _Batch()
        batch: _Batch = self._local.batch
        return batch

    def _computed(self, numbers: list[int], column: pa.Array) -> dict[int, pa.Array]:
        measure = self._comparisons[0].measure
        vectors = [self._comparisons[number].query() for number in numbers]
        matrix, there = as_matrix(column, len(vectors[0]))
        found = measure.compare_each(matrix, vectors)
        return {
            number: pa.array(scores, measure.dtype, mask=~(defined & there))
            for number, (scores, defined) in zip(numbers, found, strict=True)
        }


def _is_same(first: pa.Array | None, second: pa.Array) -> bool:
    """Return whether two arrays are the same rows of the same memory."""
    if first is None or (first.offset, len(first)) != (second.offset, len(second)):
        return False
    return _addresses(first) == _addresses(second)


def _addresses(column: pa.Array) -> list[int]:
    return [buffer.address if buffer else 0 for buffer in column.buffers()]
