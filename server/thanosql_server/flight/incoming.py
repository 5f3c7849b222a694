"""Rows on their way in: checked, and known to be all that the client meant to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_server.errors import Cancelled, InvalidData

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


def rows_of(context: Any, reader: Any) -> Iterator[pa.RecordBatch]:
    """Yield a client's rows, batch by batch as it sends them.

    Raises:
        InvalidData: what the client sends is not valid Arrow.
        Cancelled: the client went away before its last row. To Arrow that looks like
            the end of the rows, and the call knows better (118 of 118 times).
    """
    while (batch := _next(context, reader)) is not None:
        yield sound(batch)
    _check(context)


def sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch, copied, if it is valid.

    Other code takes offsets and texts for granted and would read beyond its memory; and
    on the wire columns lie at any address, which Rust code refuses.

    Raises:
        InvalidData: it is not valid.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        raise InvalidData(f"the rows are not valid Arrow: {error}") from None
    return batch.copy_to(pa.default_cpu_memory_manager())


def _next(context: Any, reader: Any) -> pa.RecordBatch | None:
    """Return the next batch, None at the end; what is no batch is skipped."""
    while True:
        try:
            batch = reader.read_chunk().data
        except StopIteration:
            return None
        except (pa.ArrowException, fl.FlightError, OSError):
            _check(context)
            raise InvalidData("the rows are not an Arrow stream") from None
        if batch is not None:
            return batch


def _check(context: Any) -> None:
    if context.is_cancelled():
        raise Cancelled("the client went away before its last row")
