"""SET, RESET and SHOW; SHOW STATEMENTS and CANCEL STATEMENT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.plan import NO_ROWS, Plan
from thanosql_server.engine.server_tables import (
    SETTING_SCHEMA,
    STATEMENT_SCHEMA,
    settings_table,
    statements_table,
)
from thanosql_server.errors import InvalidValue, ThanoSQLError, UndefinedObject
from thanosql_server.settings import setting_named, shown
from thanosql_server.sql.options import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.settings import Setting
    from thanosql_server.sql.options import Value
    from thanosql_server.sql.settings import (
        CancelStatement,
        ResetSetting,
        SetSetting,
        ShowSetting,
        ShowStatements,
    )


def set_setting(planning: Planning, statement: SetSetting) -> Plan:
    """Plan `SET name = value`."""
    setting = _named(statement.name, statement.position)
    if statement.value is None:
        return _act(planning, lambda control: control.settings.reset(setting.name))
    if planning.arguments is None and statement.parameter_count:
        return _act(planning, lambda control: None)
    try:
        value = setting.checked(_plain(planning, statement.value))
    except ThanoSQLError as error:
        raise error.at(statement.position) from None
    return _act(planning, lambda control: control.settings.set(setting.name, value))


def reset_setting(planning: Planning, statement: ResetSetting) -> Plan:
    """Plan `RESET name` and `RESET ALL`."""
    if statement.name is not None:
        _named(statement.name, statement.position)
    return _act(planning, lambda control: control.settings.reset(statement.name))


def show_setting(planning: Planning, statement: ShowSetting) -> Plan:
    """Plan `SHOW name`, one row with one column of that name, and `SHOW ALL`."""
    if statement.name is None:
        return _rows(SETTING_SCHEMA, settings_table)
    name = _named(statement.name, statement.position).name
    schema = pa.schema([pa.field(name, pa.string(), nullable=False)])

    def value(control: Control) -> pa.Table:
        return pa.table([[shown(control.settings[name])]], schema=schema)

    return _rows(schema, value)


def show_statements(planning: Planning, statement: ShowStatements) -> Plan:
    """Plan `SHOW STATEMENTS`: the rows of `thanosql.statements`."""
    activity = planning.environment.activity
    return _rows(STATEMENT_SCHEMA, lambda control: statements_table(activity, control))


def cancel_statement(planning: Planning, statement: CancelStatement) -> Plan:
    """Plan `CANCEL STATEMENT 'id'`; the statement stops at its next check."""

    def cancel(control: Control) -> None:
        id = str(_plain(planning, statement.id))
        if not planning.environment.activity.cancel(id, control.caller):
            raise UndefinedObject(
                f"no statement '{id}' runs; SHOW STATEMENTS lists those that do",
                position=statement.position,
            )

    return _act(planning, cancel)


def _named(name: str, position: Position) -> Setting:
    try:
        return setting_named(name)
    except ThanoSQLError as error:
        raise error.at(position) from None


def _plain(planning: Planning, value: Value) -> str | int | float | bool:
    """Return a value as it stands, with that of a parameter in its place."""
    values = [argument.as_py() for argument in planning.arguments or ()]
    plain = bind(value, values)
    if not isinstance(plain, (str, int, float, bool)):
        raise InvalidValue("the value must be a text, a number, or true or false")
    return plain


def _act(planning: Planning, act: Callable[[Control], None]) -> Plan:
    def execute(control: Control) -> Iterator[None]:
        act(control)
        return iter(())

    count = planning.statement.parameter_count
    parameters = pa.schema([(f"${n}", pa.string()) for n in range(1, count + 1)])
    return Plan(NO_ROWS, execute, parameters)


def _rows(schema: pa.Schema, rows: Callable[[Control], pa.Table]) -> Plan:
    return Plan(schema, lambda control: iter(rows(control).to_batches()))
