"""CREATE TABLE with columns, and COMMENT ON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.actions import action, may_create
from thanosql_server.engine.column_types import column_type, media_of, spelled
from thanosql_server.engine.defaults import checked_default
from thanosql_server.engine.generated import connected, generated_type, refuse_keys
from thanosql_server.engine.keys import declared
from thanosql_server.engine.places import place_of
from thanosql_server.engine.targets import at, column_of
from thanosql_server.storage import alterations
from thanosql_server.storage.columns import storable_field
from thanosql_server.storage.constraints import with_constraints
from thanosql_server.storage.facts import COMMENT, DEFAULT, HOLDS, TYPE, with_facts

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import ColumnDefinition, Comment, CreateTable


def create_table(planning: Planning, node: CreateTable) -> Plan:
    """CREATE TABLE t (columns): an empty table."""
    place = place_of(planning.environment.workspace, node.table)
    schema = _schema(planning, node)

    def work(control: Control) -> int:
        control.check()
        if not may_create(place, node):
            return 0
        at(
            node.table.position,
            lambda: place.tables.define(place.name, schema, overwrite=node.or_replace),
        )
        return 0

    return action(work)


def declared_field(planning: Planning, column: ColumnDefinition) -> pa.Field:
    """Return the field of a column, with what is declared of it but the key.

    Raises:
        UndefinedObject: there is no such type.
        InvalidData: a table cannot hold it, or the default does not fit.
    """
    if column.generation is None:
        kind = column_type(planning.context, column.type)
    else:
        kind = generated_type(planning, column)
    field = at(
        column.position, lambda: storable_field(pa.field(column.name, kind))
    ).with_nullable(not (column.not_null or column.is_key))
    default = None
    if column.default is not None:
        default = checked_default(planning, column.default, field)
    facts = {
        DEFAULT: default,
        COMMENT: column.comment,
        HOLDS: media_of(column.type),
        TYPE: spelled(column.type),
    }
    return with_facts(field, facts)


def _schema(planning: Planning, node: CreateTable) -> pa.Schema:
    fields = [declared_field(planning, column) for column in node.columns]
    fields = connected(fields, node.columns)
    schema = with_facts(pa.schema(fields), {COMMENT: node.comment})
    constraints = declared(node.table.name, schema.names, node.constraints)
    kept = with_constraints(schema, constraints)
    refuse_keys(kept, node.columns)
    return kept


def comment(planning: Planning, node: Comment) -> Plan:
    """COMMENT ON TABLE t|COLUMN t.c IS 'text': note or take back a comment."""
    place = place_of(planning.environment.workspace, node.table)
    facts = {COMMENT: node.comment}

    def work(control: Control) -> int:
        table = at(node.table.position, lambda: place.tables.open(place.name))
        if node.column is None:
            table.alter(lambda dataset: alterations.declare_of_table(dataset, facts))
        else:
            column = column_of(table, node.column, node.table.position).name
            table.alter(lambda dataset: alterations.declare(dataset, column, facts))
        return -1

    return action(work)
