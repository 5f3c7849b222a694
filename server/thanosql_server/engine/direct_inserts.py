"""INSERT of a few plain values without DataFusion, which would take most of the time.

Only what can mean one thing is done here: parameters and literals that their columns
hold as they are. All else is planned, and so is whatever is wrong, so that errors are
those of the planner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt

from thanosql_server.engine.columns import find_column
from thanosql_server.engine.places import place_of
from thanosql_server.engine.plan import NO_ROWS, Plan
from thanosql_server.errors import ThanoSQLError
from thanosql_server.storage import facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from thanosql_server.control import Control
    from thanosql_server.engine.places import Place
    from thanosql_server.sql.nodes import Insert, Span
    from thanosql_server.storage.tables import Table
    from thanosql_server.storage.workspace import Workspace

MOST_ROWS = 100
"""Rows of one statement; more are planned, which costs little for each of many."""

_KNOWN = frozenset(
    {
        facts.DEFAULT,
        facts.KEY,
        facts.COMMENT,
        facts.HOLDS,
        facts.CONSTRAINTS,
        facts.TYPE,
    }
)
"""What may be declared of a column that takes values as they are given."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT = re.compile(r"[+-]?[0-9]+\.[0-9]+")
_TEXT = re.compile(r"'([^'\\]*)'")
_WORDS = {"NULL": None, "TRUE": True, "FALSE": False}
_END = re.compile(r"\s*\)\s*;?\s*")


class _NotPlain(Exception):
    """The statement has to be planned."""


def plan(
    workspace: Workspace, node: Insert, parameters: Sequence[pa.Scalar] | None
) -> Plan | None:
    """Return the plan of INSERT INTO t [(columns)] VALUES (...) with plain values.

    Args:
        workspace: where the table is.
        node: the statement.
        parameters: values of its parameters; None while they are not known.

    Returns:
        The plan, or None if DataFusion has to plan the statement.
    """
    if not _is_plain(node, parameters):
        return None
    try:
        place = place_of(workspace, node.table)
        if place.views.exists(place.name):
            return None
        table = place.tables.open(place.name)
        rows = _rows(node, table.schema, parameters or ())
    except (_NotPlain, ThanoSQLError):
        return None
    types = _parameters(node, table, len(parameters or ()))
    return Plan(NO_ROWS, lambda control: _append(place, table, rows, control), types)


def _is_plain(node: Insert, parameters: Sequence[pa.Scalar] | None) -> bool:
    query = node.query
    return (
        query is not None
        and 0 < len(node.rows) <= MOST_ROWS
        and not query.clauses
        and not query.calls
        and len(parameters or ()) == node.parameter_count
        # Whatever else the statement may say stands behind the last row.
        and _END.fullmatch(node.text, node.rows[-1][-1].end) is not None
    )


def _append(
    place: Place, table: Table, rows: pa.RecordBatch, control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Add the rows, which takes too little time for a thread of its own."""
    control.check()
    source = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    control.rows_affected = place.tables.append(table.name, source)
    yield from ()


def _rows(
    node: Insert, schema: pa.Schema, parameters: Sequence[pa.Scalar]
) -> pa.RecordBatch:
    """Return the rows with all columns of the table; raises _NotPlain."""
    names = _names(node, schema)
    values = [_values(node, row, names, parameters) for row in node.rows]
    arrays = [_column(field, [row.get(field.name) for row in values], names)
              for field in schema]  # fmt: skip
    fields = [pa.field(field.name, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _names(node: Insert, schema: pa.Schema) -> list[str]:
    """Return the columns that get values."""
    if node.columns is None:
        names = list(schema.names)
    else:
        names = [find_column(schema, name) or "" for name in node.columns]
    if "" in names or len(set(names)) < len(names):
        raise _NotPlain
    return names


def _values(
    node: Insert,
    row: tuple[Span, ...],
    names: list[str],
    parameters: Sequence[pa.Scalar],
) -> Mapping[str, pa.Scalar]:
    """Return one row by its columns."""
    if len(row) != len(names):
        raise _NotPlain
    assert node.query is not None  # see _is_plain
    placeholders = {one.span: one.index for one in node.query.parameters}
    return {
        name: parameters[placeholders[span] - 1]
        if span in placeholders
        else _literal(span.of(node.text))
        for name, span in zip(names, row, strict=True)
    }


def _literal(text: str) -> pa.Scalar:
    """Return a literal with the type that it has in SQL; raises _NotPlain."""
    if _INTEGER.fullmatch(text):
        return pa.scalar(int(text), pa.int64())
    if _FLOAT.fullmatch(text):
        return pa.scalar(float(text), pa.float64())
    if found := _TEXT.fullmatch(text):
        return pa.scalar(found[1], pa.string())
    if text.upper() in _WORDS:
        return pa.scalar(_WORDS[text.upper()])
    raise _NotPlain


def _column(
    field: pa.Field, values: list[pa.Scalar | None], given: list[str]
) -> pa.Array:
    """Return the values of one column; None stands for its default."""
    if not (field.metadata or {}).keys() <= _KNOWN:
        raise _NotPlain
    if field.name not in given:
        default = facts.fact(field, facts.DEFAULT)
        plain = pa.scalar(None) if default is None else _literal(default.strip())
        values = [plain] * len(values)
    parts = [_fitted(value, field.type) for value in values if value is not None]
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def _fitted(value: pa.Scalar, kind: pa.DataType) -> pa.Array:
    """Return an array of one value in the column's type; raises _NotPlain."""
    if not value.is_valid:
        return pa.nulls(1, kind)
    if value.type != kind:
        if not _is_same_value(value.type, kind):
            raise _NotPlain
        try:
            value = value.cast(kind)
        except pa.ArrowException:
            raise _NotPlain from None
    return pa.repeat(value, 1)


def _is_same_value(given: pa.DataType, kind: pa.DataType) -> bool:
    """Return whether a cast gives what SQL gives, or fails."""
    floating = pt.is_float64(kind) or pt.is_float32(kind)
    if pt.is_integer(given):
        return bool(pt.is_integer(kind) or floating)
    if pt.is_floating(given):
        return bool(floating)
    return bool(pt.is_string(given) and pt.is_large_string(kind))


def _parameters(node: Insert, table: Table, count: int) -> pa.Schema:
    """Return the types of the parameters, which are those of their columns."""
    assert node.query is not None  # see _is_plain
    names = _names(node, table.schema)
    kinds = {
        placeholder.index: table.schema.field(name).type
        for row in node.rows
        for name, span in zip(names, row, strict=True)
        for placeholder in node.query.parameters
        if placeholder.span == span
    }
    return pa.schema([pa.field(str(n), kinds[n]) for n in range(1, count + 1)])
