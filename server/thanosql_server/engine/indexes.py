"""CREATE INDEX, DROP INDEX and SHOW INDEXES."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine.actions import action
from thanosql_server.engine.index_listing import METHOD
from thanosql_server.engine.places import place_of
from thanosql_server.engine.targets import at, column_of, refuse_view
from thanosql_server.errors import (
    InvalidStatement,
    InvalidValue,
    NotSupported,
    UndefinedObject,
    nearest,
)
from thanosql_server.search.graph_making import Maker
from thanosql_server.search.hnsw import (
    LARGEST_DIM,
    LEAST_M,
    MOST_EF_CONSTRUCTION,
    MOST_M,
    require_hnswlib,
)
from thanosql_server.search.indexed_columns import obstacle
from thanosql_server.search.measures import COSINE, DISTANCE, INNER
from thanosql_server.search.vectors import dim_of
from thanosql_server.sql.tokens import quote_text
from thanosql_server.storage.index_records import Definition
from thanosql_server.storage.names import quote_name

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.indexes import CreateIndex, DropIndex, ShowIndexes
    from thanosql_server.storage.tables import Table

OPTIONS = ("m", "ef_construction", "metric")

METRICS = {
    "cosine": COSINE,
    "cosine_similarity": COSINE,
    "l2": DISTANCE,
    "euclidean": DISTANCE,
    "l2_distance": DISTANCE,
    "ip": INNER,
    "inner_product": INNER,
}
_OPERATORS = {
    "vector_cosine_ops": "cosine",
    "vector_l2_ops": "l2",
    "vector_ip_ops": "inner_product",
}
"""As pgvector calls them."""

LISTING = (
    "SELECT index_name, table_name, column_name, method, metric, parameters, "
    "rows_indexed, rows_pending, state FROM thanosql.indexes"
)


def create_index(planning: Planning, node: CreateIndex) -> Plan:
    """CREATE INDEX i ON t USING HNSW (v): make a graph of a column."""
    if node.method.lower() != METHOD:
        hint = nearest(node.method, [METHOD]) or "; there is HNSW"
        raise UndefinedObject(
            f"there is no index method '{node.method}'{hint}",
            position=node.method_position,
        )
    at(node.name_position, lambda: quote_name(node.name, "index"))
    table = _table(planning, node)
    column = column_of(table, node.column, node.column_position).name
    _require_vectors(table, column, node)
    asked = _asked(planning, node, table, column)
    environment = planning.environment
    store = environment.workspace.indexes

    def work(control: Control) -> int:
        control.check()
        if node.if_not_exists and store.exists(asked.name):
            return -1
        at(node.name_position, partial(store.require_free, asked.name))
        budget, threads = environment.search_memory, environment.threads
        maker = Maker(table, column, asked, threads, budget, control)
        made = at(node.column_position, maker.anew)
        at(node.name_position, lambda: store.create(table, asked, made.write))
        environment.graphs.take(table.place, asked.name, made)
        return -1

    return action(work)


def drop_index(planning: Planning, node: DropIndex) -> Plan:
    """DROP INDEX [IF EXISTS] i, ...: all of them must be there, or none is dropped."""
    store = planning.environment.workspace.indexes

    def work(control: Control) -> int:
        control.check()
        found = []
        for name, position in node.names:
            if not node.if_exists or store.exists(name):
                found.append(at(position, partial(store.find, name)))
        for index in found:
            store.drop(index)
        return -1

    return action(work)


def listing(planning: Planning, node: ShowIndexes) -> str:
    """Return the query behind SHOW INDEXES."""
    if node.table is None:
        return f"{LISTING} ORDER BY index_name"
    place = place_of(planning.environment.workspace, node.table)
    at(node.table.position, partial(planning.catalog.open, place))
    schema, name = map(quote_text, place.key)
    return (
        f"{LISTING} WHERE table_name = {name} AND table_schema = {schema} "
        "ORDER BY index_name"
    )


def _table(planning: Planning, node: CreateIndex) -> Table:
    place = place_of(planning.environment.workspace, node.table)
    refuse_view(place, node.table, "cannot have an index; its tables can")
    return at(node.table.position, partial(planning.catalog.open, place))


def _require_vectors(table: Table, column: str, node: CreateIndex) -> None:
    """Raise unless a graph can be made of the column, here and on this server."""
    reason = obstacle(table, column)
    if reason is not None:
        raise InvalidStatement(
            f"column '{column}' {reason}", position=node.column_position
        )
    dim = dim_of(table.schema.field(column).type) or 0
    if not 0 < dim <= LARGEST_DIM:
        raise NotSupported(
            f"the vectors of column '{column}' have {dim:,} numbers; an index takes up "
            f"to {LARGEST_DIM:,}",
            position=node.column_position,
        )
    at(node.method_position, require_hnswlib)


def _asked(
    planning: Planning, node: CreateIndex, table: Table, column: str
) -> Definition:
    options = planning.bound(node.options)
    options.require_known(OPTIONS, "CREATE INDEX ... USING HNSW")
    return Definition(
        node.name,
        column,
        table.field_numbers()[column],
        _metric(planning, node),
        options.integer("m", 16, LEAST_M, MOST_M),
        options.integer("ef_construction", 200, 4, MOST_EF_CONSTRUCTION),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _metric(planning: Planning, node: CreateIndex) -> str:
    """Return the name of the measure, from the option or pgvector's operators."""
    options = planning.bound(node.options)
    wanted = options.text("metric")
    if node.operators is not None:
        named = _OPERATORS.get(node.operators)
        if named is None:
            known = sorted(_OPERATORS)
            hint = nearest(node.operators, known) or f"; there are {', '.join(known)}"
            raise UndefinedObject(
                f"there are no operators '{node.operators}'{hint}",
                position=node.operators_position,
            )
        if wanted is not None and METRICS.get(wanted.lower()) != METRICS[named]:
            raise InvalidValue(
                f"option 'metric' says '{wanted}' and the operators say '{named}'",
                position=options.position("metric"),
            )
        wanted = named
    measure = METRICS.get((wanted or "cosine").lower())
    if measure is None:
        raise options.invalid("metric", "'cosine', 'l2' or 'inner_product'")
    return measure.name
