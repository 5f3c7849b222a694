"""The exceptions of PEP 249, and which of them a SQLSTATE means.

    Exception
     ├── Warning
     └── Error                   .sqlstate, .position
          ├── InterfaceError      the driver was used wrongly
          └── DatabaseError
               ├── DataError           a value or a file cannot be used
               ├── OperationalError    no connection, no rights to it, no resources
               ├── IntegrityError      a NULL where none is allowed
               ├── InternalError       a fault of the server
               ├── ProgrammingError    the statement is wrong
               └── NotSupportedError

The server sends one sentence and a SQLSTATE; `transport` turns them into one of these.
"""

from __future__ import annotations


class Warning(Exception):
    """Something went wrong without stopping the statement."""


class Error(Exception):
    """Base of all errors of this driver.

    Attributes:
        sqlstate: PostgreSQL's five-character code of the error, None if unknown.
        position: line and column in the statement, from 1, None if unknown.
    """

    def __init__(
        self,
        message: str = "",
        *,
        sqlstate: str | None = None,
        position: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.position = position


class InterfaceError(Error):
    """The driver was used wrongly, such as a cursor after its close."""


class DatabaseError(Error):
    """The server or the way to it reports an error."""


class DataError(DatabaseError):
    """A value, a file or a row cannot be used."""


class OperationalError(DatabaseError):
    """No connection, no admission, no resources, or cancelled."""


class IntegrityError(DatabaseError):
    """A constraint is violated."""


class InternalError(DatabaseError):
    """A fault of the server; its log knows more."""


class ProgrammingError(DatabaseError):
    """The statement is wrong, or names something that is not there."""


class NotSupportedError(DatabaseError):
    """The server or the driver does not do this."""


# Appendix A of PostgreSQL's manual, by the class of the code (its first two letters).
_BY_CLASS: dict[str, type[DatabaseError]] = {
    "08": OperationalError,
    "0A": NotSupportedError,
    "21": ProgrammingError,
    "22": DataError,
    "23": IntegrityError,
    "25": InternalError,
    "28": OperationalError,
    "2B": ProgrammingError,
    "3D": ProgrammingError,
    "3F": ProgrammingError,
    "40": OperationalError,
    "42": ProgrammingError,
    "53": OperationalError,
    "54": OperationalError,
    "55": OperationalError,
    "57": OperationalError,
    "58": OperationalError,
    "HV": OperationalError,
    "XX": InternalError,
}

UNDEFINED_FILE = "58P01"
"""PostgreSQL counts it among the system's errors; here a statement named the file."""

CANCELLED = "57014"
"""SQLSTATE of a statement that was cancelled or ran into its timeout."""

NO_CONNECTION = "08001"
"""SQLSTATE of a server that does not answer."""


def error_class(sqlstate: str) -> type[DatabaseError]:
    """Return the PEP 249 class for a SQLSTATE."""
    if sqlstate == UNDEFINED_FILE:
        return ProgrammingError
    return _BY_CLASS.get(sqlstate[:2], DatabaseError)
