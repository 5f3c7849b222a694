"""INSERT ... ON CONFLICT: rows that are there already are changed, or left alone.

The proposed rows are joined with the table on the columns of a key, so that each comes
with the id of the row that it runs into, or with none. Sorted by these ids, one pass
over the table changes the rows that are there; what comes behind them is added, and
both are one commit. A key is declared, not enforced: while a statement looks for keys
and adds rows, other statements of this kind wait for their turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from datafusion import col

from thanosql_server.engine import inserts
from thanosql_server.engine.actions import action
from thanosql_server.engine.catalog import TARGET_SCHEMA
from thanosql_server.engine.changes import (
    Change,
    carried_out,
    cast_columns,
    require_different,
    set_parameters,
)
from thanosql_server.engine.faults import translate
from thanosql_server.engine.generated import refuse_assigned
from thanosql_server.engine.places import place_of
from thanosql_server.engine.provider import RowsTable
from thanosql_server.engine.targets import column_of, opened
from thanosql_server.engine.upsert_keys import conflict_keys
from thanosql_server.engine.upsert_rows import (
    ACTS,
    TURN,
    FirstOfEach,
    Found,
)
from thanosql_server.errors import InvalidStatement, Position
from thanosql_server.sql.names import quote
from thanosql_server.sql.tokens import tokenize
from thanosql_server.storage.facts import DEFAULT, fact
from thanosql_server.storage.spooled import spooled
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from datafusion import DataFrame
    from pyarrow.dataset import Dataset

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Query
    from thanosql_server.sql.upserts import Upsert
    from thanosql_server.storage.tables import Table

EXCLUDED = "excluded"
"""The proposed row, in new values and conditions."""

_AMBIGUOUS = re.compile(r"ambiguous reference to unqualified field (\S+)")
_PROPOSED = "__proposed"
_ARRIVAL = "_thanosql_arrival"
_NUMBER = pa.field(_ARRIVAL, pa.int64())


def upsert(planning: Planning, node: Upsert) -> Plan:
    """INSERT ... ON CONFLICT DO NOTHING|DO UPDATE SET ..., in one commit."""
    first = _prepared(planning, node)

    def work(control: Control) -> int:
        again = partial(_prepared_again, planning, node)
        return _in_turn(planning, node, first, again, control)

    return action(work, first.change.parameters)


def upsert_rows(
    planning: Planning, node: Upsert, rows: pa.RecordBatchReader
) -> Plan | None:
    """Do the same for many rows of parameters, in one commit.

    Returns:
        The plan, or None if the statement is not one row of VALUES, or has parameters
        behind it.
    """
    behind = [one for one in node.queries[1:] if one.parameters]
    if behind or not inserts.is_one_row(node):
        return None
    source = inserts.as_parameters(node, opened(planning, node.table), rows)
    none = RowsTable(source.schema, source.schema.empty_table)
    _prepared(planning, node, none)

    def work(control: Control) -> int:
        # A plan that is made anew, or run again with other joins, reads them again.
        with spooled(planning.environment.workspace.scratch, source) as kept:
            again = partial(_prepared_again, planning, node, kept)
            return _in_turn(planning, node, None, again, control)

    return action(work)


@dataclass(frozen=True)
class _Prepared:
    """What is to be done, and the version of the table that it was planned for."""

    change: Change
    version: int


def _in_turn(
    planning: Planning,
    node: Upsert,
    first: _Prepared | None,
    again: Callable[[], _Prepared],
    control: Control,
) -> int:
    place = place_of(planning.environment.workspace, node.table)
    with place.tables.upserting(place.name, control.check):
        if first is None or place.tables.open(place.name).version != first.version:
            first = again()
        return carried_out(first.change, lambda: again().change, control)


def _prepared_again(
    planning: Planning, node: Upsert, source: Dataset | None = None
) -> _Prepared:
    return _prepared(planning.again(), node, source)


def _prepared(
    planning: Planning, node: Upsert, source: Dataset | None = None
) -> _Prepared:
    """Plan the statement for the table as it is now.

    Args:
        planning: of the statement.
        node: the statement.
        source: rows of parameters, if there are many.
    """
    table = opened(planning, node.table)
    if node.alias == EXCLUDED:
        raise InvalidStatement(
            "'excluded' is the row to be inserted; give the table another name, as in "
            f"INSERT INTO {node.table} AS t",
            position=node.table.position,
        )
    refuse_assigned(table.schema, node.conflict.assignments)
    keys = conflict_keys(table, node.conflict)
    types: pa.Schema | None = None
    if source is None:
        frame, types = inserts.proposed(planning, node, table)
    else:
        frame = inserts.proposed_by_row(planning, node, table, source)
    planning.catalog.show(_PROPOSED, frame)
    planning.catalog.set_target(table)
    prepare = _updating if node.conflict.assignments else _skipping
    change = prepare(planning, node, table, keys)
    known = _first_known(types or change.parameters, change.parameters)
    if node.conflict.assignments:
        fields = _assigned(table, node)
        known = set_parameters(known, node.conflict.assignments, fields)
    return _Prepared(replace(change, parameters=known), table.version)


def _skipping(
    planning: Planning, node: Upsert, table: Table, keys: Sequence[tuple[str, ...]]
) -> Change:
    """DO NOTHING: the rows whose keys the table has not are added."""
    columns = ", ".join(f"{EXCLUDED}.{quote(name)}" for name in table.schema.names)
    # Of several proposed rows with one key the first is added.
    alone = keys[0] if len(keys) == 1 else ()
    columns += f", {EXCLUDED}.{quote(_ARRIVAL)}"
    pieces = [f"SELECT {columns} FROM ({_numbered(alone)}) AS {EXCLUDED}"]
    for number, key in enumerate(keys):
        there = f"__there{number}"
        pieces.append(
            f" LEFT ANTI JOIN {TARGET_SCHEMA}.{quote(table.name)} AS {there}"
            f" ON {_same(key, there)}"
        )
    if alone:
        pieces.append(f" WHERE {EXCLUDED}.{quote(TURN)} = 1")
    frame = planning.spliced(*pieces).sort(col(quote(_ARRIVAL)).sort())
    several = keys if len(keys) > 1 else ()

    def apply(batches: Iterator[pa.RecordBatch]) -> int:
        rows = (batch.select(table.schema.names) for batch in batches)
        return table.upsert([], iter(()), FirstOfEach(several).of(rows))

    schema = inserts.open_schema(table.schema).append(_NUMBER)
    types = planning.parameter_schema(frame)
    return Change(planning, frame, schema, apply, types)


def _updating(
    planning: Planning, node: Upsert, table: Table, keys: Sequence[tuple[str, ...]]
) -> Change:
    """DO UPDATE: rows with a key that the table has give new values to its rows."""
    (key,) = keys
    fields = _assigned(table, node)
    names = [field.name for field in fields]
    require_different(names, node.conflict.assignments)
    try:
        frame = planning.spliced(*_joined(node, table, key, fields))
    except InvalidStatement as error:
        raise _told_apart(error, node) from None
    types = planning.parameter_schema(frame)
    values = [
        pa.field(_value_name(place), field.type) for place, field in enumerate(fields)
    ]
    own = [pa.field(ROW_ID, pa.uint64()), _NUMBER, pa.field(TURN, pa.int64())]
    own.append(pa.field(ACTS, pa.bool_()))
    schema = pa.schema([*own, *inserts.open_schema(table.schema), *values])
    renamed = {field.name: _value_name(n) for n, field in enumerate(fields)}

    def apply(batches: Iterator[pa.RecordBatch]) -> int:
        found = Found(batches, table.schema, key, renamed)
        return table.upsert(names, found.changes(), found.additions())

    sorted_ = _sorted(planning, frame, schema, node)
    return Change(planning, sorted_, schema, apply, types)


def _joined(
    node: Upsert, table: Table, key: tuple[str, ...], fields: list[pa.Field]
) -> list[str | Query]:
    """Return the query for the proposed rows with what they run into.

    New values are computed for the rows that are changed only: a division, say, may
    fail in others.
    """
    alias, where = quote(node.alias), node.conflict.where
    there = f"{alias}.{quote(ROW_ID)} IS NOT NULL"
    condition: list[str | Query] = [there]
    if where is not None:
        condition = [f"{there} AND (", where, "\n)"]
    columns = ", ".join(f"{EXCLUDED}.{quote(name)}" for name in table.schema.names)
    pieces: list[str | Query] = [
        f"SELECT {alias}.{quote(ROW_ID)}, {EXCLUDED}.{quote(_ARRIVAL)}, "
        f"{EXCLUDED}.{quote(TURN)}, {columns}, CASE WHEN ",
        *condition,
        f" THEN true ELSE false END AS {quote(ACTS)}",
    ]
    for place, (one, field) in enumerate(
        zip(node.conflict.assignments, fields, strict=True)
    ):
        value = fact(field, DEFAULT) or "NULL" if one.value is None else one.value
        pieces += [", CASE WHEN ", *condition, " THEN (", value, "\n) END"]
        pieces.append(f" AS {quote(_value_name(place))}")
    pieces.append(
        f" FROM ({_numbered(key)}) AS {EXCLUDED}"
        f" LEFT JOIN {TARGET_SCHEMA}.{quote(table.name)} AS {alias}"
        f" ON {_same(key, alias)}"
    )
    return pieces


def _numbered(key: tuple[str, ...]) -> str:
    """Return a query for the proposed rows with their numbers: of all, of a key.

    NULL is no key, so a row with one is the first of its own.
    """
    rows = (
        f"SELECT *, row_number() OVER () AS {quote(_ARRIVAL)} "
        f"FROM {TARGET_SCHEMA}.{_PROPOSED}"
    )
    if not key:
        return rows
    columns = ", ".join(map(quote, key))
    whole = " AND ".join(f"{quote(name)} IS NOT NULL" for name in key)
    return (
        f"SELECT *, CASE WHEN {whole} THEN row_number() OVER (PARTITION BY {columns} "
        f"ORDER BY {quote(_ARRIVAL)}) ELSE 1 END AS {quote(TURN)} FROM ({rows})"
    )


def _same(key: tuple[str, ...], alias: str) -> str:
    return " AND ".join(
        f"{alias}.{quote(name)} = {EXCLUDED}.{quote(name)}" for name in key
    )


def _sorted(
    planning: Planning, frame: DataFrame, schema: pa.Schema, node: Upsert
) -> DataFrame:
    """Return the rows by the ids they run into, those without any last."""
    order = col(quote(ROW_ID)).sort(nulls_first=False), col(quote(_ARRIVAL)).sort()
    try:
        # The sort comes last: below a projection it need not hold for the stream.
        cast = frame.select(*cast_columns(frame, schema)).sort(*order)
        cast.schema()
    except Exception as error:
        failure = translate(error, planning.statement.text)
        raise failure.at(node.conflict.assignments[0].position) from None
    return cast


def _told_apart(error: InvalidStatement, node: Upsert) -> InvalidStatement:
    """Return the error for a column of which it is not said whose it is."""
    found = _AMBIGUOUS.search(error.message)
    if found is None:
        return error
    name = found[1].strip('"')
    for query in node.queries[1:]:
        tokens = tokenize(query.text)
        for before, token in zip([None, *tokens], tokens, strict=False):
            if token.reads_as(name) and not (before and before.is_symbol(".")):
                place = query.span.start + token.start
                return InvalidStatement(
                    f"'{name}' is in the table and in the row to be inserted; write "
                    f"{node.alias}.{name} or EXCLUDED.{name}",
                    position=Position.of(query.source, place),
                )
    return error


def _assigned(table: Table, node: Upsert) -> list[pa.Field]:
    return [
        column_of(table, one.column, one.position) for one in node.conflict.assignments
    ]


def _value_name(place: int) -> str:
    return f"_thanosql_value_{place}"


def _first_known(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """Return the types of the parameters, those of `first` where it knows them."""
    return pa.schema(
        [
            two if pa.types.is_null(one.type) else one
            for one, two in zip(first, second, strict=True)
        ]
    )
