"""One running statement on the client: its batches, progress and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.values import rows_of
from thanosql_proto.thanosql import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    import pyarrow as pa

    from thanosql.transport import ResultStream
    from thanosql_proto.thanosql import Completed
    from thanosql_proto.thanosql import Progress as ProgressMessage


@dataclass(frozen=True)
class Progress:
    """How far a statement is.

    Attributes:
        phase: what is being done, such as ``training`` or ``embedding``.
        done: steps done.
        total: steps in all, 0 if unknown.
        seconds: time since the statement began.
        message: details for people, such as the loss; may be empty.
    """

    phase: str
    done: int
    total: int
    seconds: float
    message: str = ""

    @property
    def fraction(self) -> float | None:
        """The part that is done, from 0 to 1; None if the total is unknown."""
        return min(self.done / self.total, 1.0) if self.total else None

    @classmethod
    def _of(cls, event: ProgressMessage) -> Progress:
        return cls(event.phase, event.done, event.total, event.seconds, event.message)


class Result:
    """The batches of one statement, at most one of them in memory.

    Rows are taken as tuples (`take`) or as Arrow batches (`batches`), in any mix.

    Attributes:
        schema: the columns; none if the statement returns no rows.
        finished: whether nothing more will be read.
        rows_total: rows of the whole result once they have arrived; -1 until then.
        rows_affected: rows changed, as the server says at the end; -1 if not known.
        warnings: what went wrong without stopping the statement.
        notes: what is good to know about what was done.
    """

    def __init__(
        self,
        stream: ResultStream,
        on_progress: Callable[[Progress], object] | None,
        *,
        numpy: bool = False,
    ) -> None:
        self._stream = stream
        self._numpy = numpy
        self._on_progress = on_progress
        self._batch: pa.RecordBatch | None = None
        self._rows: list[tuple[Any, ...]] | None = None
        self._at = 0
        self.schema: pa.Schema = stream.schema
        self.finished = False
        self.rows_total = -1
        self.rows_affected = -1
        self._received = 0
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def __del__(self) -> None:
        self.close()

    def advance(self) -> bool:
        """Read until there are rows to take; return False at the end."""
        while self._batch is None or self._at >= self._batch.num_rows:
            if self.finished or not self._read():
                return False
        return True

    def take(self, count: int) -> list[tuple[Any, ...]]:
        """Return the next rows, fewer than `count` only at the end."""
        taken: list[tuple[Any, ...]] = []
        while len(taken) < count and self.advance():
            rows = self._current_rows()
            piece = rows[self._at : self._at + count - len(taken)]
            self._at += len(piece)
            taken += piece
        return taken

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield what has not been taken yet, batch by batch as it arrives."""
        while self.advance():
            assert self._batch is not None
            rest = self._batch.slice(self._at)
            self._at = self._batch.num_rows
            yield rest

    def cancel(self) -> None:
        """Stop the statement on the server; allowed from any thread."""
        self._stream.cancel()

    def close(self) -> None:
        """Stop the statement unless it is finished, and forget its rows."""
        if not self.finished:
            self.finished = True
            self._stream.cancel()
        self._batch = self._rows = None

    def _current_rows(self) -> list[tuple[Any, ...]]:
        assert self._batch is not None
        if self._rows is None:
            self._rows = rows_of(self._batch, numpy=self._numpy)
        return self._rows

    def _read(self) -> bool:
        """Read one batch into place; return False if there is none any more."""
        try:
            part = self._stream.read()
            if part is not None and part[1]:
                self._dispatch(Event.FromString(part[1]))
        except BaseException:
            # Also Ctrl+C and an error in the callback: the server shall not go on.
            self.close()
            raise
        self._rows, self._at = None, 0
        if part is None:
            self.finished, self._batch = True, None
            self.rows_total = self._received
            return False
        self._batch = part[0]
        self._received += self._batch.num_rows
        return True

    def _dispatch(self, event: Event) -> None:
        if event.WhichOneof("kind") == "completed":
            self._complete(event.completed)
        elif event.WhichOneof("kind") == "progress" and self._on_progress is not None:
            self._on_progress(Progress._of(event.progress))

    def _complete(self, completed: Completed) -> None:
        self.rows_affected = completed.rows_affected
        self.warnings.extend(completed.warnings)
        self.notes.extend(completed.notes)
