"""INSERT: DataFusion plans the rows in the table's types, storage appends them."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import query as queries
from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.conform import conform
from thanosql_server.engine.defaults import with_defaults
from thanosql_server.engine.executor import reader
from thanosql_server.engine.generated import given_columns
from thanosql_server.engine.places import place_of
from thanosql_server.engine.provider import RowsTable, StreamTable
from thanosql_server.engine.session import PLAN_DML, adopt
from thanosql_server.engine.targets import opened
from thanosql_server.sql.inserts import cut
from thanosql_server.sql.names import quote
from thanosql_server.storage.facts import DEFAULT, fact

if TYPE_CHECKING:
    from datafusion import DataFrame
    from pyarrow.dataset import Dataset

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Insert, Placeholder, Query, Span
    from thanosql_server.storage.tables import Table

_PARAMETERS = "__parameters"


def insert(planning: Planning, node: Insert) -> Plan:
    """INSERT INTO t [(columns)] VALUES ...|query|DEFAULT VALUES: append rows."""
    table = opened(planning, node.table)
    frame, types = proposed(planning, node, table)
    return replace(_appending(planning, node, table, frame), parameters=types)


def proposed(
    planning: Planning, node: Insert, table: Table
) -> tuple[DataFrame, pa.Schema]:
    """Return the rows of an INSERT, with their defaults, and its parameters' types."""
    given = _given(table.schema, node)
    planned = _planned(planning, node, table.schema, given)
    frame = with_defaults(planned, table.schema, [] if node.query is None else given)
    return frame, _parameters(planning, node, planned, table.schema, given)


def _appending(
    planning: Planning, node: Insert, table: Table, frame: DataFrame
) -> Plan:
    target = open_schema(table.schema)
    tables = place_of(planning.environment.workspace, node.table).tables

    def work(control: Control) -> int:
        batches = queries.rows(planning, frame, target, control)
        return tables.append(table.name, reader(batches, target))

    return action(work)


def insert_rows(
    planning: Planning, node: Insert, rows: pa.RecordBatchReader
) -> Plan | None:
    """INSERT INTO t VALUES (?, ...) for many rows of parameters, in one commit.

    Args:
        planning: of the statement, its parameters without values.
        node: the statement.
        rows: the parameters, one column for each.

    Returns:
        The plan, or None if the statement is not one row of VALUES.
    """
    if not is_one_row(node):
        return None
    table = opened(planning, node.table)
    cast = as_parameters(node, table, rows)
    source = StreamTable(planning.guarded(cast, cast.schema))
    frame = proposed_by_row(planning, node, table, source)
    return _appending(planning, node, table, frame)


def is_one_row(node: Insert) -> bool:
    """Return whether this is one row of VALUES, which many parameters may fill."""
    query = node.query
    plain = query is not None and not query.clauses and not query.calls
    return plain and len(node.rows) == 1


def as_parameters(
    node: Insert, table: Table, rows: pa.RecordBatchReader
) -> pa.RecordBatchReader:
    """Return rows of parameters in the types of the columns they are for.

    Their columns are called 1, 2, ...; they are cast as they are read.
    """
    known = _lone_parameters(node, table.schema, _given(table.schema, node))
    wanted = pa.schema([known.get(n, one) for n, one in enumerate(rows.schema, 1)])
    columns = [pa.field(str(n), one.type) for n, one in enumerate(wanted, start=1)]
    schema = pa.schema(columns)
    cast = (
        pa.RecordBatch.from_arrays(conform(batch, wanted).columns, schema=schema)
        for batch in rows
    )
    return pa.RecordBatchReader.from_batches(schema, cast)


def proposed_by_row(
    planning: Planning, node: Insert, table: Table, source: Dataset
) -> DataFrame:
    """Return a row of an INSERT for each row of `source`; see `as_parameters`."""
    given = _given(table.schema, node)
    planning.catalog.show(_PARAMETERS, source)
    planned = _planned(planning, node, table.schema, given, by_row=True)
    return with_defaults(planned, table.schema, given)


def _row_by_row(
    query: Query, node: Insert, schema: pa.Schema, given: list[str]
) -> list[str | Query]:
    """Return a SELECT of the values over the rows of parameters."""
    pieces: list[str | Query] = ["SELECT "]
    for name, span in zip_longest(given, node.rows[0]):
        if span is None:
            break
        pieces.append("(")
        if span.of(query.source).upper() == "DEFAULT" and name in schema.names:
            pieces.append(fact(schema.field(name), DEFAULT) or "NULL")
        else:
            value = replace(query, span=span, parameters=_inside(query, span))
            places = [one.span for one in value.parameters]
            names = [f"__p.{quote(str(one.index))}" for one in value.parameters]
            for piece, column in zip(cut(value, places), [*names, ""], strict=True):
                pieces += [piece, column]
        pieces.append("\n), ")
    pieces[-1] = f"\n) FROM {TARGET_SCHEMA}.{_PARAMETERS} AS __p"
    return pieces


def _planned(
    planning: Planning,
    node: Insert,
    schema: pa.Schema,
    given: list[str],
    *,
    by_row: bool = False,
) -> DataFrame:
    """Return the rows with the columns of the table, in its order and types."""
    if node.query is None:
        nothing = ", ".join(f"NULL AS {quote(name)}" for name in schema.names)
        return planning.spliced(f"SELECT {nothing}")
    # Without NOT NULL: storage says more clearly which column lacks a value.
    empty = open_schema(schema)
    target = RowsTable(empty, empty.empty_table)
    name = planning.catalog.show(node.table.name, target)
    named = node.columns is not None or len(given) < len(schema.names)
    columns = f" ({', '.join(map(quote, given))})" if named else ""
    pieces = _row_by_row if by_row else _pieces
    planned = planning.spliced(
        f"INSERT INTO {name}{columns} ",
        *pieces(node.query, node, schema, given),
        options=PLAN_DML,
    )
    # Below the INSERT lies a query with the table's own columns, in order.
    return adopt(planning.context, planned.logical_plan().inputs()[0])


def _given(schema: pa.Schema, node: Insert) -> list[str]:
    """Return the columns that get values; unknown ones are left to DataFusion."""
    return given_columns(schema, node)


def _pieces(
    query: Query, node: Insert, schema: pa.Schema, given: list[str]
) -> list[str | Query]:
    """Return the query with the default of its column for each DEFAULT in it."""
    spans: list[Span] = []
    values: list[str] = []
    for row in node.rows:
        for name, span in zip(given, row, strict=False):
            if span.of(query.source).upper() == "DEFAULT" and name in schema.names:
                spans.append(span)
                values.append(fact(schema.field(name), DEFAULT) or "NULL")
    pieces: list[str | Query] = []
    for piece, value in zip(cut(query, spans), [*values, ""], strict=True):
        pieces += [piece, f"({value}\n)"] if value else [piece]
    return pieces


def _parameters(
    planning: Planning,
    node: Insert,
    planned: DataFrame,
    schema: pa.Schema,
    given: list[str],
) -> pa.Schema:
    """Return the types of the parameters: of a lone one it is the column's."""
    types = planning.parameter_schema(planned)
    for index, column in _lone_parameters(node, schema, given).items():
        types = types.set(index - 1, column.with_name(str(index)))
    return types


def _lone_parameters(
    node: Insert, schema: pa.Schema, given: list[str]
) -> dict[int, pa.Field]:
    """Return the columns of the parameters that are the whole value of one."""
    if node.query is None:
        return {}
    by_span = {one.span: one.index for one in node.query.parameters}
    return {
        by_span[span]: pa.field(name, schema.field(name).type)
        for row in node.rows
        for name, span in zip(given, row, strict=False)
        if span in by_span and name in schema.names
    }


def _inside(query: Query, span: Span) -> tuple[Placeholder, ...]:
    return tuple(
        one for one in query.parameters if span.start <= one.span.start < span.end
    )


def open_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns without NOT NULL and without what is declared of them."""
    return pa.schema([pa.field(field.name, field.type) for field in schema])
