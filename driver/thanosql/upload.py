"""Rows on their way to the server: counted, with progress, under an id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql.conninfo import nearest
from thanosql.errors import ProgrammingError
from thanosql.result import Progress
from thanosql_proto.flight_sql import CommandStatementIngest
from thanosql_proto.thanosql import Completed, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRESS_SECONDS = 0.25

STATEMENT_ID = "thanosql.statement_id"
"""The option of an ingestion that names it for CancelStatement."""

_Definition = CommandStatementIngest.TableDefinitionOptions
_CREATE = _Definition.TABLE_NOT_EXIST_OPTION_CREATE
_MODES = {
    "create": (_CREATE, _Definition.TABLE_EXISTS_OPTION_FAIL),
    "append": (
        _Definition.TABLE_NOT_EXIST_OPTION_FAIL,
        _Definition.TABLE_EXISTS_OPTION_APPEND,
    ),
    "replace": (_CREATE, _Definition.TABLE_EXISTS_OPTION_REPLACE),
    "create_append": (_CREATE, _Definition.TABLE_EXISTS_OPTION_APPEND),
}


def ingestion(
    table: str, mode: str, schema: str | None, statement_id: str
) -> CommandStatementIngest:
    """Return the command that loads the rows which follow it into a table.

    Raises:
        ProgrammingError: there is no such mode.
    """
    if mode not in _MODES:
        raise ProgrammingError(
            f"there is no mode '{mode}'{nearest(str(mode), _MODES)}; give 'create', "
            "'append', 'replace' or 'create_append'"
        )
    if_not_exist, if_exists = _MODES[mode]
    return CommandStatementIngest(
        table_definition_options=_Definition(
            if_not_exist=if_not_exist, if_exists=if_exists
        ),
        table=table,
        schema=schema,
        options={STATEMENT_ID: statement_id},
    )


def size_of(batch: pa.RecordBatch) -> int:
    """Return the bytes of a batch, or of what its columns are a part of."""
    try:
        return int(batch.nbytes)
    except pa.lib.ArrowTypeError:  # views, before pyarrow 18
        return int(batch.get_total_buffer_size())


class Upload:
    """Batches that are sent once, in their order.

    Attributes:
        schema: of the batches.
        statement_id: names what they are for in CancelStatement.
        on_progress: called with a `Progress` a few times a second.
        rows: how many have been sent.
    """

    def __init__(
        self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], statement_id: str
    ) -> None:
        self.schema = schema
        self.statement_id = statement_id
        self.on_progress: Callable[[Progress], object] | None = None
        self.rows = 0
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        began = told = time.monotonic()
        for batch in self._batches:
            yield batch
            self.rows += batch.num_rows
            now = time.monotonic()
            if self.on_progress is not None and now - told >= PROGRESS_SECONDS:
                told = now
                self.on_progress(Progress("sending", self.rows, 0, now - began))

    def end(self) -> bytes:
        """Return the message that tells the server that these were all rows."""
        completed = Completed(rows_affected=self.rows)
        return bytes(Event(completed=completed).SerializeToString())
