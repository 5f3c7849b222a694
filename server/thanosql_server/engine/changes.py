"""DELETE, UPDATE and TRUNCATE: DataFusion finds the rows, storage changes them.

The rows come from an ordinary query over the table with its row ids, so that whatever
may stand in a query may stand in conditions and values. A change that another writer
was faster with is planned and carried out anew, on what that writer left.
"""

from __future__ import annotations

import random
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from datafusion import col

from thanosql_server.engine import query as queries
from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.faults import translate
from thanosql_server.engine.generated import refuse_assigned
from thanosql_server.engine.places import place_of
from thanosql_server.engine.provider import ROW_ID_FIELD
from thanosql_server.engine.targets import at, column_of, opened, refuse_view
from thanosql_server.errors import Conflict, InvalidStatement
from thanosql_server.sql.names import quote
from thanosql_server.sql.tokens import tokenize
from thanosql_server.storage.facts import DEFAULT, fact
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from datafusion import DataFrame, Expr

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import (
        Assignment,
        Delete,
        Query,
        Truncate,
        Update,
    )

ATTEMPTS = 10
"""How often a change is tried while other writers are faster."""

LONGEST_PAUSE = 0.2
"""Seconds to wait at most before it is tried again."""


_JOINS = frozenset(
    {"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING"}
)


@dataclass(frozen=True)
class Change:
    """A change of one table, planned but not carried out.

    Attributes:
        frame: the query for the row ids and the new values.
        schema: its columns.
        apply: hands the rows to storage and returns how many were changed.
        parameters: the types of the statement's parameters.
    """

    planning: Planning
    frame: DataFrame
    schema: pa.Schema
    apply: Callable[[Iterator[pa.RecordBatch]], int]
    parameters: pa.Schema

    def carry_out(self, control: Control) -> int:
        """Run the query, change its rows, and return how many there were."""
        batches = queries.rows(self.planning, self.frame, self.schema, control)
        # Closed here: an error that is kept holds on to the stream and its loop.
        with closing(batches):
            return self.apply(batch for batch in batches if batch is not None)


def delete(planning: Planning, node: Delete) -> Plan:
    """DELETE FROM t [USING others] [WHERE ...]."""
    return _plan(planning, lambda again: _deletion(again, node))


def update(planning: Planning, node: Update) -> Plan:
    """UPDATE t SET a = x, ... [FROM others] [WHERE ...]."""
    return _plan(planning, lambda again: _update(again, node))


def truncate(planning: Planning, node: Truncate) -> Plan:
    """TRUNCATE t, ...: remove all rows; each table is a commit of its own."""
    workspace = planning.environment.workspace
    places = [place_of(workspace, table) for table in node.tables]

    def work(control: Control) -> int:
        for place, name in zip(places, node.tables, strict=True):
            refuse_view(place, name, "cannot be changed; change the tables it reads")
        found = [
            at(table.position, partial(place.tables.open, place.name))
            for table, place in zip(node.tables, places, strict=True)
        ]
        for table in found:
            control.check()
            table.truncate()
        return -1

    return action(work)


def _plan(planning: Planning, prepare: Callable[[Planning], Change]) -> Plan:
    first = prepare(planning)

    def work(control: Control) -> int:
        return carried_out(first, lambda: prepare(planning.again()), control)

    return action(work, first.parameters)


def carried_out(change: Change, again: Callable[[], Change], control: Control) -> int:
    """Carry out a change; plan it anew where another writer was faster.

    Raises:
        Conflict: others were faster `ATTEMPTS` times.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return change.carry_out(control)
        except Conflict:
            control.check()
            time.sleep(random.uniform(0, LONGEST_PAUSE * attempt / ATTEMPTS))
            change = again()
    return change.carry_out(control)


def _deletion(planning: Planning, node: Delete) -> Change:
    table = opened(planning, node.table)
    planning.catalog.set_target(table)
    frame = _rows(planning, node, node.others, [])
    schema, parameters = pa.schema([ROW_ID_FIELD]), planning.parameter_schema(frame)
    return Change(planning, frame, schema, table.delete, parameters)


def _update(planning: Planning, node: Update) -> Change:
    table = opened(planning, node.table)
    planning.catalog.set_target(table)
    fields = [column_of(table, one.column, one.position) for one in node.assignments]
    columns = [field.name for field in fields]
    refuse_assigned(table.schema, node.assignments)
    require_different(columns, node.assignments)
    values = _values(node.assignments, fields)
    frame = _rows(planning, node, node.others, values)
    schema = pa.schema([ROW_ID_FIELD, *fields])
    return Change(
        planning,
        _cast(planning, frame, fields, node),
        schema,
        partial(table.update, columns),
        set_parameters(planning.parameter_schema(frame), node.assignments, fields),
    )


def set_parameters(
    parameters: pa.Schema,
    assignments: tuple[Assignment, ...],
    fields: list[pa.Field],
) -> pa.Schema:
    """Return the types of the parameters: of `a = ?` it is the column's."""
    for one, field in zip(assignments, fields, strict=True):
        index = one.value.placeholder if one.value is not None else None
        if index is not None:
            known = pa.field(str(index), field.type)
            parameters = parameters.set(index - 1, known)
    return parameters


def _rows(
    planning: Planning,
    node: Delete | Update,
    others: Query | None,
    values: list[str | Query],
) -> DataFrame:
    """Return the query for the rows concerned: their ids, then the values."""
    name, alias = quote(node.table.name), quote(node.alias)
    pieces: list[str | Query] = [f"SELECT {alias}.{quote(ROW_ID)}", *values]
    pieces.append(f" FROM {TARGET_SCHEMA}.{name} AS {alias}")
    if others is not None:
        _require_told_apart(node, others)
        pieces += [", ", others]
    if node.where is not None:
        # In parentheses it can only be a condition, whatever its words are.
        pieces += [" WHERE (", node.where, "\n)"]
    return planning.spliced(*pieces)


def _require_told_apart(node: Delete | Update, others: Query) -> None:
    """Refuse another table of the same name, which DataFusion would mix up with it."""
    if node.alias != node.table.name:
        return
    tokens = tokenize(others.text)
    for place, token in enumerate(tokens[1:], start=1):
        follows = tokens[place + 1] if place + 1 < len(tokens) else None
        named = follows is None or follows.is_symbol(",") or follows.word in _JOINS
        if tokens[place - 1].is_symbol(".") and token.reads_as(node.alias) and named:
            raise InvalidStatement(
                f"two tables are called '{node.alias}' here; give the one that is "
                f"changed another name, as in {node.table} AS changed",
                position=node.table.position,
            )


def _values(
    assignments: tuple[Assignment, ...], fields: list[pa.Field]
) -> list[str | Query]:
    pieces: list[str | Query] = []
    value: str | Query | None
    for one, field in zip(assignments, fields, strict=True):
        value = one.value
        if value is None:
            value = fact(field, DEFAULT) or "NULL"
        pieces += [", (", value, f"\n) AS {quote(field.name)}"]
    return pieces


def _cast(
    planning: Planning, frame: DataFrame, fields: list[pa.Field], node: Update
) -> DataFrame:
    """Return the rows in the order of the table, with the types of its columns."""
    try:
        cast = frame.select(col(quote(ROW_ID)), *cast_columns(frame, fields))
        cast.schema()
    except Exception as error:
        failure = translate(error, planning.statement.text)
        raise failure.at(node.assignments[0].position) from None
    return cast.sort(col(quote(ROW_ID)).sort())


def cast_columns(frame: DataFrame, fields: Iterable[pa.Field]) -> list[Expr]:
    """Return columns of a frame in these fields' types."""
    given = frame.schema()
    return [
        col(quote(field.name))
        if given.field(field.name).type == field.type
        else col(quote(field.name)).cast(field.type).alias(field.name)
        for field in fields
    ]


def require_different(columns: list[str], assignments: tuple[Assignment, ...]) -> None:
    """Refuse to set a column twice.

    Raises:
        InvalidStatement: a column stands in two of the assignments.
    """
    for place, column in enumerate(columns):
        if column in columns[:place]:
            raise InvalidStatement(
                f"column '{column}' is set twice",
                position=assignments[place].position,
            )
