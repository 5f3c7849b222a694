"""Arrow files (also known as Feather, version 2) and streams, read batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.source_file import SourceFile

_MAGIC = b"ARROW1"
_BATCH_ROWS = 8192


def read_arrow(source: SourceFile) -> pa.RecordBatchReader:
    """Return the rows of an Arrow file or of a stream that was saved as a file.

    Raises:
        InvalidData: it is none, or it is damaged; also from the stream.
    """
    # Not mapped into memory: another process that cut the file would end this one.
    file = pa.OSFile(str(source.path))
    try:
        if file.read(len(_MAGIC)) == _MAGIC:
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            return pa.RecordBatchReader.from_batches(
                reader.schema, _rows(source, file, batches)
            )
        file.seek(0)
        stream = pa.ipc.open_stream(file)
    except (pa.ArrowException, OSError) as failure:
        file.close()
        raise source.invalid("this is not an Arrow file") from failure
    return pa.RecordBatchReader.from_batches(
        stream.schema, _rows(source, file, iter(stream))
    )


def _rows(
    source: SourceFile, file: pa.NativeFile, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    with file:
        try:
            for batch in batches:
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    source.check()
                    yield batch.slice(start, _BATCH_ROWS)
        except (pa.ArrowException, OSError) as failure:
            raise source.invalid("the Arrow file is damaged") from failure
