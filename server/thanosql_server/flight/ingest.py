"""CommandStatementIngest: a table made, extended or replaced by rows as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_proto.flight_sql import CommandStatementIngest, DoPutUpdateResult
from thanosql_server.engine.ingest import Ingest
from thanosql_server.engine.loading import APPEND, FAIL, REPLACE
from thanosql_server.errors import InvalidValue, NotSupported
from thanosql_server.flight.handles import new_id
from thanosql_server.flight.incoming import columns_of, rows_of
from thanosql_server.flight.service import refuse_transaction
from thanosql_server.flight.streams import drain

if TYPE_CHECKING:
    from typing import Any

    from thanosql_server.flight.service import Service

_Definition = CommandStatementIngest.TableDefinitionOptions

STATEMENT_ID = "thanosql.statement_id"
"""Option of our driver: names the ingestion for CancelStatement, and announces that
the last message will say that these were all rows."""

IF_EXISTS = {
    _Definition.TABLE_EXISTS_OPTION_FAIL: FAIL,
    _Definition.TABLE_EXISTS_OPTION_APPEND: APPEND,
    _Definition.TABLE_EXISTS_OPTION_REPLACE: REPLACE,
}
CREATE = {
    _Definition.TABLE_NOT_EXIST_OPTION_CREATE: True,
    _Definition.TABLE_NOT_EXIST_OPTION_FAIL: False,
}
"""Servers are to refuse the numbers 0, which clients send that name no option."""


def do_put_ingest(
    service: Service, context: Any, command: CommandStatementIngest, reader: Any
) -> DoPutUpdateResult:
    """Load the rows of the stream in one commit and return how many there were."""
    target = _target(command)
    text = f"INGEST INTO {target}"
    own = command.options.get(STATEMENT_ID)
    with service.running.begun(own or new_id(), context, text) as run:
        columns = columns_of(reader)
        batches = rows_of(context, reader, announced_end=own is not None)
        rows = pa.RecordBatchReader.from_batches(columns, batches)
        plan = service.engine.ingest(target, rows, run.control)
        return DoPutUpdateResult(record_count=drain(plan, run, service.running))


def _target(command: CommandStatementIngest) -> Ingest:
    """Return what a command asks for.

    Raises:
        NotSupported: a temporary table, or one within a transaction.
        InvalidValue: the command says too little, or has an option that is not ours.
    """
    refuse_transaction(command)
    if command.temporary:
        raise NotSupported(
            "temporary tables are not supported; ingest into a table and drop it"
        )
    for name in sorted(command.options):
        if name != STATEMENT_ID:
            raise InvalidValue(f"ingestion has no option '{name}'; there are none")
    wanted = command.table_definition_options
    if wanted.if_exists not in IF_EXISTS or wanted.if_not_exist not in CREATE:
        raise InvalidValue(
            "the ingestion must say what is to be done if the table exists (fail, "
            "append, replace) and if it does not (create, fail)"
        )
    return Ingest(
        table=command.table,
        schema=command.schema if command.HasField("schema") else None,
        catalog=command.catalog if command.HasField("catalog") else None,
        if_exists=IF_EXISTS[wanted.if_exists],
        create=CREATE[wanted.if_not_exist],
    )
