"""How fresh generated columns are: rows that wait, that failed, of a former model.

It is told from the hidden column of origins alone (see `storage.generated`), so it is
true of every version of a table, after RESTORE and in another process. What is counted
of a fragment (Lance's block of rows) holds as long as its files do.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from thanosql_server.errors import ThanoSQLError
from thanosql_server.sql.options import Options
from thanosql_server.storage.fragments import ROW_BITS
from thanosql_server.storage.generated import (
    INPUT_BITS,
    NOTHING,
    generated_columns,
)
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thanosql_server.engine.encoders import Encoders
    from thanosql_server.engine.models import ModelHandle, Models
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.table import Table

_FORMAT = "1"
"""Changes when the same input and model are to give other embeddings than before."""

_MOST_FRAGMENTS, _MOST_VERSIONS = 100_000, 256
"""Of which counts are kept in memory, some 200 bytes each."""

_WAITING, _FAILED = -1, -2
"""Stand in a fragment's counts for builds of models, which are from 1."""


@dataclass(frozen=True)
class Counts:
    """Rows of one generated column.

    Attributes:
        rows: of the table.
        pending: have an input and have not been tried yet.
        failed: have been tried and have no embedding.
        stale: have one of another build of the model.
    """

    rows: int
    pending: int
    failed: int
    stale: int

    @property
    def todo(self) -> int:
        """Rows that are to be embedded without being asked to."""
        return self.pending + self.stale


def waiting(column: Generated) -> pc.Expression:
    """Return what is true of the rows that have not been tried yet."""
    return pc.field(column.origin).is_null() & pc.field(column.input).is_valid()


class Freshness:
    """Counts rows; safe from any thread.

    Args:
        models: finds those of the columns.
        encoders: tell in what numbers they work.
    """

    def __init__(self, models: Models, encoders: Encoders) -> None:
        self._models = models
        self._encoders = encoders
        self._lock = threading.Lock()
        self._known: dict[tuple[Any, ...], Counter[int]] = {}
        self._versions: dict[tuple[Any, ...], tuple[int, Counter[int]]] = {}

    def build(self, column: Generated, handle: ModelHandle) -> int:
        """Return 24 bits, not zero, that tell a build of a column's model from others.

        Embeddings in whole numbers are others; half precision differs too little.
        """
        model = handle.model
        told = [model.name, str(model.version), model.created.isoformat()]
        if self._encoders.precision(Options({}, {})) == "int8":
            told.append("int8")
        text = "\0".join((_FORMAT, column.function, *told))
        digest = blake2b(text.encode(), digest_size=3).digest()
        return int.from_bytes(digest, "little") or 1

    def current(self, column: Generated) -> int | None:
        """Return the build of the model that is there now; None without a model."""
        try:
            return self.build(column, self._models.find(column.model))
        except ThanoSQLError:
            return None

    def counts(self, table: Table, column: Generated) -> Counts:
        """Return how fresh a column of a version of a table is.

        Without its model nothing is stale: nobody could compare with it.
        """
        rows, found = self._found(table, column)
        current = self.current(column)
        builds = {one: n for one, n in found.items() if one > 0}
        stale = sum(n for one, n in builds.items() if one != current)
        return Counts(
            rows,
            found[_WAITING],
            found[_FAILED],
            stale if current is not None else 0,
        )

    def waits(self, table: Table, name: str) -> bool:
        """Whether a column is generated and has rows that are to be embedded."""
        return any(
            one.column == name and self.counts(table, one).todo
            for one in generated_columns(table.schema)
        )

    def _found(self, table: Table, column: Generated) -> tuple[int, Counter[int]]:
        """Return the rows of a version, and how many there are of each build."""
        key = (table.place, column.mark, column.origin, table.version)
        with self._lock:
            known = self._versions.get(key)
        if known is None:
            counted: Counter[int] = sum(self._parts(table, column), Counter())
            known = table.count_rows(), counted
            with self._lock:
                if len(self._versions) >= _MOST_VERSIONS:
                    del self._versions[next(iter(self._versions))]
                self._versions[key] = known
        return known

    def _parts(self, table: Table, column: Generated) -> Iterable[Counter[int]]:
        """Return the counts of each fragment, known ones without reading.

        A change of the input writes origins anew, too; so their files tell enough.
        """
        fragments = table.fragments(column.origin)
        if fragments is None:
            return _counted(table, column, None).values()
        keys = {one.number: (table.place, column.mark, one) for one in fragments}
        with self._lock:
            known = {n: self._known.get(key) for n, key in keys.items()}
        unknown = frozenset(n for n, counted in known.items() if counted is None)
        if unknown:
            new = _counted(table, column, unknown)
            with self._lock:
                if len(self._known) + len(new) > _MOST_FRAGMENTS:
                    self._known.clear()
                self._known |= {keys[number]: new[number] for number in new}
            known |= new
        return [counted for counted in known.values() if counted is not None]


def _counted(
    table: Table, column: Generated, fragments: frozenset[int] | None
) -> dict[int, Counter[int]]:
    """Count rows by the build of their embedding, in each fragment."""
    found = {number: Counter[int]() for number in fragments or ()}
    unset = set[int]()
    for batch in table.scan([column.origin], row_ids=True, fragments=fragments):
        numbers = batch.column(1).to_numpy() >> np.uint64(ROW_BITS)
        empty = batch.column(0).is_null().to_numpy(zero_copy_only=False)
        origins = batch.column(0).fill_null(0).to_numpy(zero_copy_only=False)
        builds = (origins >> np.uint64(INPUT_BITS)).astype(np.int64)
        builds[origins == NOTHING] = _FAILED
        for number in np.unique(numbers):
            there = numbers == number
            values, counts = np.unique(builds[there & ~empty], return_counts=True)
            of = found.setdefault(int(number), Counter())
            of.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            if empty[there].any():
                unset.add(int(number))
    if unset:
        scan = table.scan([], waiting(column), row_ids=True, fragments=frozenset(unset))
        for batch in scan:
            numbers = batch.column(ROW_ID).to_numpy() >> np.uint64(ROW_BITS)
            for number, count in zip(
                *np.unique(numbers, return_counts=True), strict=True
            ):
                found[int(number)][_WAITING] += int(count)
    return found
