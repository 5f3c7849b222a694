"""CREATE VIEW and DROP VIEW: a view is its text, planned anew wherever it is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TableInfo
from thanosql_server.engine.places import place_of
from thanosql_server.engine.planning import renamed
from thanosql_server.engine.session import CATALOG
from thanosql_server.engine.targets import at
from thanosql_server.engine.view_plans import columns_of, readers
from thanosql_server.errors import InvalidStatement, Position
from thanosql_server.sql import nodes
from thanosql_server.sql.options import Parameter
from thanosql_server.storage.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Environment, Planning
    from thanosql_server.sql.nodes import CreateView, DropView, Query


def create_view(planning: Planning, node: CreateView) -> Plan:
    """CREATE VIEW v AS query: keep the text of a query that can be planned."""
    place = place_of(planning.environment.workspace, node.view)
    _require_plain(node.query)
    planning.catalog.reading.path = (place.key,)
    frame = planning.frame(node.query)
    at(node.view.position, lambda: renamed(frame, node.columns))
    view = View(node.query.text, node.columns)

    def work(control: Control) -> int:
        control.check()
        if node.if_not_exists and place.views.exists(place.name):
            return -1
        at(
            node.view.position,
            lambda: place.views.create(
                place.name, view, place.tables, overwrite=node.or_replace
            ),
        )
        return -1

    return action(work)


def drop_view(planning: Planning, node: DropView) -> Plan:
    """DROP VIEW [IF EXISTS] v, ... [CASCADE]: all must be there, or none is dropped."""
    places = [place_of(planning.environment.workspace, view) for view in node.views]

    def work(control: Control) -> int:
        control.check()
        for view, place in zip(node.views, places, strict=True):
            if place.tables.exists(place.name):
                raise InvalidStatement(
                    f"'{place.name}' is a table; DROP TABLE removes it",
                    position=view.position,
                )
            if not node.if_exists and not place.views.exists(place.name):
                at(view.position, partial(place.views.open, place.name))
        keys = [place.key for place in places]
        reading = readers(planning.environment, keys) if node.cascade else []
        for views, name in [*((one.views, one.name) for one in places), *reading]:
            if views.exists(name):
                views.drop(name)
        return -1

    return action(work)


def view_infos(
    environment: Environment,
    *,
    columns: bool,
    wanted: Callable[[str, str, str], bool] | None = None,
) -> Iterator[TableInfo]:
    """Yield the views, with their columns if asked for and if they can be used."""
    for space in environment.workspace.schemas.all():
        for name in space.views.names():
            if wanted and not wanted(CATALOG, space.schema, name):
                continue
            key = (space.schema, name)
            schema = columns_of(environment, key) if columns else None
            yield TableInfo(CATALOG, space.schema, name, "VIEW", schema)


def _require_plain(query: Query) -> None:
    """Refuse what a view cannot hold: parameters, and clauses that store."""
    for clause in query.walk():
        if isinstance(clause, nodes.Convert) and "table_name" in clause.options:
            raise InvalidStatement(
                "a view cannot hold table_name; it is read, and stores nothing",
                position=Position.of(query.source, clause.span.start),
            )
    bodies = [
        clause.body
        for clause in query.walk()
        if not isinstance(clause, nodes.ListObjects)
    ]
    for body in (query, *bodies):
        _require_values(body)


def _require_values(query: Query) -> None:
    """Refuse parameters in the text of a query, outside its clauses."""
    places = [
        *(Position.of(query.source, one.span.start) for one in query.parameters),
        *(
            one.as_of.position
            for one in query.versions
            if isinstance(one.as_of.number or one.as_of.time, Parameter)
        ),
    ]
    if places:
        raise InvalidStatement(
            "a view cannot hold parameters; write the values", position=places[0]
        )
