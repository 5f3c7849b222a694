"""Batches made to fit the schema that was announced for them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.errors import InvalidData

WIDEST_DECIMAL = 38


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return `batch` with exactly `schema`, column by column in order.

    DataFusion's batches may be stricter than the announced schema (not null where the
    plan says nullable), which Flight compares to the letter, and values bound to
    parameters keep the type they came with, whatever the column's is.

    Raises:
        InvalidData: a value does not fit its column's type.
    """
    if batch.schema.equals(schema, check_metadata=True) or not len(schema):
        return batch
    columns = [
        column if column.type == field.type else _cast(column, field)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        if pa.types.is_run_end_encoded(column.type):
            column = pc.run_end_decode(column)
        if pa.types.is_decimal(field.type):
            return _to_decimal(column, field.type)
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise InvalidData(
            f"a value does not fit column '{field.name}' of type {field.type}: {error}"
        ) from None


def _to_decimal(column: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Cast by way of the widest decimal, rounding as SQL does.

    A direct cast asks for room for the largest number of the source's type and
    refuses to drop digits behind the point.
    """
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        column = pc.round(column, ndigits=dtype.scale)
    return column.cast(pa.decimal128(WIDEST_DECIMAL, dtype.scale)).cast(dtype)
