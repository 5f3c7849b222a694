"""Rows that come once, kept in a file so that they can be read again."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as pads

from thanosql_server.errors import ResourceExhausted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.scratch import Scratch


@contextmanager
def spooled(scratch: Scratch, rows: pa.RecordBatchReader) -> Iterator[pads.Dataset]:
    """Write the rows to a file, which is removed at the end, and return it.

    Raises:
        ResourceExhausted: the disk is full.
        Exception: whatever reading the rows raises.
    """
    path = scratch.new_path()
    try:
        try:
            with pa.ipc.new_file(str(path), rows.schema) as writer:
                for batch in rows:
                    writer.write_batch(batch)
        except OSError as failure:
            reason = os.strerror(failure.errno) if failure.errno else "output error"
            raise ResourceExhausted(
                f"the rows do not fit on the server's disk: {reason}"
            ) from failure
        yield pads.dataset(path, format="ipc")
    finally:
        path.unlink(missing_ok=True)
