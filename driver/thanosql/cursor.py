"""Cursors: run a statement, or load rows into a table."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from thanosql import errors, ingestible, named, types
from thanosql.fetching import Fetching
from thanosql.parameters import batches_of, ipc_stream
from thanosql.result import Result
from thanosql.upload import Upload, ingestion, size_of
from thanosql_proto.flight_sql import DoPutUpdateResult
from thanosql_proto.thanosql import Completed, Execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from typing_extensions import Self

    from thanosql.connection import Connection
    from thanosql.result import Progress
    from thanosql_proto.message import Message

MAX_ONE_CALL_BYTES = 4 << 20
"""Parameters up to this size travel with their statement; more of them stream."""


class Cursor(Fetching):
    """One statement at a time on a connection; see PEP 249.

    Attributes:
        connection: the connection that made the cursor.
        description: one tuple of seven per column; None without a result set.
        lastrowid: always None, tables have no row ids.
        query_id: the id under which the server runs the statements of this cursor;
            for `Connection.cancel`, and known before the first of them runs.
        progress: called with a `Progress` a few times a second while a statement runs.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.description: list[tuple[Any, ...]] | None = None
        self.lastrowid: None = None
        self.query_id = uuid.uuid4().hex
        self.progress: Callable[[Progress], object] | None = None
        self._rowcount = -1
        self._waiting = False
        self._closed = False

    # ---- Running something ---------------------------------------------

    def execute(
        self,
        operation: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Self:
        """Run one statement and return the cursor.

        Returns when the statement is done or its first rows are there, so that a
        statement that stores something has done so by then.

        Args:
            operation: the SQL text; ``?`` stands for a parameter, or ``:name``.
            parameters: one value per ``?``, or values by their names.
            progress: called with a `Progress` while the statement runs.

        Raises:
            ProgrammingError: the statement is wrong.
            DataError: a parameter, a file or a row cannot be used.
            IntegrityError: a NULL where none is allowed.
            NotSupportedError: the server does not do this.
            OperationalError: the server is gone, or the statement was cancelled.
            InterfaceError: the cursor or its connection is closed.
        """
        sets = [] if parameters is None else [parameters]
        self._begin(operation)
        operation, batches = _bound(operation, sets)
        batch = next(batches, None)
        encoded = b"" if batch is None else ipc_stream(batch)
        return self._run(operation, encoded, progress)

    def executemany(
        self,
        operation: str,
        seq_of_parameters: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Self:
        """Run one statement for many sets of parameters, in one round trip.

        An INSERT commits once for all sets. A list is sent as a whole; an iterator
        is read as its sets are sent, and its first 10,000 decide on the types.

        Raises:
            ProgrammingError: the statement is wrong, or there are no parameters.
            DataError: a parameter or a row cannot be used.
            IntegrityError: a NULL where none is allowed.
            OperationalError: the server is gone, or the statement was cancelled.
            InterfaceError: the cursor or its connection is closed.
        """
        self._begin(operation)
        operation, batches = _bound(operation, seq_of_parameters)
        first, second = next(batches, None), next(batches, None)
        if first is None:
            self._rowcount = 0
            return self
        if not first.num_columns:
            raise errors.ProgrammingError(
                "executemany needs parameters; execute() runs a statement without them"
            )
        if second is None and size_of(first) <= MAX_ONE_CALL_BYTES:
            return self._run(operation, ipc_stream(first), progress)
        known = [first] if second is None else [first, second]
        statement = Execute(query=operation, statement_id=self.query_id)
        upload = Upload(first.schema, chain(known, batches), self.query_id)
        self._said = Completed.FromString(self._send(statement, upload, progress))
        self._rowcount = self._said.rows_affected
        self._note_warnings()
        return self

    def ingest(
        self,
        table: str,
        data: Any,
        mode: str = "create",
        *,
        schema: str | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> int:
        """Load rows into a table, in one commit, and return how many there were.

        Rows are sent as they are read, so that there may be any number of them.

        Args:
            table: its name, as it is; not SQL, and not in quotes.
            data: a table, batch, reader or data set of pyarrow; a frame of pandas
                (without its index) or polars; anything with ``__arrow_c_stream__``; a
                mapping of columns; mappings of names to values; an iterable of these.
            mode: ``create`` a new table, ``append`` to one that is there, ``replace``
                what may be there, or ``create_append``: create if it is not there.
            schema: where the table is; ``public`` if not given.
            progress: called with a `Progress` as the rows go out.

        Raises:
            ProgrammingError: the table is there, or is not, or cannot take the columns.
            DataError: a value does not fit, or the data cannot be read.
            IntegrityError: a NULL where none is allowed.
            OperationalError: the server is gone, or the loading was cancelled.
            InterfaceError: the cursor or its connection is closed.
        """
        self._begin(table)
        command = ingestion(table, mode, schema, self.query_id)
        reader = ingestible.reader_of(data)
        rows = ingestible.messages_of(reader)
        upload = Upload(reader.schema.remove_metadata(), rows, self.query_id)
        answer = self._send(command, upload, progress)
        count = DoPutUpdateResult.FromString(answer).record_count
        self._rowcount = upload.rows if count < 0 else count
        return self._rowcount

    def cancel(self) -> None:
        """Stop what is running; allowed from any thread.

        The thread that waits for it gets an OperationalError. Does nothing when
        nothing runs.

        Raises:
            OperationalError: the server is gone.
        """
        while self._waiting:
            # No stream to cancel yet: it is being planned, or rows are being sent. The
            # server may not have heard of it either.
            if self.connection._transport.cancel(self.query_id):
                return
            time.sleep(0.01)
        result = self._result
        if result is not None and not result.finished:
            result.cancel()

    def close(self) -> None:
        """Stop what is running and make the cursor unusable; may be called twice."""
        self._forget()
        self._closed = True

    # ---- The rest of PEP 249 -------------------------------------------

    def nextset(self) -> None:
        """Raise NotSupportedError: a statement has one result set."""
        raise errors.NotSupportedError("a statement has one result set only")

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> None:
        """Raise NotSupportedError: there are no stored procedures."""
        raise errors.NotSupportedError("there are no stored procedures")

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Raise NotSupportedError: rows stream by and are not kept."""
        raise errors.NotSupportedError(
            "a result is read once, from its beginning; execute the query again, or "
            "keep its rows with fetchall()"
        )

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a cursor cannot be pickled; fetch its rows and pickle them")

    # ---- How it works --------------------------------------------------

    def _run(
        self,
        operation: str,
        encoded: bytes,
        progress: Callable[[Progress], object] | None,
    ) -> Self:
        # Progress is asked for in any case: while pyarrow waits for a message, Python
        # cannot act on Ctrl+C, and the server sends progress every 250 ms.
        statement = Execute(
            query=operation,
            parameters=encoded,
            progress=True,
            statement_id=self.query_id,
        )
        with self._as_running():
            stream = self.connection._transport.execute(statement)
            numpy = self.connection.vectors == "numpy"
            self._result = self._said = Result(
                stream, progress or self.progress, numpy=numpy
            )
        self._result.advance()
        self._note_warnings()
        if len(stream.schema):
            self.description = [types.describe(field) for field in stream.schema]
        else:
            self._rowcount = self._result.rows_affected
        return self

    def _send(
        self,
        command: Message,
        upload: Upload,
        progress: Callable[[Progress], object] | None,
    ) -> bytes:
        """Send a command and its rows; return what the server answers."""
        upload.on_progress = progress or self.progress
        with self._as_running():
            return self.connection._transport.put(command, upload)

    def _begin(self, text: str) -> None:
        """Drop the latest statement for one of this text, or for a table's name."""
        self._check_open()
        self._forget()
        if not isinstance(text, str):
            raise errors.ProgrammingError(
                f"a statement must be text, not {type(text).__name__}"
            )
        try:
            text.encode()
        except UnicodeEncodeError:
            raise errors.ProgrammingError(
                "the statement holds half of a surrogate pair, which is no character"
            ) from None

    @contextmanager
    def _as_running(self) -> Iterator[None]:
        """Let `cancel` know that something runs that has no stream of rows (yet)."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

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
        self._result = self._said = self.description = None
        self._rowcount, self._rownumber, self.messages = -1, 0, []

    def _check_open(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        self.connection._check_open()


def _bound(operation: str, sets: Iterable[Any]) -> tuple[str, Iterator[pa.RecordBatch]]:
    """Return the statement with numbered parameters, and its sets as batches."""
    whole = isinstance(sets, (list, tuple))
    rows = iter(sets)
    first = next(rows, None)
    if first is None:
        return operation, iter(())
    rows = chain([first], rows)
    names: list[str] = []
    if named.is_mapping(first):
        operation, names = named.numbered(operation)
        rows = named.rows_by_name(names, rows)
    return operation, batches_of(list(rows) if whole else rows, names)
