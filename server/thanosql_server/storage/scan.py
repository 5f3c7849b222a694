"""Reading a Lance dataset in table order, in bounded memory, under any filter."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from thanosql_server.storage.widths import fitting_rows, wide_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lance
    import pyarrow as pa
    import pyarrow.compute as pc

logger = logging.getLogger(__name__)

ROW_ID = "_rowid"
"""Name of the uint64 column with Lance's row ids, which `Table.take` accepts."""

MANY_ROWS = 100_000
"""Below, Lance chooses what it reads first: either way takes a few milliseconds."""

_READAHEAD: dict[str, Any] = {
    "scan_in_order": True,
    "batch_readahead": 4,
    "fragment_readahead": 1,
    # Lance would read ahead by up to 2 GiB of encoded pages when its reader is slow;
    # 32 MiB scan as fast (400,000 x 512 floats: 0.73 s either way).
    "io_buffer_size": 32 << 20,
}


@dataclass(frozen=True)
class Scan:
    """One pass over a dataset.

    Attributes:
        dataset: what to read.
        columns: names of the columns wanted; none give batches with a row count only.
        filter: keeps the rows for which it is true.
        row_ids: whether to add the column `ROW_ID`.
        batch_rows: rows per batch at most; by default about 4 MiB.
        limit: stop after so many rows.
        fragments: numbers of the only fragments (blocks of the dataset's rows) to
            read; None for all.
    """

    dataset: lance.LanceDataset
    columns: list[str]
    filter: pc.Expression | None = None
    row_ids: bool = False
    batch_rows: int | None = None
    limit: int | None = None
    fragments: frozenset[int] | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in table order."""
        if self.limit == 0:
            return iter(())
        if self.filter is None:
            return self._by_lance()
        return self._tried_by_lance()

    def _tried_by_lance(self) -> Iterator[pa.RecordBatch]:
        """Filter with Lance; with Acero, Arrow's engine, if Lance refuses.

        Lance understands what its Substrait reader does: no unsigned 64-bit integers,
        large strings or nanoseconds, for instance. It says so before the first batch.
        """
        batches = self._by_lance()
        try:
            first = list(_first(batches))
        except Exception:
            logger.debug("Lance refused the filter %s", self.filter, exc_info=True)
            return self._by_acero()
        return chain(first, batches)

    def _by_lance(self) -> Iterator[pa.RecordBatch]:
        scanner = self._scanner(self.columns, filter=self.filter, limit=self.limit)
        wanted = self._wanted
        for batch in scanner.to_batches():
            yield batch.select(wanted)

    def _by_acero(self) -> Iterator[pa.RecordBatch]:
        """Read the columns that the filter names as well, and filter batch by batch."""
        named = str(self.filter)
        schema = self.dataset.schema
        # A name that merely occurs in the text costs a column read, no wrong answer.
        used = [n for n in schema.names if n in self.columns or n in named]
        remaining = self.limit
        for batch in self._scanner(used).to_batches():
            kept = batch.filter(self.filter).select(self._wanted)
            kept = kept if remaining is None else kept.slice(0, remaining)
            if kept.num_rows:
                yield kept
            if remaining is not None and (remaining := remaining - kept.num_rows) == 0:
                return

    @property
    def _wanted(self) -> list[str]:
        return [*self.columns, ROW_ID] if self.row_ids else self.columns

    def _scanner(self, columns: list[str], **how: Any) -> lance.LanceScanner:
        return self.dataset.scanner(
            columns=columns,
            # Lance needs something to read where only the number of rows is asked.
            with_row_id=self.row_ids or not columns,
            batch_size=self.batch_rows or self._fitting_rows(columns),
            fragments=self._fragments(),
            late_materialization=self._read_late(columns),
            **_READAHEAD,
            **how,
        )

    def _fitting_rows(self, columns: list[str]) -> int:
        short = self.dataset.count_rows() >= MANY_ROWS and not self._wide(columns)
        return fitting_rows(self.dataset.schema, columns, short_texts=short)

    def _read_late(self, columns: list[str]) -> list[str] | bool | None:
        """Return the columns that are read after filtering; None for Lance's choice."""
        if self.filter is None or self.dataset.count_rows() < MANY_ROWS:
            return None
        return self._wide(columns) or False

    def _wide(self, columns: list[str]) -> list[str]:
        return wide_columns(self.dataset, columns)

    def _fragments(self) -> list[lance.LanceFragment] | None:
        if self.fragments is None:
            return None
        known = self.dataset.get_fragments()
        return [f for f in known if f.fragment_id in self.fragments]


def _first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        return
