"""What Lance raises, in the words of our errors."""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from thanosql_server.errors import (
    Conflict,
    DamagedTable,
    InternalError,
    InvalidData,
    ResourceExhausted,
    StorageFault,
    ThanoSQLError,
)
from thanosql_server.storage.alignment import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

logger = logging.getLogger(__name__)

# Lance has one exception type for nearly everything; its text tells the rest.
_CONFLICT = ("commit conflict", "incompatible transaction", "retryable")
_FULL = ("no space left", "quota exceeded", "file too large")
_CLOSED = ("read-only file system", "permission denied", "operation not permitted")
_DAMAGED = (
    "file size is too small",
    "does not have sufficient data",
    "invalid range",
    "corrupt",
)
_GONE = ("not found", "no such file")
_UNSUITABLE = ("lanceerror(schema)", "unsupported data type")


class Source(Protocol):
    """What is read while Lance works."""

    @property
    def failure(self) -> BaseException | None:
        """The exception that it raised, if it did."""


def _unchanged(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


class Relay:
    """A stream for Lance that keeps the exception its source raised.

    Lance reads streams through Arrow's C interface, which reduces an exception to text.
    """

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        prepare: Callable[[pa.RecordBatch], pa.RecordBatch] = _unchanged,
    ) -> None:
        self.rows = 0
        self.failure: BaseException | None = None
        self._prepare = prepare
        self.reader = pa.RecordBatchReader.from_batches(schema, self._relay(batches))

    def _relay(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                prepared = aligned(self._prepare(batch))
                self.rows += prepared.num_rows
                yield prepared
        except BaseException as failure:
            self.failure = failure
            raise


@contextmanager
def translated(
    doing: str,
    table: str,
    source: Source | None = None,
    is_there: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Turn what Lance raises while `doing` something to `table` into our errors.

    A failure of `source` is raised as it was, since Lance only passed it on. With
    `is_there`, which tells whether the version in use is, files that are not are told
    from a table that was dropped.
    """
    try:
        yield
    except (ThanoSQLError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as failure:  # Rust panics are no Exceptions
        if source is not None and source.failure is not None:
            raise source.failure from None
        raise _translate(doing, table, failure, is_there) from failure


def _translate(
    doing: str,
    table: str,
    failure: BaseException,
    is_there: Callable[[], bool] | None,
) -> ThanoSQLError:
    text = str(failure).lower()
    known = _of_disk(doing, table, text)
    if known is not None:
        return known
    gone = any(word in text for word in _GONE)
    lost = gone and is_there is not None and is_there()
    if lost or any(word in text for word in _DAMAGED):
        logger.error("table %r is damaged", table, exc_info=failure)
        return DamagedTable(
            f"the files of table '{table}' are damaged; bring them back from a copy, "
            "or DROP TABLE removes what is left"
        )
    if gone:
        return Conflict(
            f"table '{table}' was dropped or replaced while {doing} it; "
            "run the statement again"
        )
    log_id = uuid.uuid4().hex[:8]
    logger.error("%s: %s table %r failed", log_id, doing, table, exc_info=failure)
    return InternalError(
        f"{doing} table '{table}' failed; the server's log has it under id {log_id}"
    )


def _of_disk(doing: str, table: str, text: str) -> ThanoSQLError | None:
    """Return the error for what others did, or the disk refused; None for others."""
    if any(word in text for word in _CONFLICT):
        return Conflict(
            f"table '{table}' was changed by another statement while {doing} it; "
            "run the statement again"
        )
    if any(word in text for word in _FULL):
        return ResourceExhausted(
            f"the server's disk is full, which stopped {doing} table '{table}'; "
            "nothing was changed"
        )
    if any(word in text for word in _CLOSED):
        return StorageFault(
            f"the server may not write to its disk, which stopped {doing} table "
            f"'{table}'; nothing was changed"
        )
    if any(word in text for word in _UNSUITABLE):
        return InvalidData(f"table '{table}' cannot hold a column of this type")
    return None
