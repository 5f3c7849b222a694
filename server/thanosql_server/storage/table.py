"""One version of one table."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import lance
import pyarrow as pa
from lance import LanceOperation

from thanosql_server.errors import UndefinedTable
from thanosql_server.storage.column_writer import ColumnWriter, Values
from thanosql_server.storage.columns import origin_field, storable_field, visible
from thanosql_server.storage.compaction import rows_in_place
from thanosql_server.storage.faults import translated
from thanosql_server.storage.folder_lock import FolderGone, locked
from thanosql_server.storage.fragments import Fragment, fragments_of
from thanosql_server.storage.generated import invalidated
from thanosql_server.storage.newest import NEWEST, is_there
from thanosql_server.storage.plain_rows import PlainRows, plain_rows
from thanosql_server.storage.row_changes import Deletions, Updates, rewritten
from thanosql_server.storage.scan import ROW_ID, Scan
from thanosql_server.storage.upserts import Additions, together
from thanosql_server.storage.versions import KEPT, forget_old_versions
from thanosql_server.storage.widths import wide_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

    import numpy as np
    import pyarrow.compute as pc
    from numpy.typing import NDArray


class Table:
    """A snapshot: later commits of others do not show; open the table again for them.

    Attributes:
        name: the table's name.
        schema: its columns, without hidden ones.
        version: number of the commit that made this version.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        version: int | None = None,
        kept: timedelta = KEPT,
    ) -> None:
        self._folder = folder
        self._kept = kept
        # Shared by all statements: never changed, only read and committed upon.
        self._dataset = (
            NEWEST.open(folder)
            if version is None
            else lance.dataset(folder, version=version)
        )
        self.name = name
        self.schema: pa.Schema = visible(self._dataset.schema)
        self.version: int = self._dataset.version
        self._fragments: dict[str, list[Fragment] | None] = {}

    def count_rows(self, filter: pc.Expression | None = None) -> int:
        """Return the number of rows for which `filter` is true."""
        if filter is None:
            with self._reading():
                return int(self._dataset.count_rows())
        return sum(batch.num_rows for batch in self.scan([], filter))

    def scan(
        self,
        columns: list[str] | None = None,
        filter: pc.Expression | None = None,
        *,
        row_ids: bool = False,
        batch_rows: int | None = None,
        limit: int | None = None,
        fragments: frozenset[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in table order, in batches of about 4 MiB (256 to 32768 rows).

        Args:
            columns: names, in the order wanted; None for all. No names give batches
                without columns that have a row count.
            filter: an expression over any columns of the table.
            row_ids: whether to add the column `ROW_ID`, which `take` accepts.
            batch_rows: rows per batch at most.
            limit: stop after so many rows.
            fragments: numbers of the only fragments to read (see `fragments`).

        Raises:
            Conflict: the table was dropped meanwhile.
        """
        names = self.schema.names if columns is None else columns
        scan = Scan(self._dataset, names, filter, row_ids, batch_rows, limit, fragments)
        with self._reading():
            yield from scan.batches()

    def fragments(self, column: str) -> list[Fragment] | None:
        """Return what a column is made of; see `fragments_of`."""
        if column not in self._fragments:
            with self._reading():
                self._fragments[column] = fragments_of(self._dataset, column)
        return self._fragments[column]

    def wide_columns(self, columns: list[str]) -> list[str]:
        """Return those that are better read only for the rows that are wanted."""
        with translated("reading", self.name):
            return wide_columns(self._dataset, columns)

    def plain_rows(self, fragment: Fragment, dim: int) -> PlainRows | None:
        """Return where the vectors of a fragment may lie in its file, if they do."""
        known = self._dataset.get_fragment(fragment.number)
        for one in () if known is None else known.metadata.files:
            if one.path == fragment.file:
                column = one.column_indices[one.fields.index(fragment.field)]
                return plain_rows(self._folder / "data" / one.path, column, dim)
        return None

    def field_numbers(self) -> dict[str, int]:
        """Return the number of each column, which it keeps when it is renamed."""
        fields = self._dataset.lance_schema.fields()
        return {field.name(): field.id() for field in fields}

    @property
    def place(self) -> str:
        """Tells tables apart within a process, whatever their names."""
        return str(self._folder)

    def take(self, rows: list[int], columns: list[str] | None = None) -> pa.RecordBatch:
        """Return the rows with these row ids (see `scan`), in the order asked."""
        names = self.schema.names if columns is None else columns
        if not names:
            return pa.RecordBatch.from_pydict({ROW_ID: rows}).select([])
        with self._reading():
            # The public `take` counts positions, which a filtered scan does not know.
            table = self._dataset._take_rows(rows, columns=names)
        return pa.RecordBatch.from_arrays(
            [column.combine_chunks() for column in table.columns], schema=table.schema
        )

    def origins(self, name: str) -> str | None:
        """Return the hidden column with the origins of a column's values, if any.

        An origin is a number of 64 bits that tells what a value was made from, 0 where
        there was nothing to make it from, NULL where that is not known. `scan` gives
        the column as it gives others.
        """
        hidden = str(origin_field(name).name)
        return hidden if hidden in self._dataset.schema.names else None

    def add_column(
        self,
        field: pa.Field,
        arrays: Iterator[pa.Array],
        *,
        changed: NDArray[np.bool_] | None = None,
        origins: NDArray[np.uint64] | None = None,
    ) -> None:
        """Add a column, or replace it, in one commit; this snapshot stays as it is.

        Args:
            field: name, type and metadata of the column.
            arrays: its values in table order, in arrays of any length.
            changed: for each row of a column that is there whether it gets a new value;
                `arrays` has values for these rows only. None for all rows.
            origins: for each row the origin of its value; see `origins`. None if they
                are not known; those that are stored are dropped then.

        Raises:
            Conflict: somebody else has changed the table since this version.
            InvalidData: the column's name or type cannot be stored.
            UndefinedTable: the table was dropped.
        """
        kept = storable_field(field).with_nullable(field.nullable)
        try:
            with locked(self._folder), rows_in_place(self._folder):
                values = Values(kept, arrays, self.count_rows(), changed, origins)
                with self._reading():
                    dataset = lance.dataset(self._folder, version=self.version)
                ColumnWriter(self.name, self._folder, dataset).write(values)
                forget_old_versions(self._folder, self._kept)
        except FolderGone:
            raise UndefinedTable(f"table '{self.name}' was dropped meanwhile") from None

    def delete(self, batches: Iterator[pa.RecordBatch]) -> int:
        """Remove rows in one commit and return their number.

        Args:
            batches: their row ids in the column `ROW_ID`, in any order.

        Raises:
            Conflict: somebody else has changed rows beside these since this version.
            UndefinedTable: the table was dropped.
        """
        deletions = Deletions(self._dataset)
        with self._changing("deleting from", deletions):
            deletions.add(batches)
            self._commit(deletions.operation())
        return deletions.rows

    def update(self, names: list[str], batches: Iterator[pa.RecordBatch]) -> int:
        """Replace values in one commit and return the number of rows, which stay.

        Columns that are kept fresh from a changed one wait to be made anew.

        Args:
            names: the columns whose values are replaced.
            batches: `ROW_ID` and these columns, by ascending row id; of several rows
                with one id the first counts.

        Raises:
            Conflict: somebody else has changed rows beside these since this version.
            NotNullViolation: a NULL for a column declared NOT NULL.
            UndefinedTable: the table was dropped.
        """
        updates = self._updates(names, batches)
        with self._changing("updating", updates):
            self._commit(rewritten(self._dataset, updates))
        return updates.rows

    def _updates(self, names: list[str], batches: Iterator[pa.RecordBatch]) -> Updates:
        """Return new values of columns, and NULLs for what was made from these."""
        schema = self._dataset.schema
        return Updates(schema, *invalidated(schema, names, batches))

    def upsert(
        self,
        names: list[str],
        changes: Iterator[pa.RecordBatch],
        additions: Iterator[pa.RecordBatch],
    ) -> int:
        """Replace values and add rows in one commit; return how many rows it was.

        Args:
            names: the columns whose values are replaced.
            changes: as for `update`; read to its end first.
            additions: rows; columns that they lack are NULL.

        Raises:
            Conflict: somebody else has changed rows beside these since this version.
            NotNullViolation: a NULL for a column declared NOT NULL.
            UndefinedTable: the table was dropped.
        """
        updates = self._updates(names, changes)
        added = Additions(self._dataset, additions)
        with self._changing("updating", updates):
            changed = rewritten(self._dataset, updates) if names else None
            with translated("adding rows to", self.name, added):
                written = added.write()
            self._commit(together(changed, written))
        return updates.rows + added.rows

    def truncate(self) -> None:
        """Remove all rows in one commit.

        Raises:
            Conflict: somebody else has changed rows since this version.
            UndefinedTable: the table was dropped.
        """
        with self._changing("emptying"):
            gone = [one.fragment_id for one in self._dataset.get_fragments()]
            self._commit(LanceOperation.Delete([], gone, "true") if gone else None)

    def alter(self, change: Callable[[lance.LanceDataset], None]) -> None:
        """Change columns or what is declared of them; see `alterations`.

        Raises:
            Conflict: somebody else has changed the same since this version.
            UndefinedTable: the table was dropped.
        """
        with self._changing("altering"):
            change(lance.dataset(self._folder, version=self.version))
            forget_old_versions(self._folder, self._kept)

    def _reading(self) -> AbstractContextManager[None]:
        """Say in our words what fails."""
        return translated("reading", self.name, is_there=self._is_there)

    def _is_there(self) -> bool:
        return is_there(self._folder, self.version)

    @contextmanager
    def _changing(self, doing: str, source: Any = None) -> Iterator[None]:
        """Keep others from dropping the table, and say in our words what fails."""
        try:
            with (
                locked(self._folder),
                rows_in_place(self._folder),
                translated(doing, self.name, source, self._is_there),
            ):
                yield
        except FolderGone:
            raise UndefinedTable(f"table '{self.name}' was dropped meanwhile") from None

    def _commit(self, operation: Any) -> None:
        """Commit on top of whatever others did, unless it touches the same things."""
        if operation is not None:
            NEWEST.commit(self._folder, self._dataset, operation)
