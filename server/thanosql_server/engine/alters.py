"""ALTER TABLE: columns and what is declared of them, one commit for each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datafusion import col

from thanosql_server.engine import generated
from thanosql_server.engine import query as queries
from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.column_types import column_type, media_of, spelled
from thanosql_server.engine.defaults import checked_default
from thanosql_server.engine.definitions import declared_field
from thanosql_server.engine.faults import translate
from thanosql_server.engine.places import place_of
from thanosql_server.engine.provider import ROW_ID_FIELD
from thanosql_server.engine.targets import at, column_of, opened
from thanosql_server.errors import DuplicateObject, InvalidStatement, NotSupported
from thanosql_server.sql import nodes
from thanosql_server.sql.generation import DropExpression
from thanosql_server.sql.names import quote
from thanosql_server.storage import alterations
from thanosql_server.storage.columns import storable_field
from thanosql_server.storage.facts import (
    DEFAULT,
    GENERATED,
    HOLDS,
    KEY,
    TYPE,
    fact,
    with_facts,
)
from thanosql_server.storage.generated import generated_columns
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.places import Place
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.generation import Generation
    from thanosql_server.sql.nodes import AlterTable, Query
    from thanosql_server.storage.tables import Table

    Work = Callable[[Control], None]


def alter_table(planning: Planning, node: AlterTable) -> Plan:
    """ALTER TABLE t ADD|DROP|RENAME|ALTER ...: checked now, carried out by run."""
    place = place_of(planning.environment.workspace, node.table)
    if node.if_exists and not place.tables.exists(place.name):
        return action(lambda control: -1)
    table = opened(planning, node.table)
    if isinstance(node.change, nodes.RenameTable):
        return action(_rename_table(planning, place, node.change))
    change = _CHANGES[type(node.change)](planning, table, node.change)

    def work(control: Control) -> int:
        control.check()
        change(control)
        return -1

    return action(work)


def _add_column(planning: Planning, table: Table, change: nodes.AddColumn) -> Work:
    column = change.column
    if column.name in table.schema.names and change.if_not_exists:
        return lambda control: None
    _require_new(table, column.name, column.position)
    if column.constraints:
        raise NotSupported(
            "the keys of a table cannot be changed yet; they are declared with CREATE "
            "TABLE",
            position=column.position,
        )
    field = declared_field(planning, column)
    if column.generation is not None:
        return _add_generated(planning, table, field, column.generation)
    if column.default is None:
        return _add_nulls(table, field, column.position)
    values = _values(planning, table, field, column.default)
    return lambda control: table.add_column(field, values(control))


def _add_generated(
    planning: Planning, table: Table, field: pa.Field, generation: Generation
) -> Work:
    """Return what adds a column that the server fills: all of its rows wait."""
    handle = generated.model_of(planning, generation)
    source, told = generated.linked(table.schema, field, generation)

    def work(control: Control) -> None:
        models = planning.environment.models
        models.ensure(handle, control, generation.model_position)
        table.alter(
            lambda dataset: alterations.add_generated_column(dataset, told, source)
        )

    return work


def _add_nulls(table: Table, field: pa.Field, position: Position) -> Work:
    def work(control: Control) -> None:
        if field.nullable:
            table.alter(lambda dataset: alterations.add_empty_column(dataset, field))
        elif table.count_rows():
            raise InvalidStatement(
                f"column '{field.name}' is NOT NULL and the table has rows; give it a "
                "DEFAULT",
                position=position,
            )
        else:
            table.add_column(field, iter(()))

    return work


def _drop_column(planning: Planning, table: Table, change: nodes.DropColumn) -> Work:
    if change.if_exists and change.name not in table.schema.names:
        return lambda control: None
    name = column_of(table, change.name, change.position).name
    others = generated.dependents(table.schema, name)
    if not change.cascade:
        generated.refuse_dependents(table.schema, name, change.position)
    if len(table.schema) == 1 + len(others):
        raise InvalidStatement(
            f"'{name}' is the only column; DROP TABLE removes the whole table",
            position=change.position,
        )
    return _alter(table, lambda dataset: alterations.drop_column(dataset, name, others))


def _drop_expression(planning: Planning, table: Table, change: DropExpression) -> Work:
    """Return what makes a generated column one like any other."""
    name = column_of(table, change.name, change.position).name
    if not any(one.column == name for one in generated_columns(table.schema)):
        if change.if_exists:
            return lambda control: None
        raise InvalidStatement(
            f"column '{name}' is not generated", position=change.position
        )
    facts = {GENERATED: None}
    return _alter(table, lambda dataset: alterations.declare(dataset, name, facts))


def _rename_column(
    planning: Planning, table: Table, change: nodes.RenameColumn
) -> Work:
    field = column_of(table, change.name, change.position)
    _require_new(table, change.new, change.new_position)
    at(change.new_position, lambda: storable_field(field.with_name(change.new)))
    old, new = field.name, change.new
    return _alter(table, lambda dataset: alterations.rename_column(dataset, old, new))


def _rename_table(
    planning: Planning, place: Place, change: nodes.RenameTable
) -> Callable[[Control], int]:
    """Rename a table within its schema, which need not be written again."""
    new = change.new
    named = place_of(planning.environment.workspace, new) if new.parts[1:] else place
    if named.schema != place.schema:
        raise NotSupported(
            f"a table stays in its schema, '{place.schema}'", position=new.position
        )

    def work(control: Control) -> int:
        control.check()
        at(new.position, lambda: place.tables.rename(place.name, new.name))
        return -1

    return work


def _alter_type(planning: Planning, table: Table, change: nodes.AlterType) -> Work:
    old = column_of(table, change.name, change.position)
    generated.refuse_retyped(table.schema, old.name, change.position)
    kind = column_type(planning.context, change.type)
    facts = {HOLDS: media_of(change.type), TYPE: spelled(change.type)}
    field = with_facts(old.with_type(kind), facts)
    at(change.type.position, lambda: storable_field(field))
    default = fact(old, DEFAULT)
    _require_default_fits(planning, default, field, change)
    values = _values(planning, table, field, change.using or quote(old.name))
    return lambda control: table.add_column(field, values(control))


def _require_default_fits(
    planning: Planning, default: str | None, field: pa.Field, change: nodes.AlterType
) -> None:
    if default is None:
        return
    try:
        cast = planning.context.sql("SELECT 1 AS one")
        cast.select(cast.parse_sql_expr(default).cast(field.type)).collect()
    except Exception:
        raise InvalidStatement(
            f"the default of column '{field.name}', {default}, does not fit the new "
            "type; DROP DEFAULT first",
            position=change.type.position,
        ) from None


def _set_nullable(planning: Planning, table: Table, change: nodes.SetNullable) -> Work:
    field = column_of(table, change.name, change.position)
    if change.nullable and fact(field, KEY):
        raise InvalidStatement(
            f"column '{field.name}' belongs to the key and stays NOT NULL",
            position=change.position,
        )
    name, nullable = field.name, change.nullable
    if not nullable:
        generated.refuse_generated(
            table.schema, name, "be NOT NULL: a row waits for it", change.position
        )
    if field.nullable == nullable:
        return lambda control: None
    return _alter(
        table, lambda dataset: alterations.set_nullable(dataset, name, nullable)
    )


def _set_default(planning: Planning, table: Table, change: nodes.SetDefault) -> Work:
    field = column_of(table, change.name, change.position)
    default = change.default
    generated.refuse_generated(
        table.schema, field.name, "have a default", change.position
    )
    text = None if default is None else checked_default(planning, default, field)
    facts = {DEFAULT: text}
    return _alter(
        table, lambda dataset: alterations.declare(dataset, field.name, facts)
    )


def _alter(table: Table, change: Callable[[Any], None]) -> Work:
    return lambda control: table.alter(change)


def _values(
    planning: Planning, table: Table, field: pa.Field, value: Query | str
) -> Callable[[Control], Iterator[pa.Array]]:
    """Return how to compute a column's values, in the order of the table."""
    planning.catalog.set_target(table)
    name, source = quote(field.name), f"{TARGET_SCHEMA}.{quote(table.name)}"
    frame = planning.spliced(
        f"SELECT {quote(ROW_ID)}, (", value, f"\n) AS {name} FROM {source}"
    )
    try:
        frame = frame.select(col(quote(ROW_ID)), col(name).cast(field.type).alias(name))
        frame = frame.sort(col(quote(ROW_ID)).sort())
        frame.schema()
    except Exception as error:
        raise translate(error, planning.statement.text) from None
    schema = pa.schema([ROW_ID_FIELD, pa.field(field.name, field.type)])

    def values(control: Control) -> Iterator[pa.Array]:
        for batch in queries.rows(planning, frame, schema, control):
            if batch is not None:
                yield batch.column(field.name)

    return values


def _require_new(table: Table, name: str, position: Position) -> None:
    if name in table.schema.names:
        raise DuplicateObject(
            f"table '{table.name}' has a column '{name}' already", position=position
        )


_CHANGES: dict[type, Callable[[Planning, Table, Any], Work]] = {
    nodes.AddColumn: _add_column,
    nodes.DropColumn: _drop_column,
    nodes.RenameColumn: _rename_column,
    nodes.AlterType: _alter_type,
    nodes.SetNullable: _set_nullable,
    nodes.SetDefault: _set_default,
    DropExpression: _drop_expression,
}
