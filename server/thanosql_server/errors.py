"""Every error a user may read, as one small tree.

    ThanoSQLError
     ├── SyntaxError_            42601  the text is not a statement
     ├── InvalidStatement        42000  words in order, but no meaning (types, grouping)
     ├── UndefinedTable          42P01
     ├── UndefinedColumn         42703
     ├── UndefinedObject         42704  a model, a data set, an option
     ├── UndefinedFile           58P01
     ├── DependentObjects        2BP01  what others are made from cannot go
     ├── GeneratedAlways         428C9  a value for a column that the server fills
     ├── DuplicateObject         42P07
     ├── InvalidValue            22023  an option or parameter with a wrong value
     ├── InvalidData             22000  a file or a row that cannot be used
     ├── NotNullViolation        23502  a NULL for a column declared NOT NULL
     ├── UndefinedKey            42P10  ON CONFLICT (columns) that are no declared key
     ├── RowMatchedTwice         21000  one command would change a row twice
     ├── PermissionDenied        42501  a path outside the allowed folders, a role
     ├── Unauthenticated         28000
     ├── NotSupported            0A000
     ├── Cancelled               57014
     ├── Conflict                40001  another writer was faster; try again
     ├── ResourceExhausted       53000
     │    ├── OutOfMemory        53200  more than all statements together may use
     │    └── TempSpaceExceeded  53400  more temporary files than there may be
     ├── TooManyStatements       53300  the server runs as many as it may
     ├── ResultTooLarge          54000  more bytes of rows than a result may have
     ├── StatementTooComplex     54001  too long, or too much inside each other
     ├── StorageFault            58030  files that cannot be read or written
     ├── DamagedTable            XX001  files of a table that are cut short or gone
     ├── ShuttingDown            57P01
     ├── SessionEnded            57P05  unused for too long; its settings are gone
     ├── HubUnreachable          HV00N  a hub does not answer; our server does
     └── InternalError           XX000  ours to mend; the text carries an id for the log

A message says what is wrong, where, and what to do next, in one sentence. It never
holds a path of the server: only what the user wrote. SQLSTATE codes are those of
PostgreSQL (appendix A of its manual), which SQL tools know.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, EPERM, EROFS
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Position:
    """A place in the text of a statement; line and column count from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str, offset: int) -> Position:
        """Return the position of the character at `offset` (from 0) in `text`."""
        line_start = text.rfind("\n", 0, offset) + 1
        return cls(text.count("\n", 0, offset) + 1, offset - line_start + 1)

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class ThanoSQLError(Exception):
    """Base of all errors that are shown to a user."""

    sqlstate: ClassVar[str] = "XX000"

    def __init__(self, message: str, *, position: Position | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position

    def at(self, position: Position | None) -> ThanoSQLError:
        """Give the error a position unless it already has one."""
        if self.position is None:
            self.position = position
        return self

    def __str__(self) -> str:
        where = f" ({self.position})" if self.position else ""
        return f"{self.message}{where}"


class SyntaxError_(ThanoSQLError):  # noqa: N801 - the builtin has the plain name
    """The text is not a statement of the dialect."""

    sqlstate = "42601"


class InvalidStatement(ThanoSQLError):
    """The text reads as a statement but cannot be planned (types, grouping, ...)."""

    sqlstate = "42000"


class UndefinedTable(ThanoSQLError):
    """A table that is not there."""

    sqlstate = "42P01"


class UndefinedColumn(ThanoSQLError):
    """A column that is not there."""

    sqlstate = "42703"


class UndefinedObject(ThanoSQLError):
    """A model, data set, function or option that is not there."""

    sqlstate = "42704"


class UndefinedFile(ThanoSQLError):
    """A file or folder that is not there."""

    sqlstate = "58P01"


class DependentObjects(ThanoSQLError):
    """A model or a column that others are made from, and that therefore stays."""

    sqlstate = "2BP01"


class GeneratedAlways(ThanoSQLError):
    """A value for a column that the server fills itself."""

    sqlstate = "428C9"


class DuplicateObject(ThanoSQLError):
    """A table or model whose name is taken."""

    sqlstate = "42P07"


class InvalidValue(ThanoSQLError):
    """An option or a parameter whose value cannot be used."""

    sqlstate = "22023"


class InvalidData(ThanoSQLError):
    """A file or a row that cannot be used."""

    sqlstate = "22000"


class NotNullViolation(ThanoSQLError):
    """A NULL for a column that is declared NOT NULL."""

    sqlstate = "23502"


class UndefinedKey(ThanoSQLError):
    """Columns that are neither the primary key nor a UNIQUE constraint."""

    sqlstate = "42P10"


class RowMatchedTwice(ThanoSQLError):
    """One command would change, or add, one row twice."""

    sqlstate = "21000"


class PermissionDenied(ThanoSQLError):
    """A path outside the allowed folders, or what the user's role may not do."""

    sqlstate = "42501"


class Unauthenticated(ThanoSQLError):
    """No token, or a wrong one."""

    sqlstate = "28000"


class NotSupported(ThanoSQLError):
    """A statement, a type or a request that the server does not serve."""

    sqlstate = "0A000"


class Cancelled(ThanoSQLError):
    """The statement was cancelled, its client went away, or its time was over."""

    sqlstate = "57014"


class Conflict(ThanoSQLError):
    """Another writer was faster; the same statement may succeed when tried again."""

    sqlstate = "40001"


class ResourceExhausted(ThanoSQLError):
    """A limit on memory, disk or size was reached."""

    sqlstate = "53000"


class OutOfMemory(ResourceExhausted):
    """More memory is needed than all statements together may use."""

    sqlstate = "53200"


class TempSpaceExceeded(ResourceExhausted):
    """More temporary files are needed than there may be."""

    sqlstate = "53400"


class ResultTooLarge(ThanoSQLError):
    """A result has grown over the limit that the server or the session sets."""

    sqlstate = "54000"


class TooManyStatements(ThanoSQLError):
    """As many statements run and wait as the server admits; try again later."""

    sqlstate = "53300"


class StatementTooComplex(ThanoSQLError):
    """The text is too long, or too much of it stands inside each other."""

    sqlstate = "54001"


class StorageFault(ThanoSQLError):
    """The server's files cannot be read or written: rights, a read-only disk."""

    sqlstate = "58030"


class DamagedTable(ThanoSQLError):
    """Files of a table are cut short, overwritten or gone."""

    sqlstate = "XX001"


class ShuttingDown(ThanoSQLError):
    """The server ends and takes no new statements."""

    sqlstate = "57P01"


class SessionEnded(ThanoSQLError):
    """The session went unused for too long; what it had set is no longer set."""

    sqlstate = "57P05"


class HubUnreachable(ThanoSQLError):
    """A hub cannot be reached, or will not give what was asked for.

    The code is the one that SQL/MED has for a foreign server ("unable to establish
    connection"). Class 08 would say that the client's own connection is gone: pools
    such as HikariCP close connections when they read it.
    """

    sqlstate = "HV00N"


class InternalError(ThanoSQLError):
    """A fault of ours; details are in the server's log under the given id."""

    sqlstate = "XX000"


def of_system(failure: OSError, doing: str) -> ThanoSQLError | None:
    """Return what the user is told when the server's disk refuses, None if it did not.

    Args:
        failure: what the system said.
        doing: the work that it stopped, as in "writing table 't'".
    """
    if failure.errno in _FULL:
        return ResourceExhausted(
            f"the server's disk is full, which stopped {doing}; nothing was changed"
        )
    if failure.errno in _CLOSED:
        return StorageFault(
            f"the server may not write to its disk, which stopped {doing}; nothing was "
            "changed"
        )
    return None


_FULL = (ENOSPC, EDQUOT, EFBIG)
_CLOSED = (EROFS, EACCES, EPERM)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` did you mean 'x'?`` for the known name nearest to `name`, or ``""``."""
    by_lower = {k.lower(): k for k in sorted(known)}
    match = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[match[0]]}'?" if match else ""
