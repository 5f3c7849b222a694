"""What can be ingested, as a stream of Arrow batches of one schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import pyarrow as pa

from thanosql.errors import DataError, ProgrammingError
from thanosql.upload import size_of

PIECE = 10_000
"""Rows that are read from an iterator of mappings at a time."""

MAX_BATCH_BYTES = 4 << 20
"""Larger batches are cut, so that neither side holds much."""


def reader_of(data: Any) -> pa.RecordBatchReader:
    """Return the rows of `data` as a reader.

    Takes tables, batches, readers and data sets of pyarrow; frames of pandas (without
    their index) and polars; whatever has `__arrow_c_stream__`; a mapping of columns;
    mappings, one per row; and an iterable of any of these, which is read as it goes.

    Raises:
        ProgrammingError: `data` is none of these, or has no columns.
        DataError: the values of a column have no common SQL type.
    """
    try:
        reader = _reader(data)
    except (pa.lib.ArrowException, OverflowError, TypeError, ValueError) as ex:
        raise DataError(f"the data cannot be ingested: {ex}") from None
    if not len(reader.schema):
        raise ProgrammingError("the data to ingest has no columns")
    return reader


def messages_of(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a reader, cut to a few MiB, without metadata of the whole.

    Raises:
        DataError: the source of the rows failed.
    """
    schema = reader.schema.remove_metadata()
    while (batch := _next(reader)) is not None:
        rows = max(1, batch.num_rows * MAX_BATCH_BYTES // max(size_of(batch), 1))
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            yield pa.RecordBatch.from_arrays(part.columns, schema=schema)


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except pa.lib.ArrowException as ex:
        raise DataError(f"the data cannot be ingested: {ex}") from None


def _reader(data: Any) -> pa.RecordBatchReader:
    if isinstance(data, pa.RecordBatchReader):
        return data
    reader = _of_arrow(data) or _of_frame(data)
    if reader is not None:
        return reader
    if isinstance(data, Mapping):
        return pa.table(dict(data)).to_reader()
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, bytearray)):
        return _of_pieces(iter(data))
    raise ProgrammingError(
        f"a {type(data).__name__} cannot be ingested; give a table or reader of "
        "pyarrow, a data frame, or mappings of names to values"
    )


def _of_arrow(data: Any) -> pa.RecordBatchReader | None:
    if hasattr(data, "to_reader"):  # a table, or a scanner, whose module need not be
        return data.to_reader()
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    if hasattr(data, "scanner"):  # a data set
        return data.scanner().to_reader()
    return None


def _of_frame(data: Any) -> pa.RecordBatchReader | None:
    library = type(data).__module__.partition(".")[0]
    if library == "pandas" and hasattr(data, "columns"):
        # Not by its __arrow_c_stream__, which sends an index as a column.
        return pa.Table.from_pandas(data, preserve_index=False).to_reader()
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "__arrow_c_array__"):
        return _reader(pa.record_batch(data))
    if hasattr(data, "to_arrow"):  # polars before it had __arrow_c_stream__
        return _reader(data.to_arrow())
    return None


def _of_pieces(items: Iterator[Any]) -> pa.RecordBatchReader:
    """Return the rows of many pieces; the first decides on the columns."""
    first = next(items, None)
    if first is None:
        raise ProgrammingError(
            "there is nothing to ingest, not even columns; give a table of no rows "
            "to make an empty one"
        )
    whole = chain([first], items)
    pieces = _tables(whole) if isinstance(first, Mapping) else map(_reader, whole)
    start = next(pieces)
    schema = start.schema

    def batches() -> Iterator[pa.RecordBatch]:
        for piece in chain([start], pieces):
            for batch in piece:
                yield _conform(batch, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _tables(rows: Iterator[Mapping[str, Any]]) -> Iterator[pa.RecordBatchReader]:
    names: list[str] = []
    while piece := list(islice(rows, PIECE)):
        # Any of the first rows may be the first to have a name.
        names = names or list(dict.fromkeys(chain.from_iterable(piece)))
        extra = next((name for row in piece for name in row if name not in names), None)
        if extra is not None:
            raise pa.lib.ArrowInvalid(
                f"a later row has '{extra}', which none of the first {PIECE:,} has"
            )
        columns = {name: [row.get(name) for row in piece] for name in names}
        yield pa.table(columns).to_reader()


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    if batch.schema.names != schema.names:
        raise pa.lib.ArrowInvalid(
            f"a later piece has the columns {', '.join(batch.schema.names)}, "
            f"the first one {', '.join(schema.names)}"
        )
    columns = [
        column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
