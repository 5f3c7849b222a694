"""The columns of a query's result, as its batches will have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from datafusion import DataFrame


def result_columns(frame: DataFrame, optimized: DataFrame | None) -> pa.Schema:
    """Return names and nullability as written, and the types that will come.

    DataFusion brings the branches of a UNION or a CASE to one type only when it
    optimizes, and rounds decimals to their digits; before, it tells the first
    branch's type.

    Args:
        frame: the query.
        optimized: the same after the optimizer, None if it cannot be known yet.
    """
    written = frame.schema()
    if optimized is None:
        return _decoded(written)
    types = optimized.schema().types
    if len(types) != len(written):
        return _decoded(written)
    fields = [
        field if field.type == kind else field.with_type(kind)
        for field, kind in zip(written, types, strict=True)
    ]
    return _decoded(pa.schema(fields, written.metadata))


def _decoded(schema: pa.Schema) -> pa.Schema:
    """Return the schema without encodings: few clients read them off the wire."""
    if all(decoded(field.type) == field.type for field in schema):
        return schema
    fields = [field.with_type(decoded(field.type)) for field in schema]
    return pa.schema(fields, schema.metadata)


def decoded(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values that dictionaries and runs stand for."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return decoded(kind.value_type)
    if pa.types.is_list(kind):
        return pa.list_(_decoded_field(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_decoded_field(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([_decoded_field(kind.field(n)) for n in range(len(kind))])
    return kind


def _decoded_field(field: pa.Field) -> pa.Field:
    return field.with_type(decoded(field.type))
