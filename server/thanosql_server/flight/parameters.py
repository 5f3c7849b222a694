"""Sets of parameters: rows of Arrow batches on the wire, scalars for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_server.errors import InvalidValue, ResourceExhausted
from thanosql_server.flight.incoming import sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    Parameters: TypeAlias = tuple[pa.Scalar, ...]
    """The values of one run of a statement, in the order of its parameters."""

MAX_BOUND_BYTES = 8 << 20
"""Bytes of parameters that a prepared query may hold; updates stream theirs.

They travel in the ticket, and ADBC refuses messages of more than 16 MiB.
"""


def read_batches(ipc_stream: bytes) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """Return the parameters of an IPC stream.

    Raises:
        InvalidValue: the bytes are not an Arrow IPC stream.
        InvalidData: the rows in it are not valid.
    """
    try:
        with pa.ipc.open_stream(ipc_stream) as reader:
            return reader.schema, [sound(batch) for batch in reader]
    except (pa.ArrowException, OSError):
        raise InvalidValue("the parameters are not an Arrow IPC stream") from None


def sets_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Parameters]:
    """Yield each row as one set, in the order of the columns."""
    for batch in batches:
        for row in range(batch.num_rows):
            yield tuple(_plain(column[row]) for column in batch.columns)


def _plain(scalar: Any) -> pa.Scalar:
    """Return the value inside a union or dictionary, NULL with its type.

    flightsql-dbapi binds each parameter as a dense union of all types it knows.
    """
    while isinstance(scalar, (pa.UnionScalar, pa.DictionaryScalar)):
        inner = scalar.value
        scalar = pa.scalar(None, _inner_type(scalar)) if inner is None else inner
    return scalar


def _inner_type(scalar: Any) -> pa.DataType:
    if isinstance(scalar, pa.DictionaryScalar):
        return scalar.type.value_type
    child = scalar.type.type_codes.index(scalar.type_code)
    return scalar.type.field(child).type


def collect(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> bytes:
    """Return the batches as an IPC stream.

    Raises:
        ResourceExhausted: they are too many to be kept.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            if sink.tell() > MAX_BOUND_BYTES:
                raise ResourceExhausted(
                    f"the parameters of a query may take {MAX_BOUND_BYTES >> 20} MiB; "
                    "bind fewer rows at once"
                )
    return bytes(sink.getvalue())
