"""Rows on their way in: checked, and known to be all that the client meant to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto.message import DecodeError
from thanosql_proto.thanosql import Event
from thanosql_server.errors import Cancelled, InvalidData
from thanosql_server.storage.alignment import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def columns_of(reader: Any) -> pa.Schema:
    """Return the columns of a client's rows; without rows there are none.

    Raises:
        InvalidData: what the client sends is not Arrow.
    """
    try:
        return reader.schema
    except (pa.ArrowException, fl.FlightError, OSError):
        raise InvalidData("the columns of the rows are not an Arrow schema") from None


def rows_of(
    context: Any, reader: Any, *, announced_end: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield a client's rows, batch by batch as it sends them.

    Args:
        context: of the call.
        reader: of the call.
        announced_end: whether the client says in a last message that these were all
            rows, as our driver does. pyarrow ends the rows in the same way whether the
            client is done or an error took it away in the middle.

    Raises:
        InvalidData: what the client sends is not valid Arrow.
        Cancelled: the client went away before its last row. To Arrow that looks like
            the end of the rows, and the call knows better (118 of 118 times).
    """
    ended = not announced_end
    for batch, metadata in _chunks(context, reader):
        if batch is not None:
            yield sound(batch)
        elif _is_end(metadata):
            ended = True
    _check(context)
    if not ended:
        raise Cancelled("the client stopped before its last row")


def sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch, where other code can read it, if it is valid.

    Other code takes offsets and texts for granted and would read beyond its memory.

    Raises:
        InvalidData: it is not valid.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        raise InvalidData(f"the rows are not valid Arrow: {error}") from None
    return aligned(batch)


def _chunks(context: Any, reader: Any) -> Iterator[tuple[pa.RecordBatch | None, bytes]]:
    """Yield batches and metadata; either may be missing."""
    while True:
        try:
            chunk = reader.read_chunk()
        except StopIteration:
            return
        except (pa.ArrowException, fl.FlightError, OSError):
            _check(context)
            raise InvalidData("the rows are not an Arrow stream") from None
        metadata = chunk.app_metadata
        yield chunk.data, b"" if metadata is None else metadata.to_pybytes()


def _is_end(metadata: bytes) -> bool:
    try:
        return bool(Event.FromString(metadata).HasField("completed"))
    except DecodeError:
        return False


def _check(context: Any) -> None:
    if context.is_cancelled():
        raise Cancelled("the client went away before its last row")
