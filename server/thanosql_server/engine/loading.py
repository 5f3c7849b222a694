"""Rows from outside on their way into a table, in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.defaults import completed
from thanosql_server.engine.generated import refuse_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.places import Place
    from thanosql_server.engine.planning import Planning

FAIL, APPEND, REPLACE = "fail", "append", "replace"
"""What becomes of a table that is there; one that is not is made."""


def load(
    planning: Planning,
    place: Place,
    rows: pa.RecordBatchReader,
    if_exists: str,
    control: Control,
) -> int:
    """Make, extend or replace a table and return the number of rows that came.

    Appended rows are matched by the names of their columns; columns that they lack
    take their defaults, or NULL.

    Raises:
        DuplicateObject: the table exists and `if_exists` is FAIL, or there is a view.
        UndefinedColumn: rows to append have a column that the table lacks.
        InvalidData: a value does not fit, or a column cannot be stored.
    """
    tables, name = place.tables, place.name
    if if_exists == APPEND and tables.exists(name):
        table = tables.open(name)
        refuse_named(table.schema, rows.schema.names)
        whole = completed(planning, table, rows, control)
        return tables.append(name, whole)
    return tables.create(name, rows, overwrite=if_exists == REPLACE)


def reported(
    source: pa.RecordBatchReader, control: Control, phase: str
) -> pa.RecordBatchReader:
    """Return the same rows; each batch checks for a cancel and reports progress."""

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in source:
            yield batch
            done += batch.num_rows
            control.report(phase, done)

    return pa.RecordBatchReader.from_batches(source.schema, batches())
