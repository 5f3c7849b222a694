"""Makes the graph of a column, or the next from the last, as the vectors stream by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thanosql_server.errors import ResourceExhausted
from thanosql_server.search.graph_rows import (
    DIGEST_BYTES,
    GraphRows,
    digests_of,
    sort_out,
)
from thanosql_server.search.hnsw import Graph, bytes_of
from thanosql_server.search.measures import MEASURES
from thanosql_server.search.vectors import as_matrix, dim_of
from thanosql_server.storage.fragments import ROW_BITS
from thanosql_server.storage.index_records import Run, run_facts
from thanosql_server.storage.scan import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.storage.fragments import Fragment
    from thanosql_server.storage.index_records import Definition, Generation
    from thanosql_server.storage.table import Table

    RowIds = NDArray[np.uint64]

PHASE = "indexing"

_ADDED_ROWS = 1024
"""Vectors put in between two looks at whether the statement was cancelled."""

_MOST_UNUSED = 0.3
"""A graph of which more than this share stands for no row any more is made anew."""


@dataclass(frozen=True)
class Made:
    """A graph with its rows.

    Attributes:
        graph: the vectors.
        rows: the rows that have them.
        runs: the fragments of the table that these are of.
        version: of the table.
    """

    graph: Graph
    rows: GraphRows
    runs: tuple[Run, ...]
    version: int

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files of a generation; return its facts (see `indexes`)."""
        self.graph.save(folder / "graph")
        self.rows.save(folder)
        return {
            "version": self.version,
            "dim": self.graph.dim,
            "labels": len(self.graph),
            "rows": len(self.rows.ids),
            "runs": [run_facts(run) for run in self.runs],
        }


@dataclass(frozen=True)
class Maker:
    """Makes graphs of one column as one version of its table has it.

    Attributes:
        table: that version.
        column: its column of vectors, lists of a fixed size of float32 or float16.
        definition: what was asked for.
        threads: that put in vectors.
        budget: bytes that the graph may take.
        control: is told how far it is, and stops it.
    """

    table: Table
    column: str
    definition: Definition
    threads: int
    budget: int
    control: Control

    def anew(self) -> Made:
        """Make the graph of all rows.

        Raises:
            Cancelled: the statement was cancelled.
            Conflict: the table was dropped meanwhile.
            NotSupported: hnswlib is not installed.
            ResourceExhausted: the graph does not fit in the memory for searches.
        """
        rows = self.table.count_rows()
        self._require_room(rows)
        asked = self.definition
        measure = MEASURES[asked.metric]
        graph = Graph.new(self._dim, measure, asked.m, asked.ef_construction, rows)
        return self._made(graph, None, ())

    def after(self, generation: Generation) -> Made:
        """Make the next graph from the last; see `anew`.

        Only fragments that the last did not cover are read, and of their vectors only
        those go in that were not there.

        Raises:
            DamagedIndex: the last one's files are not what was written.
        """
        if generation.dim != self._dim:
            return self.anew()
        generation.check()
        last = GraphRows.load(generation.folder)
        covered = {run.fragment for run in generation.runs}
        missing = [one for one in self._fragments if one not in covered]
        rows = generation.labels + sum(one.rows for one in missing)
        self._require_room(rows)
        path = generation.folder / "graph"
        measure = MEASURES[self.definition.metric]
        graph = Graph.load(path, self._dim, measure, self.definition.m, rows)
        made = self._made(graph, last, generation.runs)
        used = len(np.unique(made.rows.labels))
        if used < (1 - _MOST_UNUSED) * len(graph):
            return self.anew()
        return made

    @property
    def _dim(self) -> int:
        dim = dim_of(self.table.schema.field(self.column).type)
        assert dim is not None  # callers choose the column by it
        return dim

    @property
    def _fragments(self) -> list[Fragment]:
        fragments = self.table.fragments(self.column)
        assert fragments is not None  # likewise
        return fragments

    def _require_room(self, rows: int) -> None:
        wanted = bytes_of(rows, self._dim, self.definition.m)
        if wanted > self.budget:
            raise ResourceExhausted(
                f"the graph of {rows:,} vectors takes {wanted:,} bytes of memory and "
                f"--search-memory allows {self.budget:,}; start the server with more"
            )

    def _made(self, graph: Graph, last: GraphRows | None, runs: Iterable[Run]) -> Made:
        kept = {run.fragment: run for run in runs}
        missing = [one for one in self._fragments if one not in kept]
        new = _Collected(graph, {} if last is None else last.known())
        self._read(new, missing)
        added = new.rows()
        pieces, found, start = [], _segments(added.ids), 0
        made: list[Run] = []
        for one in self._fragments:
            if last is not None and one in kept:
                source, piece = last, slice(kept[one].start, kept[one].stop)
            else:
                source, piece = added, found.get(one.number, slice(0, 0))
            pieces.append((source.ids[piece], source.labels[piece]))
            made.append(Run(one, start, start + len(pieces[-1][0])))
            start = made[-1].stop
        numbers = [one.number for one in self._fragments if one in kept]
        lacking, apart = added.lacking, added.apart
        digests = added.digests
        if last is not None:
            lacking = np.concatenate([_within(last.lacking, numbers), lacking])
            apart = np.concatenate([_within(last.apart, numbers), apart])
            digests = np.concatenate([last.digests, digests])
        ids = np.concatenate([np.empty(0, np.uint64), *(one for one, _ in pieces)])
        labels = np.concatenate([np.empty(0, np.uint32), *(two for _, two in pieces)])
        rows = GraphRows(ids, labels, lacking, apart, digests)
        return Made(graph, rows, tuple(made), self.table.version)

    def _read(self, new: _Collected, missing: list[Fragment]) -> None:
        """Read fragments and put in what they hold that is new."""
        if not missing:
            return
        total, done = sum(one.rows for one in missing), 0
        only = frozenset(one.number for one in missing)
        self.control.report(PHASE, done, total)
        for batch in self.table.scan([self.column], row_ids=True, fragments=only):
            for piece in _pieces(batch):
                new.add(piece, self.column, self._dim, self.threads)
                done += piece.num_rows
                self.control.report(PHASE, done, total)


class _Collected:
    """Rows as they come by, with the labels of their vectors."""

    def __init__(self, graph: Graph, known: dict[bytes, int]) -> None:
        self._graph = graph
        self._known = known
        self._digests: list[bytes] = []
        self._parts: list[tuple[RowIds, NDArray[np.uint32], RowIds, RowIds]] = []

    def add(self, batch: pa.RecordBatch, column: str, dim: int, threads: int) -> None:
        matrix, there = as_matrix(batch.column(column), dim)
        ids = batch.column(ROW_ID).to_numpy()
        sorted_out = sort_out(matrix, there, self._graph.measure)
        labels = np.empty(len(sorted_out.vectors), np.uint32)
        fresh: list[int] = []
        for place, digest in enumerate(digests_of(sorted_out.vectors)):
            label = self._known.get(digest)
            if label is None:
                label = self._known[digest] = len(self._graph) + len(fresh)
                self._digests.append(digest)
                fresh.append(place)
            labels[place] = label
        self._graph.add(sorted_out.vectors[fresh], threads)
        lacking, apart = ids[sorted_out.lacking], ids[sorted_out.apart]
        self._parts.append((ids[sorted_out.fit], labels, lacking, apart))

    def rows(self) -> GraphRows:
        empty = (np.empty(0, np.uint64),) * 3
        parts = [(empty[0], np.empty(0, np.uint32), *empty[:2]), *self._parts]
        ids, labels, lacking, apart = (
            np.concatenate(one) for one in zip(*parts, strict=True)
        )
        every = np.frombuffer(b"".join(self._digests), np.uint8)
        digests = every.reshape(-1, DIGEST_BYTES)
        return GraphRows(ids, labels, lacking, apart, digests)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for at in range(0, batch.num_rows, _ADDED_ROWS):
        yield batch.slice(at, _ADDED_ROWS)


def _segments(ids: RowIds) -> dict[int, slice]:
    """Return where the rows of each fragment are; they stand together."""
    numbers = ids >> np.uint64(ROW_BITS)
    edges = np.flatnonzero(np.diff(numbers.astype(np.int64))) + 1
    starts = [0, *edges.tolist()]
    stops = [*edges.tolist(), len(ids)]
    if not len(ids):
        return {}
    return {
        int(numbers[start]): slice(start, stop)
        for start, stop in zip(starts, stops, strict=True)
    }


def _within(ids: RowIds, numbers: list[int]) -> RowIds:
    """Return the row ids that are of these fragments."""
    kept: RowIds = ids[np.isin(ids >> np.uint64(ROW_BITS), np.array(numbers, "u8"))]
    return kept
