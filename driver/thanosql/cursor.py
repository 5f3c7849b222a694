"""Cursors: run a statement, fetch its rows as tuples, Arrow or data frames."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql import errors, types
from thanosql.result import Result
from thanosql_proto.thanosql import Execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    import pandas
    import polars
    from typing_extensions import Self

    from thanosql.connection import Connection
    from thanosql.result import Progress


class Cursor:
    """One statement at a time on a connection; see PEP 249.

    Attributes:
        connection: the connection that made the cursor.
        arraysize: rows that `fetchmany` returns unless told otherwise.
        description: one tuple of seven per column; None without a result set.
        rowcount: rows changed, or rows in all once they have arrived; -1 until then.
        lastrowid: always None, tables have no row ids.
        messages: warnings of the latest statement, as pairs (class, instance).
        progress: called with a `Progress` a few times a second while a statement runs.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.description: list[tuple[Any, ...]] | None = None
        self.lastrowid: None = None
        self.messages: list[tuple[type[errors.Warning], errors.Warning]] = []
        self.progress: Callable[[Progress], object] | None = None
        self._result: Result | None = None
        self._rowcount = -1
        self._rownumber = 0
        self._statement_id: str | None = None
        self._closed = False

    # ---- PEP 249 -------------------------------------------------------

    def execute(
        self,
        operation: str,
        parameters: Sequence[Any] | None = None,
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Self:
        """Run one statement and return the cursor.

        Returns when the statement is done or its first rows are there, so that a
        statement that stores something has done so by then.

        Args:
            operation: the SQL text; ``?`` stands for a parameter.
            parameters: one value per ``?``.
            progress: called with a `Progress` while the statement runs.

        Raises:
            ProgrammingError: the statement is wrong.
            DataError: a parameter, a file or a row cannot be used.
            OperationalError: the server is gone, or the statement was cancelled.
        """
        sets = [] if parameters is None else [parameters]
        return self._run(operation, types.encode_parameters(sets), progress)

    def executemany(
        self,
        operation: str,
        seq_of_parameters: Sequence[Sequence[Any]],
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Self:
        """Run one statement for many sets of parameters, in one round trip."""
        sets = list(seq_of_parameters)
        encoded = types.encode_parameters(sets)
        if encoded:
            return self._run(operation, encoded, progress)
        if sets:
            raise errors.ProgrammingError(
                "executemany needs parameters; execute() runs a statement without them"
            )
        self._check_open()
        self._forget()
        self._rowcount = 0
        return self

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

    def close(self) -> None:
        """Stop what is running and make the cursor unusable; may be called twice."""
        self._forget()
        self._closed = True

    def nextset(self) -> None:
        """Raise NotSupportedError: a statement has one result set."""
        raise errors.NotSupportedError("a statement has one result set only")

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> None:
        """Raise NotSupportedError: there are no stored procedures."""
        raise errors.NotSupportedError("there are no stored procedures")

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Do nothing; Arrow needs no sizes."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing; Arrow needs no sizes."""

    @property
    def rowcount(self) -> int:
        """Rows changed, or rows in all once they have arrived; -1 until then."""
        if self._result is not None and self.description:
            return self._result.rows_total
        return self._rowcount

    @property
    def rownumber(self) -> int | None:
        """Number of the next row, from 0; None without a result set."""
        return self._rownumber if self.description else None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # ---- Extensions of PEP 249 -----------------------------------------

    def fetch_record_batches(self) -> pa.RecordBatchReader:
        """Return the rows that are left as a reader that holds one batch at a time."""
        result = self._open_result()
        return pa.RecordBatchReader.from_batches(result.schema, self._batches())

    def fetch_arrow_table(self) -> pa.Table:
        """Return the rows that are left as an Arrow table."""
        result = self._open_result()
        return pa.Table.from_batches(self._batches(), schema=result.schema)

    def fetch_df(self) -> pandas.DataFrame:
        """Return the rows that are left as a pandas data frame."""
        _need("pandas", "fetch_df")
        return self.fetch_arrow_table().to_pandas()

    def fetch_polars(self) -> polars.DataFrame:
        """Return the rows that are left as a polars data frame."""
        return _need("polars", "fetch_polars").from_arrow(self.fetch_arrow_table())

    @property
    def warnings(self) -> list[str]:
        """What went wrong without stopping the statement, as texts."""
        return list(self._result.warnings) if self._result is not None else []

    @property
    def notes(self) -> list[str]:
        """What is good to know about what was done, as texts; nothing went wrong."""
        return list(self._result.notes) if self._result is not None else []

    @property
    def statement_id(self) -> str | None:
        """The id of the latest statement, known as soon as `execute` has begun."""
        return self._statement_id

    def cancel(self) -> None:
        """Stop the running statement; allowed from any thread.

        The thread that waits for it gets an OperationalError. Does nothing when
        nothing runs.
        """
        result, statement_id = self._result, self._statement_id
        if result is not None and not result.finished:
            result.cancel()
        elif result is None and statement_id is not None:
            # Being planned: there is no stream to cancel yet.
            self.connection._transport.cancel(statement_id)

    # ---- How it works --------------------------------------------------

    def _run(
        self,
        operation: str,
        parameters: bytes,
        progress: Callable[[Progress], object] | None,
    ) -> Self:
        self._check_open()
        self._forget()
        if not isinstance(operation, str):
            raise errors.ProgrammingError(
                f"a statement must be text, not {type(operation).__name__}"
            )
        try:
            operation.encode()
        except UnicodeEncodeError:
            raise errors.ProgrammingError(
                "the statement holds half of a surrogate pair, which is no character"
            ) from None
        self._statement_id = uuid.uuid4().hex
        # Progress is asked for in any case: while pyarrow waits for a message, Python
        # cannot act on Ctrl+C, and the server sends progress every 250 ms.
        statement = Execute(
            query=operation,
            parameters=parameters,
            progress=True,
            statement_id=self._statement_id,
        )
        stream = self.connection._transport.execute(statement)
        self._result = Result(stream, progress or self.progress)
        self._advance()
        if len(stream.schema):
            self.description = [types.describe(field) for field in stream.schema]
        else:
            self._rowcount = self._result.rows_affected
        return self

    def _take(self, count: int) -> list[tuple[Any, ...]]:
        result = self._open_result()
        rows = result.take(count)
        self._rownumber += len(rows)
        self._note_warnings()
        return rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._open_result().batches():
            self._rownumber += batch.num_rows
            yield batch
        self._note_warnings()

    def _advance(self) -> None:
        assert self._result is not None
        self._result.advance()
        self._note_warnings()

    def _note_warnings(self) -> None:
        known = len(self.messages)
        for text in self.warnings[known:]:
            self.messages.append((errors.Warning, errors.Warning(text)))

    def _open_result(self) -> Result:
        self._check_open()
        if self._result is None or self.description is None:
            raise errors.ProgrammingError(
                "there is no result set; execute a query first"
            )
        return self._result

    def _forget(self) -> None:
        """Drop the latest statement, stopping it if it still runs."""
        if self._result is not None:
            self._result.close()
        self._result = self._statement_id = self.description = None
        self._rowcount, self._rownumber, self.messages = -1, 0, []

    def _check_open(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        self.connection._check_open()


def _need(module: str, method: str) -> ModuleType:
    """Import a library that only one method needs."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise errors.InterfaceError(
            f"{method}() needs {module}; pip install {module}"
        ) from None
