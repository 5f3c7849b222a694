"""ThanoSQL's Python driver: PEP 249 with Arrow inside.

import thanosql

with thanosql.connect("./workspace") as connection, connection.cursor() as cursor:
    cursor.execute("SELECT 1 + ?", [1])
    cursor.fetchall()
"""

from __future__ import annotations

from typing import Any

from thanosql._version import __version__
from thanosql.connection import Connection, connect
from thanosql.cursor import Cursor
from thanosql.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from thanosql.result import Progress
from thanosql.types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

apilevel = "2.0"
threadsafety = 2
paramstyle = "qmark"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Progress",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "__version__",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]


def load_ipython_extension(ipython: Any) -> None:
    """Offer `%thanosql` and `%%thanosql`; IPython calls it for `%load_ext thanosql`."""
    from thanosql import notebook

    notebook.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Close what the magics have opened; called for `%unload_ext thanosql`."""
    from thanosql import notebook

    notebook.unload(ipython)
