"""REFRESH TABLE: generated columns brought up to date while the statement waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from thanosql_server.engine.actions import action
from thanosql_server.engine.filling import Scope
from thanosql_server.engine.places import place_of
from thanosql_server.engine.targets import column_of, opened
from thanosql_server.errors import Conflict, InvalidStatement
from thanosql_server.storage.generated import generated_columns

if TYPE_CHECKING:
    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.refresh import RefreshTable
    from thanosql_server.storage.tables import Table

POLL_SECONDS = 0.05


def refresh_table(planning: Planning, node: RefreshTable) -> Plan:
    """REFRESH TABLE t [(columns)] [FULL]: embed what waits, failed or has changed.

    Returns the number of embeddings made.
    """
    table = opened(planning, node.table)
    columns = _columns(table, node)
    space = place_of(planning.environment.workspace, node.table).space
    scope = Scope.ALL if node.full else Scope.CHANGED
    filler, keeper = planning.environment.filler, planning.environment.keeper

    def work(control: Control) -> int:
        made = 0
        for column in columns:
            while True:
                try:
                    made += filler.fill(space, table.name, column, scope, control)
                    break
                except Conflict:
                    if not keeper.is_busy(table, column):
                        raise
                    control.check()  # the server is at it itself
                    time.sleep(POLL_SECONDS)
            keeper.note(table, column)
        return made

    return action(work)


def _columns(table: Table, node: RefreshTable) -> list[str]:
    """Return the columns to refresh.

    Raises:
        InvalidStatement: there are none, or one that is named is not generated.
    """
    known = [one.column for one in generated_columns(table.schema)]
    if not known:
        raise InvalidStatement(
            f"table '{table.name}' has no generated columns; ALTER TABLE ... ADD "
            "COLUMN e GENERATED ALWAYS AS (embed_image('model', column)) adds one",
            position=node.table.position,
        )
    wanted = []
    for name, position in node.columns:
        column = column_of(table, name, position).name
        if column not in known:
            raise InvalidStatement(
                f"column '{column}' is not generated", position=position
            )
        wanted.append(column)
    return wanted or known
