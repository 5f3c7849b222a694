"""Searches of generated columns: few rows that wait are embedded first.

So a row is found as soon as its INSERT has returned. Where more wait than the setting
`search.embed_pending` allows, the search goes on without them and says how many.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine import query as queries
from thanosql_server.engine.executor import in_thread
from thanosql_server.engine.filling import Scope, most_at_once
from thanosql_server.engine.searched_columns import (
    counts_now,
    counts_of,
    searched,
)
from thanosql_server.errors import Cancelled, Conflict, ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from datafusion import DataFrame

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.engine.searched_columns import Searched
    from thanosql_server.sql.nodes import Query

EMBED_PENDING = "search.embed_pending"
"""The setting: so many rows are embedded at most before a search."""

POLL_SECONDS = 0.02
LONGEST_WAIT = 60.0
"""Seconds that a search waits for somebody else who embeds the same rows."""


def rows(
    planning: Planning,
    query: Query,
    frame: DataFrame,
    schema: pa.Schema,
    control: Control,
) -> Iterator[pa.RecordBatch | None]:
    """Run a query as `query.rows` does, after looking after what it searches."""
    explains = planning.statement.text.lstrip()[:7].upper() == "EXPLAIN"
    found = [] if explains else searched(planning, frame)
    behind = [one for one in found if counts_of(planning, one).todo]
    if behind:
        most = control.settings.integer(EMBED_PENDING)
        for one in behind:
            if counts_now(planning, one).todo <= most:
                yield from in_thread(partial(_embed, planning, one, control), control)
        planning = planning.again()  # others may have embedded them since
        frame = planning.frame(query)
        _warn(planning, searched(planning, frame), control)
    yield from queries.rows(planning, frame, schema, control)


def _warn(planning: Planning, found: list[Searched], control: Control) -> None:
    """Say what a search does not find, or compares with what it should not."""
    for one in found:
        counts, name = counts_of(planning, one), one.column.column
        table = one.table.name
        if counts.stale:
            control.warn(
                f"{counts.stale} embeddings in '{name}' of table '{table}' are of a "
                f"former build of model '{one.column.model}' and cannot be compared "
                "with what it gives now; they are being made anew, and REFRESH TABLE "
                "waits for it"
            )
        if counts.pending:
            control.warn(
                f"{counts.pending} rows of table '{table}' wait for their embeddings "
                f"in '{name}' and are not found yet; REFRESH TABLE waits for them"
            )


def _embed(planning: Planning, one: Searched, control: Control) -> None:
    """Embed the rows that wait, or wait for who embeds them already.

    Those that come meanwhile are of later statements.
    """
    environment, name = planning.environment, one.table.name
    until = time.monotonic() + LONGEST_WAIT
    try:
        while (todo := counts_now(planning, one).todo) and time.monotonic() < until:
            control.check()
            try:
                filler, column = environment.filler, one.column.column
                filler.fill(one.space, name, column, Scope.WAITING, control)
                environment.keeper.note(one.table, column)
            except Conflict:
                time.sleep(POLL_SECONDS)
                continue
            if todo <= most_at_once(one.table.count_rows()):
                return
    except Cancelled:
        raise
    except ThanoSQLError as error:
        control.warn(f"the rows that wait could not be embedded: {error.message}")
