"""CREATE SCHEMA and DROP SCHEMA."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine.actions import action
from thanosql_server.engine.places import RESERVED, schema_of
from thanosql_server.engine.session import SCHEMA
from thanosql_server.engine.targets import at
from thanosql_server.engine.view_plans import readers
from thanosql_server.errors import InvalidStatement

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import CreateSchema, DropSchema, TableName


def create_schema(planning: Planning, node: CreateSchema) -> Plan:
    """CREATE SCHEMA [IF NOT EXISTS] s."""
    name = _own(node.name, "made")
    schemas = planning.environment.workspace.schemas

    def work(control: Control) -> int:
        control.check()
        if not (node.if_not_exists and schemas.exists(name)):
            at(node.name.position, partial(schemas.create, name))
        return -1

    return action(work)


def drop_schema(planning: Planning, node: DropSchema) -> Plan:
    """DROP SCHEMA [IF EXISTS] s [CASCADE]: CASCADE also drops views that read it."""
    name = _own(node.name, "dropped")
    schemas = planning.environment.workspace.schemas
    if name == SCHEMA:
        raise InvalidStatement(
            f"schema '{SCHEMA}' cannot be dropped; drop its tables",
            position=node.name.position,
        )

    def work(control: Control) -> int:
        control.check()
        if node.if_exists and not schemas.exists(name):
            return -1
        space = at(node.name.position, partial(schemas.open, name))
        held = [*space.tables.names(), *space.views.names()]
        keys = [(name, one) for one in held]
        reading = readers(planning.environment, keys) if node.cascade else []
        at(node.name.position, partial(schemas.drop, name, cascade=node.cascade))
        for views, view in reading:
            views.drop(view)
        return -1

    return action(work)


def _own(written: TableName, what: str) -> str:
    name = schema_of(written)
    if name in RESERVED:
        raise InvalidStatement(
            f"schema '{name}' is the server's own and cannot be {what}",
            position=written.position,
        )
    return name
