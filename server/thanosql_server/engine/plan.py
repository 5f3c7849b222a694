"""What the engine hands to whoever serves clients: a plan that has not run yet."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import ResultTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control

NO_ROWS = pa.schema([])
"""The schema of a statement that returns no rows."""


@dataclass(frozen=True)
class Plan:
    """One statement, understood but not run; planning it twice has no effect.

    Attributes:
        schema: columns of the result, `NO_ROWS` if the statement returns none.
        parameters: one field per parameter, in order, with its inferred type.
        execute: runs the statement; see `run`.
        lasts: whether it may also run a little later, with another leash: it then
            reads tables as they were when it was made, and changes nothing.
        at_once: whether its rows are few and known, so that running it takes no time.
    """

    schema: pa.Schema
    execute: Callable[[Control], Iterator[pa.RecordBatch | None]] = field(repr=False)
    parameters: pa.Schema = NO_ROWS
    lasts: bool = False
    at_once: bool = False

    @property
    def returns_rows(self) -> bool:
        """Whether the statement has a result set (as opposed to a count)."""
        return len(self.schema) > 0

    def run(self, control: Control) -> Iterator[pa.RecordBatch | None]:
        """Run the statement and yield its batches, each exactly of `schema`.

        None is yielded about every 50 ms while there is nothing to hand over yet, so
        that the caller can look after its client (progress, cancel). Closing the
        iterator stops the work. A statement without rows yields only None and leaves
        its count in `control.rows_affected`.
        """
        if control.result_limit and self.returns_rows:
            return _within(self.execute(control), control.result_limit)
        return self.execute(control)


def _within(
    batches: Iterator[pa.RecordBatch | None], limit: int
) -> Iterator[pa.RecordBatch | None]:
    """Hand the batches over until they are more bytes than the limit."""
    size = 0
    with closing(batches) if isinstance(batches, Generator) else nullcontext():
        for batch in batches:
            size += 0 if batch is None else batch.nbytes
            if size > limit:
                raise ResultTooLarge(
                    f"the result is larger than the {limit:,} bytes it may have "
                    "(result_limit); select fewer rows or columns, or write it to a "
                    "file with COPY ... TO"
                )
            yield batch
