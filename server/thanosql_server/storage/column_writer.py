"""New values of one column become files of its table, in one commit.

The least that can be written is written: a new column, or an old one of the fragments
(Lance's blocks of rows) whose rows have changed, is one more file beside those that are
there. Only where the column's type or metadata changes is the table written anew, since
Lance cannot drop and add a column in one commit.
"""

from __future__ import annotations

import json
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lance
import numpy as np
import pyarrow as pa
from lance.file import LanceFileWriter
from lance.fragment import FragmentMetadata, write_fragments

from thanosql_server.errors import InternalError
from thanosql_server.storage.columns import (
    cast_column,
    origin_field,
    require_no_nulls,
)
from thanosql_server.storage.faults import Relay, translated
from thanosql_server.storage.scan import Scan
from thanosql_server.storage.widths import fitting_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_TOMBSTONE = -2
"""Stands in a data file's list of fields for one that a newer file holds."""


class Values:
    """Values of the changed rows of a column, with the numbers of their origins.

    Args:
        field: the column as it is stored.
        arrays: values of the changed rows, in table order, in arrays of any length.
        rows: how many rows the table has.
        changed: for each row whether it gets a new value; None if all of them do.
        origins: for each row what its value was made from; see `Table.origins`.
    """

    def __init__(
        self,
        field: pa.Field,
        arrays: Iterator[pa.Array],
        rows: int,
        changed: NDArray[np.bool_] | None = None,
        origins: NDArray[np.uint64] | None = None,
    ) -> None:
        self.field = field
        self.rows = rows
        self.changed = np.ones(rows, np.bool_) if changed is None else changed
        self.origins = origins
        self.failure: BaseException | None = None
        self._arrays = iter(arrays)
        self._waiting: deque[pa.Array] = deque()

    @property
    def schema(self) -> pa.Schema:
        """The column, and that of its origins if it has one."""
        origin = [] if self.origins is None else [origin_field(self.field.name)]
        return pa.schema([self.field, *origin])

    def batch(self, start: int, rows: int, old: pa.Array | None) -> pa.RecordBatch:
        """Return the rows from `start` on, unchanged ones with their `old` values."""
        stop = start + rows
        changed = self.changed[start:stop]
        column = self._next(int(changed.sum()))
        if old is not None and len(column) < rows:
            places = np.arange(rows)
            places[changed] = rows + np.arange(len(column))
            column = pa.concat_arrays([old, column]).take(pa.array(places))
        columns = [column]
        if self.origins is not None:
            columns.append(pa.array(self.origins[start:stop], pa.uint64()))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def require_end(self) -> None:
        """Raise InternalError if values are left."""
        if any(map(len, self._waiting)) or self._more() is not None:
            raise self._wrong_number()

    def _next(self, count: int) -> pa.Array:
        while sum(map(len, self._waiting)) < count:
            array = self._more()
            if array is None:
                raise self._wrong_number()
            require_no_nulls(array, self.field)
            self._waiting.append(cast_column(array, self.field))
        parts = pa.chunked_array(self._waiting, self.field.type)
        self._waiting = deque(parts.slice(count).chunks)
        return parts.slice(0, count).combine_chunks()

    def _more(self) -> pa.Array | None:
        """Return the next array with values, or None at the end."""
        try:
            return next((array for array in self._arrays if len(array)), None)
        except BaseException as failure:
            self.failure = failure
            raise

    def _wrong_number(self) -> InternalError:
        return InternalError(
            f"column '{self.field.name}' has not exactly one value for each of the "
            f"{int(self.changed.sum())} rows; nothing was changed"
        )


@dataclass(frozen=True)
class ColumnWriter:
    """Writes a column of one version of a table.

    Attributes:
        table: the table's name, for errors.
        folder: where the table is.
        dataset: the version whose rows the values belong to; a newer one is a conflict.
    """

    table: str
    folder: Path
    dataset: lance.LanceDataset

    def write(self, values: Values) -> None:
        """Commit the values, or raise and leave the table as it is."""
        if values.field.name not in self.dataset.schema.names:
            self._extend(values)
        elif self._fits_in_place(values):
            self._in_place(values)
        else:
            self._anew(values)

    def _extend(self, values: Values) -> None:
        """Add the column, one file per fragment."""
        source = Relay(self._whole(values), values.schema)
        with translated("adding a column to", self.table, source):
            self.dataset.add_columns(source.reader)

    def _whole(self, values: Values) -> Iterator[pa.RecordBatch]:
        yield from _new_rows(values, 0, values.rows)
        values.require_end()

    def _fits_in_place(self, values: Values) -> bool:
        """Whether the table's schema stays as it is, and rows can be counted on."""
        schema = self.dataset.schema
        origin = origin_field(values.field.name).name
        return (
            schema.field(values.field.name).equals(values.field, check_metadata=True)
            and (origin in schema.names) == (values.origins is not None)
            and not any(f.children() for f in self._fields(values))
            and not any(f.num_deletions for f in self.dataset.get_fragments())
        )

    def _fields(self, values: Values) -> list[Any]:
        names = values.schema.names
        fields = {f.name(): f for f in self.dataset.lance_schema.fields()}
        return [fields[name] for name in names]

    def _in_place(self, values: Values) -> None:
        """Write one file for each fragment that has changed rows."""
        ids = [field.id() for field in self._fields(values)]
        written: list[Path] = []
        try:
            with translated("replacing a column of", self.table, values):
                updated, start = [], 0
                for fragment in self.dataset.get_fragments():
                    rows = fragment.count_rows()
                    if values.changed[start : start + rows].any():
                        file = self._write_file(fragment, start, values, written)
                        updated.append(_with_file(fragment.metadata, ids, file))
                    start += rows
                values.require_end()
                update = lance.LanceOperation.Update(
                    updated_fragments=updated, fields_modified=ids
                )
                lance.LanceDataset.commit(
                    self.dataset, update, self.dataset.version, max_retries=0
                )
        except BaseException:
            for path in written:
                with suppress(OSError):
                    path.unlink()
            raise

    def _write_file(
        self, fragment: Any, start: int, values: Values, written: list[Path]
    ) -> Path:
        """Write the column of one fragment, whose first row is number `start`."""
        path = self.folder / "data" / f"{uuid.uuid4().hex}.lance"
        written.append(path)
        version = self.dataset.data_storage_version
        with LanceFileWriter(str(path), values.schema, version=version) as writer:
            for batch in self._rows_of(fragment, start, values):
                writer.write_batch(batch)
        return path

    def _rows_of(
        self, fragment: Any, start: int, values: Values
    ) -> Iterator[pa.RecordBatch]:
        """Yield new and old values of one fragment, whose first row is `start`."""
        rows = fragment.count_rows()
        if values.changed[start : start + rows].all():
            yield from _new_rows(values, start, rows)
            return
        only = frozenset({fragment.fragment_id})
        scan = Scan(self.dataset, [values.field.name], fragments=only)
        for old in scan.batches():
            yield values.batch(start, old.num_rows, old.column(0))
            start += old.num_rows

    def _anew(self, values: Values) -> None:
        """Write the whole table."""
        name, schema = values.field.name, self.dataset.schema
        origin = origin_field(name).name
        others = [f for f in schema if f.name not in (name, origin)]
        position = schema.names.index(name)
        others.insert(position, values.field)
        kept = pa.schema([*others, *list(values.schema)[1:]], metadata=schema.metadata)

        def replaced() -> Iterator[pa.RecordBatch]:
            start = 0
            same = schema.field(name).type.equals(values.field.type)
            for batch in Scan(self.dataset, schema.names).batches():
                old = batch.column(name) if same else None
                new = values.batch(start, batch.num_rows, old)
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                columns |= dict(zip(new.schema.names, new.columns, strict=True))
                start += batch.num_rows
                arrays = [columns[field.name] for field in kept]
                yield pa.RecordBatch.from_arrays(arrays, schema=kept)
            values.require_end()

        source = Relay(replaced(), kept)
        with translated("replacing a column of", self.table, source):
            overwrite = write_fragments(
                source.reader, self.dataset, mode="overwrite", return_transaction=True
            )
            # Without retries Lance refuses if this version is no longer the newest.
            lance.LanceDataset.commit(self.dataset, overwrite, max_retries=0)


def _new_rows(values: Values, start: int, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield new values of rows that all have one."""
    step = fitting_rows(values.schema, values.schema.names)
    for first in range(start, start + rows, step):
        yield values.batch(first, min(step, start + rows - first), None)


def _with_file(
    metadata: FragmentMetadata, ids: list[int], file: Path
) -> FragmentMetadata:
    """Return a fragment whose fields `ids` are in a new file, in this order."""
    fragment = metadata.to_json()
    files = []
    for old in fragment["files"]:
        fields = [_TOMBSTONE if number in ids else number for number in old["fields"]]
        if any(number != _TOMBSTONE for number in fields):
            files.append(old | {"fields": fields})
    new = {
        "path": file.name,
        "fields": ids,
        "column_indices": list(range(len(ids))),
        "file_size_bytes": file.stat().st_size,
    }
    files.append(fragment["files"][-1] | new)
    return FragmentMetadata.from_json(json.dumps(fragment | {"files": files}))
