"""INSERT: DataFusion plans the rows in the table's types, storage appends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import query as queries
from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.clauses import find_column
from thanosql_server.engine.defaults import with_defaults
from thanosql_server.engine.executor import reader
from thanosql_server.engine.provider import RowsTable
from thanosql_server.engine.session import PLAN_DML, adopt
from thanosql_server.engine.targets import opened
from thanosql_server.sql.inserts import cut
from thanosql_server.sql.names import quote
from thanosql_server.storage.facts import DEFAULT, fact

if TYPE_CHECKING:
    from datafusion import DataFrame

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Insert, Query, Span


def insert(planning: Planning, node: Insert) -> Plan:
    """INSERT INTO t [(columns)] VALUES ...|query|DEFAULT VALUES: append rows."""
    table = opened(planning, node.table)
    given = _given(table.schema, node)
    planned = _planned(planning, node, table.schema, given)
    frame = with_defaults(planned, table.schema, [] if node.query is None else given)
    target = _open_schema(table.schema)
    tables = planning.environment.workspace.tables

    def work(control: Control) -> int:
        batches = queries.rows(planning, frame, target, control)
        return tables.append(table.name, reader(batches, target))

    return action(work, _parameters(planning, node, planned, table.schema, given))


def _planned(
    planning: Planning, node: Insert, schema: pa.Schema, given: list[str]
) -> DataFrame:
    """Return the rows with the columns of the table, in its order and types."""
    if node.query is None:
        nothing = ", ".join(f"NULL AS {quote(name)}" for name in schema.names)
        return planning.spliced(f"SELECT {nothing}")
    # Without NOT NULL: storage says more clearly which column lacks a value.
    target = RowsTable(_open_schema(schema).empty_table())
    planning.catalog.show(node.table.name, target)
    name = f"{TARGET_SCHEMA}.{quote(node.table.name)}"
    columns = f" ({', '.join(map(quote, given))})" if node.columns else ""
    planned = planning.spliced(
        f"INSERT INTO {name}{columns} ",
        *_pieces(node.query, node, schema, given),
        options=PLAN_DML,
    )
    # Below the INSERT lies a query with the table's own columns, in order.
    return adopt(planning.context, planned.logical_plan().inputs()[0])


def _given(schema: pa.Schema, node: Insert) -> list[str]:
    """Return the columns that get values; unknown ones are left to DataFusion."""
    if node.columns is None:
        return list(schema.names)
    return [find_column(schema, name) or name for name in node.columns]


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
    if node.query is None:
        return types
    by_span = {one.span: one.index for one in node.query.parameters}
    for row in node.rows:
        for name, span in zip(given, row, strict=False):
            index = by_span.get(span)
            if index is not None and name in schema.names:
                known = pa.field(str(index), schema.field(name).type)
                types = types.set(index - 1, known)
    return types


def _open_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, field.type) for field in schema])
