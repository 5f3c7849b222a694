"""Parquet files, read one row group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.source_file import SourceFile

_BATCH_ROWS = 8192


def read_parquet(source: SourceFile) -> pa.RecordBatchReader:
    """Return the rows of a Parquet file.

    Raises:
        InvalidData: it is none, or it is damaged; also from the stream.
    """
    try:
        file = pq.ParquetFile(source.path, pre_buffer=False)
    except pa.ArrowInvalid as failure:
        raise source.invalid("this is not a Parquet file") from failure
    return pa.RecordBatchReader.from_batches(file.schema_arrow, _rows(source, file))


def _rows(source: SourceFile, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    with file:
        try:
            for batch in file.iter_batches(_BATCH_ROWS):
                source.check()
                yield batch
        except (pa.ArrowException, OSError) as failure:
            raise source.invalid("the Parquet file is damaged") from failure
