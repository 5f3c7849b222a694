"""CONVERT of a stored table: what has not changed is kept, what was done is not lost.

Beside its embeddings a table has a hidden column of origins: 64 bits of a hash over the
picture's path, size and time of change and over the model. A row whose origin is what
it would be now keeps its embedding. Pictures that could not be read have the origin 0,
and are tried again each time. What is embedded goes to a file first (see
`storage.unfinished`), then into the table in one commit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.ml.pipeline import with_embeddings
from thanosql_server.search.vectors import as_matrix, dim_of
from thanosql_server.storage.columns import origin_field, storable_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.storage.table import Table
    from thanosql_server.storage.unfinished import SavedEmbeddings, Unfinished

_FORMAT = "1"
"""Changes when the same picture and model are to give other embeddings than before."""

_ROWS_AT_ONCE = 2048


class Embed(Protocol):
    """`embed_paths` with all but these arguments."""

    def __call__(
        self, paths: Iterable[str | None], *, total: int = 0
    ) -> Iterable[pa.Array]:
        """Return the embeddings in arrays, in order."""


class Origins:
    """Computes the origins of embeddings.

    Args:
        resolve: turns a path as its user wrote it into a file.
        model: whatever tells the model from all others, also of the same name.
    """

    def __init__(self, resolve: Callable[[str], Path], *model: str) -> None:
        self._resolve = resolve
        self._model = blake2b("\0".join((_FORMAT, *model)).encode(), digest_size=8)

    def of(self, path: str | None) -> int:
        """Return the origin of a picture's embedding, 0 if there is no such file."""
        if path is None:
            return 0
        try:
            file = self._resolve(path).stat()
        except (OSError, ValueError, ThanoSQLError):
            return 0
        digest = self._model.copy()
        digest.update(f"\0{file.st_size}\0{file.st_mtime_ns}\0{path}".encode())
        return int.from_bytes(digest.digest(), "little") or 1


def embedded(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    column: str,
    field: pa.Field,
    origins: Origins,
    embed: Embed,
) -> pa.RecordBatchReader:
    """Return the rows with their embeddings as last column, and the hidden origins.

    Args:
        batches: the rows; a column of the new one's name is replaced.
        schema: of the rows.
        column: has the paths.
        field: the new column.
        origins: computes origins.
        embed: computes embeddings.
    """
    others = [name for name in schema.names if name != field.name]
    fields = [schema.field(name) for name in others]
    whole = pa.schema([*fields, field, origin_field(field.name)])
    noted: deque[int] = deque()

    def noting(paths: Iterable[str | None]) -> Iterable[pa.Array]:
        return embed(_noted(paths, origins, noted))

    def rows() -> Iterator[pa.RecordBatch]:
        for batch, vectors in with_embeddings(batches, column, noting):
            found = np.array([noted.popleft() for _ in range(len(vectors))], np.uint64)
            found[vectors.is_null().to_numpy(zero_copy_only=False)] = 0
            kept = batch.select(others).columns
            arrays = [*kept, vectors, pa.array(found)]
            yield pa.RecordBatch.from_arrays(arrays, schema=whole)

    return pa.RecordBatchReader.from_batches(whole, rows())


def _noted(
    paths: Iterable[str | None], origins: Origins, noted: deque[int]
) -> Iterator[str | None]:
    """Yield the paths; note each one's origin before the picture is read."""
    for path in paths:
        noted.append(origins.of(path))
        yield path


@dataclass(frozen=True)
class Survey:
    """What there is to do, one element per row of the table.

    Attributes:
        origins: of the embedding that the row would get now; 0 if there is no picture.
        kept: whether the row has that embedding.
        empty: whether the row is known to have none.
        missing: whether its path is NULL.
    """

    origins: NDArray[np.uint64]
    kept: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    missing: NDArray[np.bool_]

    @property
    def todo(self) -> NDArray[np.bool_]:
        """Rows whose pictures are to be embedded."""
        return ~self.kept & ~self.missing

    @property
    def is_settled(self) -> bool:
        """Whether every row has what it is to have."""
        return bool((self.kept | (self.missing & self.empty)).all())


@dataclass(frozen=True)
class Conversion:
    """Embeddings as a column of the table that has the paths.

    Attributes:
        table: the version to work on.
        paths: its column of paths.
        field: the column of embeddings.
        origins: computes origins.
        embed: computes embeddings.
        unfinished: where embeddings are saved until the table is written.
        model: tells the model from all others.
        control: gets progress, and notes of what was kept.
        refresh: whether to embed every picture anew.
    """

    table: Table
    paths: str
    field: pa.Field
    origins: Origins
    embed: Embed
    unfinished: Unfinished
    model: tuple[str, ...]
    control: Control
    refresh: bool = False

    def run(self) -> None:
        """Embed what is missing or has changed, and commit it.

        Raises:
            Conflict: the table was changed meanwhile, or is being converted already.
        """
        storable_field(self.field)
        survey = self._survey()
        kept = int(survey.kept.sum())
        if kept:
            self.control.note(
                f"kept {kept} of {len(survey.kept)} embeddings, whose pictures and "
                "model have not changed; refresh=True makes them anew"
            )
        if survey.is_settled:
            return
        dim = dim_of(self.field.type) or 0
        what = (self.field.name, *self.model)
        with self.unfinished.held(self.table.name, *what, dim=dim) as saved:
            if self.refresh:
                saved.clear()
            records = self._found(survey, saved)
            self._embed(survey, saved, records)
            self._commit(survey, saved, records, dim)

    def _survey(self) -> Survey:
        """Look at every picture's file, and compare."""
        hidden = self.table.origins(self.field.name)
        present = self.field.name in self.table.schema.names
        same = present and self.table.schema.field(self.field.name).type.equals(
            self.field.type
        )
        known = hidden is not None and same and not self.refresh
        columns = [self.paths, hidden] if known and hidden else [self.paths]
        parts, done = [], 0
        for batch in self.table.scan(columns):
            now = np.fromiter(map(self.origins.of, batch.column(0).to_pylist()), "u8")
            missing = batch.column(0).is_null().to_numpy(zero_copy_only=False)
            kept = empty = np.zeros(len(now), np.bool_)
            if known:
                before = batch.column(1)
                there = before.is_valid().to_numpy(zero_copy_only=False)
                old = before.fill_null(0).to_numpy(zero_copy_only=False)
                kept, empty = (old == now) & (now != 0), there & (old == 0)
            parts.append((now, kept, empty, missing))
            done += len(now)
            self.control.report("comparing", done)
        if not parts:
            none = np.zeros(0, np.bool_)
            return Survey(np.zeros(0, np.uint64), none, none, none)
        return Survey(*map(np.concatenate, zip(*parts, strict=True)))

    def _found(self, survey: Survey, saved: SavedEmbeddings) -> NDArray[np.int64]:
        """Return each row's saved embedding, -1 if there is none."""
        records = saved.find(survey.origins)
        records[~survey.todo | (survey.origins == 0)] = -1
        found = int((records >= 0).sum())
        if found:
            self.control.note(
                f"went on from a CONVERT that did not end: {found} embeddings were "
                "saved by then"
            )
        return records

    def _embed(
        self, survey: Survey, saved: SavedEmbeddings, records: NDArray[np.int64]
    ) -> None:
        """Embed what was not saved yet; note its place in `records`."""
        wanted = survey.todo & (records < 0)
        rows = np.flatnonzero(wanted)
        if not len(rows):
            return
        start = 0
        for array in self.embed(self._paths(wanted), total=len(rows)):
            part = rows[start : start + len(array)]
            start += len(array)
            vectors, good = as_matrix(array, array.type.list_size)
            good &= survey.origins[part] != 0  # its file came into being just now
            new = survey.origins[part[good]]
            unit = vectors[good].astype(np.float32, copy=False)
            records[part[good]] = saved.append(new, unit)

    def _paths(self, wanted: NDArray[np.bool_]) -> Iterator[str | None]:
        start = 0
        for batch in self.table.scan([self.paths]):
            part = wanted[start : start + batch.num_rows]
            start += batch.num_rows
            yield from batch.column(0).filter(pa.array(part)).to_pylist()

    def _commit(
        self,
        survey: Survey,
        saved: SavedEmbeddings,
        records: NDArray[np.int64],
        dim: int,
    ) -> None:
        """Store the new embeddings and all origins, if any row changes by it."""
        origins = np.where(survey.kept | (records >= 0), survey.origins, 0)
        changed = ~survey.kept & ~(survey.empty & (origins == 0))
        if not changed.any():
            return
        self.control.check()
        values = _values(saved, records[changed], dim)
        self.table.add_column(self.field, values, changed=changed, origins=origins)


def _values(
    saved: SavedEmbeddings, records: NDArray[np.int64], dim: int
) -> Iterator[pa.Array]:
    """Yield saved embeddings, NULL where there is none."""
    for start in range(0, len(records), _ROWS_AT_ONCE):
        part = records[start : start + _ROWS_AT_ONCE]
        vectors = np.zeros((len(part), dim), np.float32)
        vectors[part >= 0] = saved.vectors(part[part >= 0])
        yield pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.reshape(-1)), dim, mask=pa.array(part < 0)
        )
