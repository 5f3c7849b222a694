"""What a cursor's result can be fetched as: tuples, Arrow, data frames."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import pandas
    import polars
    from typing_extensions import Self

    from thanosql.result import Result
    from thanosql_proto.thanosql import Completed


class Fetching:
    """The fetch methods of a cursor, in any mix: each takes what is left.

    All of them raise ProgrammingError without a result set, InterfaceError after a
    close, and what `execute` raises when the statement fails while its rows arrive.

    Attributes:
        arraysize: rows that `fetchmany` returns unless told otherwise.
        messages: warnings of the latest statement, as pairs (class, instance).
    """

    def __init__(self) -> None:
        self.arraysize = 1
        self.messages: list[tuple[type[errors.Warning], errors.Warning]] = []
        self._result: Result | None = None
        self._said: Result | Completed | None = None
        self._rownumber = 0

    def _open_result(self) -> Result:
        raise NotImplementedError

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, None at the end."""
        rows = self._take(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """Return the next `size` rows (`arraysize` unless given), fewer at the end."""
        return self._take(self.arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows that are left."""
        return self._take(sys.maxsize)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def fetch_record_batches(self) -> pa.RecordBatchReader:
        """Return the rows that are left as a reader that holds one batch at a time."""
        result = self._open_result()
        return pa.RecordBatchReader.from_batches(result.schema, self._batches())

    def fetch_arrow_table(self) -> pa.Table:
        """Return the rows that are left as an Arrow table."""
        result = self._open_result()
        return pa.Table.from_batches(self._batches(), schema=result.schema)

    def fetch_df(self) -> pandas.DataFrame:
        """Return the rows that are left as a pandas data frame.

        Raises:
            InterfaceError: pandas is not installed.
        """
        _need("pandas", "fetch_df")
        return self.fetch_arrow_table().to_pandas()

    def fetch_polars(self) -> polars.DataFrame:
        """Return the rows that are left as a polars data frame.

        Raises:
            InterfaceError: polars is not installed.
        """
        read = _need("polars", "fetch_polars")
        rows: polars.DataFrame = read.from_arrow(self.fetch_arrow_table())
        return rows

    @property
    def warnings(self) -> list[str]:
        """What went wrong without stopping the statement, as texts."""
        return list(self._said.warnings) if self._said is not None else []

    @property
    def notes(self) -> list[str]:
        """What is good to know about what was done, as texts; nothing went wrong."""
        return list(self._said.notes) if self._said is not None else []

    def _take(self, count: int) -> list[tuple[Any, ...]]:
        if count < 0:
            raise errors.ProgrammingError(f"the number of rows is below 0: {count}")
        rows = self._open_result().take(count)
        self._rownumber += len(rows)
        self._note_warnings()
        return rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._open_result().batches():
            self._rownumber += batch.num_rows
            yield batch
        self._note_warnings()

    def _note_warnings(self) -> None:
        known = len(self.messages)
        for text in self.warnings[known:]:
            self.messages.append((errors.Warning, errors.Warning(text)))


def _need(module: str, method: str) -> ModuleType:
    """Import a library that only one method needs."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise errors.InterfaceError(
            f"{method}() needs {module}; pip install {module}"
        ) from None
