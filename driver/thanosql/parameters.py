"""Python to Arrow: sets of parameters as batches, one column per parameter."""

from __future__ import annotations

import datetime
import sys
import uuid
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql.errors import DataError, ProgrammingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PLAIN = frozenset(
    {
        *(type(None), bool, int, float, str, bytes, Decimal),
        *(datetime.date, datetime.timedelta, pa.MonthDayNano),
    }
)
"""Types that Arrow knows as they are; exactly these, for some have odd children."""

PIECE = 10_000
"""Sets of parameters that are read from an iterator at a time."""

_ERRORS = (pa.lib.ArrowException, OverflowError, TypeError, ValueError)


def columns_of(
    rows: Sequence[Sequence[Any]], names: Sequence[str] = ()
) -> pa.RecordBatch:
    """Return sets of parameters as a batch: one row per set, columns `1`, `2`, ...

    Args:
        rows: the sets, all of one length.
        names: what messages call the parameters; their numbers if there are none.

    Raises:
        ProgrammingError: a set is no sequence, or the sets differ in length.
        DataError: a value has no SQL type, or a parameter mixes types.
    """
    width = len(rows[0]) if rows and _check_is_sequence(rows[0]) else 0
    for number, row in enumerate(rows, start=1):
        _check_is_sequence(row)
        if len(row) != width:
            raise ProgrammingError(
                f"set {number} has {len(row)} parameters, the first one has {width}"
            )
    columns = [
        _column(_label(at, names), [row[at] for row in rows]) for at in range(width)
    ]
    labels = [str(at) for at in range(1, width + 1)]
    return pa.RecordBatch.from_arrays(columns, names=labels)


def batches_of(
    sets: Iterable[Sequence[Any]], names: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Yield sets of parameters as batches of one schema; see `columns_of`.

    A list becomes one batch, whose types suit all of its sets. Other iterables are
    read a piece at a time; the first piece decides on the types.
    """
    if isinstance(sets, (list, tuple)):
        if sets:
            yield columns_of(sets, names)
        return
    rows, done, schema = iter(sets), 0, None
    while piece := list(islice(rows, PIECE)):
        batch = columns_of(piece, names)
        schema = schema or batch.schema
        yield batch if batch.schema == schema else _conform(batch, schema, done + 1)
        done += len(piece)


def _conform(batch: pa.RecordBatch, schema: pa.Schema, first: int) -> pa.RecordBatch:
    """Return further sets, whose first has the number `first`, with known types."""
    if batch.num_columns != len(schema):
        raise ProgrammingError(
            f"set {first} has {batch.num_columns} parameters, "
            f"the first one has {len(schema)}"
        )
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(column.cast(field.type))
        except pa.lib.ArrowException as ex:
            raise DataError(
                f"parameter {field.name} is {column.type} from set {first} on and "
                f"{field.type} before it ({ex}); give the sets as a list, not as an "
                "iterator, or its values as typed ones, such as pyarrow.scalar(1, type)"
            ) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def ipc_stream(batch: pa.RecordBatch) -> bytes:
    """Return the batch as an Arrow IPC stream, nothing if it has no columns."""
    if not batch.num_columns:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _check_is_sequence(row: Any) -> bool:
    is_text = isinstance(row, (str, bytes, bytearray))
    if is_text or isinstance(row, Mapping) or not hasattr(row, "__getitem__"):
        raise ProgrammingError(
            f"parameters must be a sequence, one value per ?, not {type(row).__name__}"
        )
    return True


def _label(at: int, names: Sequence[str]) -> str:
    return f"':{names[at]}'" if names else str(at + 1)


# ---- One parameter ----------------------------------------------------------


def _column(label: str, values: list[Any]) -> pa.Array:
    if any(isinstance(value, pa.Scalar) for value in values):
        return _typed(label, values)
    if _are_vectors(values):
        return _vectors(values)
    plain = [_plain(label, value) for value in values]
    _check_zones(label, plain)
    try:
        return pa.array(plain)
    except _ERRORS as ex:
        big = _big_integers(label, plain)
        if big is not None:
            return big
        kinds = sorted({type(value).__name__ for value in plain if value is not None})
        raise DataError(
            f"parameter {label} cannot be sent as one SQL type "
            f"({' and '.join(kinds)}): {ex}"
        ) from None


def _typed(label: str, values: list[Any]) -> pa.Array:
    """Return values given as `pyarrow.Scalar` with just the type that they have."""
    types = {value.type for value in values if isinstance(value, pa.Scalar)}
    if len(types) > 1:
        names = " and ".join(sorted(map(str, types)))
        raise DataError(f"parameter {label} has more than one type: {names}")
    (type_,) = types
    try:
        # pa.array() cannot: Python has no value for some scalars.
        parts = [
            pa.repeat(v, 1) if isinstance(v, pa.Scalar) else pa.array([v], type_)
            for v in values
        ]
        return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
    except _ERRORS as ex:
        raise DataError(f"parameter {label} cannot be sent as {type_}: {ex}") from None


def _are_vectors(values: list[Any]) -> bool:
    # numpy is not imported for this: who has vectors of numpy has imported it.
    numpy = sys.modules.get("numpy")
    known = [value for value in values if value is not None]
    if numpy is None or not known:
        return False
    return all(
        isinstance(value, numpy.ndarray)
        and value.ndim == 1
        and value.dtype.kind in "fiu"
        and value.itemsize <= 8
        for value in known
    )


def _vectors(values: list[Any]) -> pa.Array:
    """Return vectors as they are, without making a Python number of each item."""
    numpy = sys.modules["numpy"]
    lengths = [0 if value is None else len(value) for value in values]
    offsets = numpy.cumsum([0, *lengths]).astype("int32")
    known = [value for value in values if value is not None]
    return pa.ListArray.from_arrays(
        pa.array(offsets),
        pa.array(numpy.concatenate(known)),
        mask=pa.array([value is None for value in values]),
    )


def _big_integers(label: str, values: list[Any]) -> pa.Array | None:
    """Return integers that need an unsigned type; None if they are no integers.

    Raises:
        DataError: they do not fit into 64 bits.
    """
    known = [value for value in values if value is not None]
    if not all(type(value) is int for value in known):
        return None
    if min(known) >= 0 and max(known) < 2**64:
        return pa.array(values, pa.uint64())
    largest = max(known, key=abs)
    raise DataError(
        f"parameter {label} is {_shortened(str(largest))}, which does not fit into "
        "64 bits; send it as decimal.Decimal or as text"
    )


def _check_zones(label: str, values: list[Any]) -> None:
    """Refuse times with and without a zone in one column: Arrow would drop the zone."""
    moments = [value for value in values if isinstance(value, datetime.datetime)]
    if len({value.tzinfo is None for value in moments}) > 1:
        raise DataError(
            f"parameter {label} has times with and without a time zone; "
            "give all of them one"
        )


# ---- One value --------------------------------------------------------------


def _plain(label: str, value: Any) -> Any:
    """Return what Arrow infers the type of: no numpy, no UUID, no tuple inside.

    Raises:
        DataError: there is no SQL type for the value.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (list, tuple)):
        if _PLAIN.issuperset(map(type, value)):
            return list(value)
        return [_plain(label, item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(label, item) for key, item in value.items()}
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    return _foreign(label, value)


def _foreign(label: str, value: Any) -> Any:
    """Return the values of other libraries as plain ones."""
    library = type(value).__module__.partition(".")[0]
    if library == "numpy" and hasattr(value, "dtype"):
        return _of_numpy(label, value)
    if library == "pandas" and type(value).__name__ in ("NAType", "NaTType"):
        return None
    if library == "pandas" and type(value).__name__ == "Timestamp" and not value.tz:
        return value.to_datetime64()  # as a datetime it would lose its nanoseconds
    if isinstance(value, pa.Array):
        return value.to_pylist()
    if isinstance(value, datetime.time) and value.tzinfo is not None:
        raise DataError(
            f"parameter {label} is a time of day with a zone, for which there is no "
            "SQL type; send a datetime, or the time without its zone"
        )
    if isinstance(value, Enum) and not isinstance(value, (int, str)):
        raise _no_type(label, value, "send its value")
    if isinstance(value, (int, float, str, bytes, Decimal, datetime.date)):
        return value
    if isinstance(value, (datetime.time, datetime.timedelta)):
        return value
    if isinstance(value, (set, frozenset)) or hasattr(value, "__next__"):
        raise _no_type(label, value, "send a list")
    raise _no_type(
        label, value, "send text, a number, bytes, a date or time, a list or a dict"
    )


def _of_numpy(label: str, value: Any) -> Any:
    if value.dtype.kind in "mM" and not value.ndim:
        plain = value.item()  # an integer for nanoseconds, which Python has none of
        return value[()] if isinstance(plain, int) else plain
    if value.dtype.kind in "mM":
        return [_of_numpy(label, item) for item in value]
    if value.dtype.kind == "c" or (
        value.dtype.itemsize > 8 and value.dtype.kind == "f"
    ):
        raise _no_type(label, value, "send its parts as float64")
    if value.dtype.kind == "V":
        raise _no_type(label, value, "send a dict")
    return _plain(label, value.tolist())


def _no_type(label: str, value: Any, advice: str) -> DataError:
    name = type(value).__name__
    return DataError(
        f"parameter {label} is of the Python type '{name}', for which there is no SQL "
        f"type; {advice}"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
