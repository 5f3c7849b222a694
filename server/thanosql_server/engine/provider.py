"""A stored table as DataFusion sees it: a pyarrow dataset that scans Lance.

DataFusion accepts any subclass of `pyarrow.dataset.Dataset` and pushes projections and
filters into its scanner, whichever version of DataFusion Lance itself was built for.
It cannot push a limit, so the planner leaves a hint for this statement's instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from thanosql_server.control import Control
from thanosql_server.engine.session import SCHEMA
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.nearest import Nearest, Search
from thanosql_server.search.resident import Residents
from thanosql_server.storage.facts import without_facts
from thanosql_server.storage.tables import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.search.exact import Comparison
    from thanosql_server.settings import Settings
    from thanosql_server.storage.tables import Table

COMPARING = Nearest(Residents(0), Int8Product(1))
"""Keeps nothing in memory: for table objects that no engine runs."""


ROW_ID_FIELD = pa.field(ROW_ID, pa.uint64(), nullable=False)


@dataclass(frozen=True)
class TopK:
    """Hint: of all rows that pass the filter, only the k nearest are needed.

    Attributes:
        column: the table's column of vectors.
        comparison: what they are compared with, and how.
        k: how many rows.
    """

    column: str
    comparison: Comparison
    k: int


def wishes(comparison: Comparison, control: Control) -> tuple[int, bool]:
    """Return how many rows a search keeps in sight, and whether no index is used."""
    ef, exact = wished(control.settings)
    return (
        ef if comparison.ef is None else comparison.ef,
        exact if comparison.exact is None else comparison.exact,
    )


def wished(settings: Settings) -> tuple[int, bool]:
    """Return the same for searches that say nothing of it themselves."""
    return settings.integer("hnsw.ef_search"), bool(settings["search.exact"])


class LanceTable(pads.Dataset):  # type: ignore[misc] # pyarrow has no types
    """One version of one table, for one statement.

    Args:
        table: the table.
        name: schema and name by which plans know it; its own name in the default
            schema, if not given.
        row_ids: whether to show the row ids as a column.
    """

    def __new__(
        cls, table: Table, name: str = "", *, row_ids: bool = False
    ) -> LanceTable:
        """Make the Arrow object below, which takes no arguments."""
        dataset: LanceTable = pads.Dataset.__new__(cls)
        return dataset

    def __init__(self, table: Table, name: str = "", *, row_ids: bool = False) -> None:
        self.table = table
        self.name = name or f"{SCHEMA}.{table.name}"
        self.row_ids = row_ids
        schema = without_facts(table.schema)
        self._schema = schema.append(ROW_ID_FIELD) if row_ids else schema
        self.top_k: TopK | None = None
        self.limit: int | None = None
        self.batch_rows: int | None = None
        self.failure: Exception | None = None
        self.nearest = COMPARING
        self.control = Control()
        self.searched: Callable[[pc.Expression | None], None] = _unnoticed
        """Told after a search with a top-k hint which filter it had."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the table, and the row ids where they are asked for."""
        return self._schema

    def get_fragments(self, filter: pc.Expression | None = None) -> list[_Fragment]:
        """Return one pseudo-fragment: Lance decodes in parallel and keeps the order."""
        return [_Fragment(self)]

    def scanner(
        self, columns: list[str] | None = None, filter: Any = None, **_: Any
    ) -> _Scanner:
        """Return a lazy scan of the whole table."""
        return _Scanner(self, columns, _expression(filter))


class RowsTable(pads.Dataset):  # type: ignore[misc] # pyarrow has no types
    """A few rows in memory, collected when they are first read.

    pyarrow's own dataset of a table without rows has no partitions, and DataFusion
    cannot plan a sort over none.

    Args:
        schema: columns of the rows.
        rows: collects them, all at once.
    """

    def __new__(cls, schema: pa.Schema, rows: Callable[[], pa.Table]) -> RowsTable:
        """Make the Arrow object below, which takes no arguments."""
        dataset: RowsTable = pads.Dataset.__new__(cls)
        return dataset

    def __init__(self, schema: pa.Schema, rows: Callable[[], pa.Table]) -> None:
        self._schema = schema
        self._rows = cache(rows)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return self._schema

    def get_fragments(self, filter: pc.Expression | None = None) -> list[RowsTable]:
        """Return the rows as the one fragment."""
        return [self]

    def scanner(
        self, schema: Any = None, columns: Any = None, filter: Any = None, **_: Any
    ) -> pads.Scanner:
        """Return a scan of the rows."""
        return pads.dataset(self._rows()).scanner(columns=columns, filter=filter)


class StreamTable(pads.Dataset):  # type: ignore[misc] # pyarrow has no types
    """Rows that come once: a statement reads them in one place, as they come."""

    def __new__(cls, rows: pa.RecordBatchReader) -> StreamTable:
        """Make the Arrow object below, which takes no arguments."""
        dataset: StreamTable = pads.Dataset.__new__(cls)
        return dataset

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self._rows = rows

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return self._rows.schema

    def get_fragments(self, filter: pc.Expression | None = None) -> list[StreamTable]:
        """Return the rows as the one fragment."""
        return [self]

    def scanner(
        self, schema: Any = None, columns: Any = None, filter: Any = None, **_: Any
    ) -> pads.Scanner:
        """Return the one scan of the rows."""
        return pads.Scanner.from_batches(self._rows, columns=columns, filter=filter)


def _unnoticed(filter: pc.Expression | None) -> None:
    pass


def _expression(filter: Any) -> pc.Expression | None:
    """Return a filter as an expression: of a join ON true it is a plain value."""
    if filter is None or isinstance(filter, pc.Expression):
        return filter
    value = filter.as_py() if isinstance(filter, pa.Scalar) else filter
    return pc.scalar(bool(value))


@dataclass(frozen=True)
class _Fragment:
    source: LanceTable

    def scanner(
        self,
        schema: pa.Schema | None = None,
        columns: list[str] | None = None,
        filter: Any = None,
        **_: Any,
    ) -> _Scanner:
        return _Scanner(self.source, columns, _expression(filter))


@dataclass(frozen=True)
class _Scanner:
    source: LanceTable
    columns: list[str] | None
    filter: Any

    @property
    def projected_schema(self) -> pa.Schema:
        schema = self.source.schema
        if self.columns is None:
            return schema
        return pa.schema([schema.field(name) for name in self.columns])

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches():
                # DataFusion takes 128 batches before it looks whether it is to stop.
                self.source.control.check()
                yield batch
        except Exception as error:
            # DataFusion hands exceptions of Python code on as text only.
            self.source.failure = error
            raise

    def _batches(self) -> Iterator[pa.RecordBatch]:
        source = self.source
        if source.row_ids:
            return self._with_row_ids()
        if source.top_k is not None:
            return self._nearest(source.top_k)
        return source.table.scan(
            self.columns,
            self.filter,
            batch_rows=source.batch_rows,
            limit=source.limit,
        )

    def _with_row_ids(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table that is about to be changed."""
        names = self.projected_schema.names
        columns = [name for name in names if name != ROW_ID]
        for batch in self.source.table.scan(columns, self.filter, row_ids=True):
            yield batch.select(names)

    def _nearest(self, hint: TopK) -> Iterator[pa.RecordBatch]:
        source, comparison = self.source, hint.comparison
        search = Search(
            source.table,
            hint.column,
            comparison.query()[None],
            hint.k,
            self.filter,
            comparison.measure,
            comparison.strict,
            *wishes(comparison, source.control),
        )
        (found,) = source.nearest.find(search, source.control)
        source.searched(self.filter)
        yield source.table.take(found.rows(), self.projected_schema.names)
