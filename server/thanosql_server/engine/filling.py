"""Embeddings of a generated column made and committed, a batch at a time.

What is embedded goes to a file first (see `storage.unfinished`), so that memory is
bounded and a killed server has not worked in vain, then into the table in one commit.
Another writer's commit wins: the rows are then looked up anew, and found in the file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from thanosql_server.engine.embedding import text_encoder
from thanosql_server.engine.freshness import waiting
from thanosql_server.errors import Conflict, InvalidStatement, ThanoSQLError
from thanosql_server.ml.decoding import Unreadable
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.ml.text_pipeline import EmptyTexts, embed_texts
from thanosql_server.search.vectors import as_matrix
from thanosql_server.storage.generated import INPUT_BITS, NOTHING, generated_columns
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.encoders import Encoders
    from thanosql_server.engine.freshness import Freshness
    from thanosql_server.engine.models import ModelHandle, Models
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.table import Table
    from thanosql_server.storage.unfinished import SavedEmbeddings
    from thanosql_server.storage.workspace import Workspace

    Numbers = NDArray[np.uint64]

FEWEST, SHARE = 4096, 8
"""Rows of one commit: so many, or one of so many of the table's. A commit writes the
column anew for the whole fragments that its rows are in."""

_ROWS_AT_ONCE = 2048
ATTEMPTS = 20
LONGEST_PAUSE = 0.1
"""Seconds to wait before the rows are looked up anew."""


class Scope(Enum):
    """Which rows are embedded."""

    WAITING = auto()
    """Some of those that have not been tried, or all if the model is a new one."""
    CHANGED = auto()
    """Those, those that failed, and those whose pictures have changed."""
    ALL = auto()


@dataclass(frozen=True)
class Filler:
    """Fills generated columns.

    Attributes:
        workspace: has the tables.
        models: finds those of the columns.
        encoders: loads them.
        freshness: tells one build of a model from another.
        decode_threads: threads that read and decode pictures.
    """

    workspace: Workspace
    models: Models
    encoders: Encoders
    freshness: Freshness
    decode_threads: int

    def fill(
        self, space: Space, name: str, column: str, scope: Scope, control: Control
    ) -> int:
        """Embed rows of a column in one commit and return how many have embeddings.

        Raises:
            Conflict: others are at it, or changed the table again and again.
            ThanoSQLError: there is no such table, column or model any more.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                return self._once(space, name, column, scope, control)
            except Conflict:
                control.check()
                time.sleep(LONGEST_PAUSE * attempt / ATTEMPTS)
        return self._once(space, name, column, scope, control)

    def forget_saved(self, space: Space, table: Table, column: Generated) -> None:
        """Remove embeddings of rows that have been committed, if some are left."""
        build = self.freshness.current(column)
        if build is not None:
            identity = _identity(space, table, column, build)
            self.workspace.unfinished.drop(*identity, dim=column.dim)

    def _once(
        self, space: Space, name: str, column: str, scope: Scope, control: Control
    ) -> int:
        table = space.tables.open(name)
        found = [one for one in generated_columns(table.schema) if one.column == column]
        if not found:
            return 0
        handle = self.models.ensure(self.models.find(found[0].model), control)
        if handle.dim != found[0].dim:
            raise InvalidStatement(
                f"model '{handle.name}' gives {handle.dim} numbers by now and column "
                f"'{column}' of table '{name}' holds {found[0].dim}; drop the column "
                "and add it again"
            )
        return _Filling(self, space, table, found[0], handle, scope, control).run()


def _identity(
    space: Space, table: Table, column: Generated, build: int
) -> tuple[str, ...]:
    """Return what tells the embeddings of a column, by a build of a model."""
    return table.name, space.schema, column.column, column.function, str(build)


@dataclass(frozen=True)
class _Filling:
    """One commit of embeddings."""

    filler: Filler
    space: Space
    table: Table
    column: Generated
    handle: ModelHandle
    scope: Scope
    control: Control

    def run(self) -> int:
        rows, origins = self._wanted()
        identity = _identity(self.space, self.table, self.column, self._build)
        unfinished = self.filler.workspace.unfinished
        if not len(rows):
            # Another filler may have been faster with what this one has saved.
            unfinished.drop(*identity, dim=self.column.dim)
            return 0
        with unfinished.held(*identity, dim=self.column.dim) as saved:
            if self.scope is Scope.ALL:
                saved.clear()
            records = saved.find(origins)
            records[origins == NOTHING] = -1
            self._embed(rows, origins, records, saved)
            self._require_same_model()
            origins = np.where(records >= 0, origins, np.uint64(NOTHING))
            self._commit(rows, origins, records, saved)
        return int((records >= 0).sum())

    @property
    def _build(self) -> int:
        return self.filler.freshness.build(self.column, self.handle)

    def _require_same_model(self) -> None:
        """Raise Conflict if the model was built anew meanwhile."""
        if self.filler.freshness.current(self.column) != self._build:
            raise Conflict(
                f"model '{self.handle.name}' was replaced meanwhile; try again"
            )

    # Which rows

    def _wanted(self) -> tuple[Numbers, Numbers]:
        """Return the rows to embed, by ascending id, and the origins they are to have.

        Memory: 24 bytes for each of these rows.
        """
        build, origin_of = np.uint64(self._build), self._origin_of()
        parts = [(np.zeros(0, np.uint64), np.zeros(0, np.uint64))]
        done = 0
        for batch in self._candidates():
            values = batch.column(self.column.input)
            now = np.fromiter(map(origin_of, values.to_pylist()), np.uint64)
            chosen = self._chosen(batch, now, build)
            parts.append((batch.column(ROW_ID).to_numpy()[chosen], now[chosen]))
            done += batch.num_rows
            self.control.report("comparing", done)
        rows, origins = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(rows)
        return rows[order], origins[order]

    def _candidates(self) -> Iterator[pa.RecordBatch]:
        counts = self.filler.freshness.counts(self.table, self.column)
        if self.scope is Scope.WAITING and not counts.stale:
            most = most_at_once(counts.rows)
            only = waiting(self.column)
            names = [self.column.input]
            return self.table.scan(names, only, row_ids=True, limit=most)
        names = [self.column.input, self.column.origin]
        return self.table.scan(names, row_ids=True)

    def _chosen(
        self, batch: pa.RecordBatch, now: Numbers, build: np.uint64
    ) -> NDArray[np.bool_]:
        """Return which rows of a batch are to be embedded."""
        place = batch.schema.get_field_index(self.column.origin)
        there = batch.column(self.column.input).is_valid()
        given: NDArray[np.bool_] = there.to_numpy(zero_copy_only=False)
        if place < 0 or self.scope is Scope.ALL:
            return given
        unset = batch.column(place).is_null().to_numpy(zero_copy_only=False)
        old = batch.column(place).fill_null(0).to_numpy(zero_copy_only=False)
        if self.scope is Scope.CHANGED:
            wanted = unset | (old == NOTHING) | (old != now)
        else:
            wanted = unset | (
                (old != NOTHING) & (old >> np.uint64(INPUT_BITS) != build)
            )
        return np.asarray(given & wanted, np.bool_)

    def _origin_of(self) -> Callable[[str | None], int]:
        """Return what computes the origin of an input's embedding."""
        build = self._build << INPUT_BITS
        if self.column.function == "embed_text":
            return lambda text: build | _hash(text) if _worded(text) else NOTHING
        resolve = self.filler.workspace.paths.resolve

        def of(path: str | None) -> int:
            state = _state(path, resolve)
            return NOTHING if state is None else build | _hash(state)

        return of

    # Their embeddings

    def _embed(
        self,
        rows: Numbers,
        origins: Numbers,
        records: NDArray[np.int64],
        saved: SavedEmbeddings,
    ) -> None:
        """Embed what is not saved yet; note its place in `records`."""
        left = np.flatnonzero(records < 0)
        if not len(left):
            return
        start = 0
        for array in self._embeddings(self._inputs(rows[left]), len(left)):
            part = left[start : start + len(array)]
            start += len(array)
            vectors, good = as_matrix(array, self.column.dim)
            good &= origins[part] != NOTHING  # its file came into being just now
            unit = vectors[good].astype(np.float32, copy=False)
            records[part[good]] = saved.append(origins[part[good]], unit)

    def _inputs(self, rows: Numbers) -> Iterator[str | None]:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE].tolist()
            yield from self.table.take(part, [self.column.input]).column(0).to_pylist()

    def _embeddings(
        self, inputs: Iterator[str | None], total: int
    ) -> Iterable[pa.Array]:
        filler, control = self.filler, self.control
        encoder = filler.encoders.encoder(self.handle)
        if self.column.function == "embed_text":
            texts, empty = text_encoder(self.handle, encoder), EmptyTexts()
            yield from embed_texts(inputs, texts, control, empty, total=total)
            empty.warn(control, "have no embedding")
            return
        counted = Unreadable()
        yield from embed_paths(
            inputs,
            filler.workspace.paths.resolve,
            encoder,
            control,
            decode_threads=filler.decode_threads,
            total=total,
            unreadable=counted,
        )
        counted.warn(control, "have no embedding")

    def _commit(
        self,
        rows: Numbers,
        origins: Numbers,
        records: NDArray[np.int64],
        saved: SavedEmbeddings,
    ) -> None:
        names, dim = [self.column.column, self.column.origin], self.column.dim

        def batches() -> Iterator[pa.RecordBatch]:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                values = _vectors(saved, records[part], dim)
                columns = [pa.array(rows[part]), values, pa.array(origins[part])]
                yield pa.RecordBatch.from_arrays(columns, [ROW_ID, *names])

        self.control.check()
        self.table.update(names, batches())


def most_at_once(rows: int) -> int:
    """Return how many rows that wait are embedded for one commit, of so many rows."""
    return max(FEWEST, rows // SHARE)


def _vectors(
    saved: SavedEmbeddings, records: NDArray[np.int64], dim: int
) -> pa.FixedSizeListArray:
    """Return saved embeddings, NULL where there is none."""
    vectors = np.zeros((len(records), dim), np.float32)
    vectors[records >= 0] = saved.vectors(records[records >= 0])
    return pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), dim, mask=pa.array(records < 0)
    )


def _worded(text: str | None) -> bool:
    return text is not None and bool(text.strip())


def _state(path: str | None, resolve: Callable[[str], Path]) -> str | None:
    """Return what tells a picture from others and from what it was; None if none."""
    if path is None:
        return None
    try:
        file = resolve(path).stat()
    except (OSError, ValueError, ThanoSQLError):
        return None
    return f"{file.st_size}\0{file.st_mtime_ns}\0{path}"


def _hash(text: str | None) -> int:
    """Return `INPUT_BITS` bits of a hash over a text."""
    size = INPUT_BITS // 8
    digest = blake2b((text or "").encode("utf-8", "surrogatepass"), digest_size=size)
    return int.from_bytes(digest.digest(), "little")
