"""The border for errors: what a client reads is our sentence and nothing else.

pyarrow gives a client the text of whatever a handler raises, and for exceptions other
than its own also the formatted traceback, with the server's source lines and paths.
Yet only Python's exceptions reach the gRPC codes INVALID_ARGUMENT (ValueError),
NOT_FOUND (KeyError) and UNIMPLEMENTED (NotImplementedError). So each code has a class
here, `border` turns every error into one of them, and `keep_tracebacks_home` takes the
traceback out of what pyarrow sends.
"""

from __future__ import annotations

import logging
import secrets
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow.flight as fl

from thanosql_server.errors import InternalError, ThanoSQLError, of_system

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

MAX_MESSAGE = 2_000
"""Characters of a message. gRPC sends it twice in headers of at most 16 KiB; a longer
one reaches clients as "received metadata size exceeds hard limit"."""

SQLSTATE_TRAILER = "x-thanosql-sqlstate"
POSITION_TRAILER = "x-thanosql-position"


class FlightStatus(Exception):
    """An error that has crossed the border: safe to send as it is."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.extra_info = b""

    def __str__(self) -> str:
        return self.message  # KeyError would show its repr


class InvalidArgument(FlightStatus, ValueError):
    """INVALID_ARGUMENT: the statement or a value in it is wrong."""


class NotFound(FlightStatus, KeyError):
    """NOT_FOUND: a table, model or file is not there."""


class Unimplemented(FlightStatus, NotImplementedError):
    """UNIMPLEMENTED: the request is understood and not served."""


# The ignores below: pyarrow has no type information.
class PermissionDenied(FlightStatus, fl.FlightUnauthorizedError):  # type: ignore[misc]
    """PERMISSION_DENIED: a path outside the allowed folders."""


class Unauthenticated(FlightStatus, fl.FlightUnauthenticatedError):  # type: ignore[misc]
    """UNAUTHENTICATED: no token, or a wrong one."""


class Cancelled(FlightStatus, fl.FlightCancelledError):  # type: ignore[misc]
    """CANCELLED: the client stopped the statement."""


class Unavailable(FlightStatus, fl.FlightUnavailableError):  # type: ignore[misc]
    """UNAVAILABLE: the same request may succeed when tried again."""


class Foreign(FlightStatus, fl.FlightServerError):  # type: ignore[misc]
    """UNKNOWN: a third system failed, and this server has only passed it on.

    UNAVAILABLE would speak of this server: load balancers such as Envoy count it as
    a failure of the host that sent it and stop sending statements there.
    """


class Internal(FlightStatus, fl.FlightInternalError):  # type: ignore[misc]
    """INTERNAL: a fault of ours."""


STATUS_BY_SQLSTATE: dict[str, type[FlightStatus]] = {
    "": InvalidArgument,
    "42P01": NotFound,
    "42704": NotFound,
    "58P01": NotFound,
    "58030": Unavailable,
    "42501": PermissionDenied,
    "28": Unauthenticated,
    "0A": Unimplemented,
    "57": Unavailable,
    "57014": Cancelled,
    "40": Unavailable,
    "53": Unavailable,
    "HV": Foreign,
    "XX": Internal,
}
"""By the longest beginning that fits, so that a new error class finds its code.

A name that is taken is INVALID_ARGUMENT: pyarrow cannot send ALREADY_EXISTS.
"""


def status_class(sqlstate: str) -> type[FlightStatus]:
    """Return the status class for a SQLSTATE."""
    beginnings = (sqlstate[:length] for length in range(len(sqlstate), -1, -1))
    return next(STATUS_BY_SQLSTATE[b] for b in beginnings if b in STATUS_BY_SQLSTATE)


def to_status(error: BaseException, context: Any = None) -> FlightStatus:
    """Return what the client is told, with SQLSTATE and position as gRPC trailers.

    Anything but a ThanoSQLError is a fault of ours: it goes to the log under an id,
    and the client gets the id. `context` is the pyarrow ServerCallContext, if any.
    """
    if isinstance(error, FlightStatus):
        return error
    known = error if isinstance(error, ThanoSQLError) else _translated(error)
    if context is not None:
        _add_trailers(context, known)
    return status_class(known.sqlstate)(_shown(known), known.sqlstate)


def _translated(error: BaseException) -> ThanoSQLError:
    told = of_system(error, "the statement") if isinstance(error, OSError) else None
    return told or _logged(error)


def _logged(error: BaseException) -> InternalError:
    log_id = secrets.token_hex(4)
    logger.error("internal error %s", log_id, exc_info=error)
    return InternalError(f"internal error; the server's log has it under id {log_id}")


def _add_trailers(context: Any, error: ThanoSQLError) -> None:
    context.add_trailer(SQLSTATE_TRAILER, error.sqlstate)
    if error.position:
        place = f"{error.position.line},{error.position.column}"
        context.add_trailer(POSITION_TRAILER, place)


def _shown(error: ThanoSQLError) -> str:
    """Return the text to send: not too long, and free of NUL (Go cuts there)."""
    message = error.message.replace("\0", "\\0")
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return f"{message} ({error.position})" if error.position else message


@contextmanager
def border(context: Any = None) -> Iterator[None]:
    """Let only FlightStatus errors leave the block.

    BaseException, because a panic in Rust code arrives as one (pyo3's PanicException).
    """
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as error:
        raise to_status(error, context) from None


def keep_tracebacks_home() -> None:
    """Take tracebacks out of what pyarrow sends to clients; safe to call again.

    pyarrow's C++ code formats the exception by looking up `traceback.format_exception`
    when it answers. It has no Python frame above it then, which no other caller lacks.
    """
    if getattr(traceback.format_exception, "for_clients", False):
        return
    original = traceback.format_exception

    def format_exception(*args: Any, **keywords: Any) -> list[str]:
        if _called_from_python():
            return original(*args, **keywords)
        return [_for_clients(args)]

    format_exception.for_clients = True  # type: ignore[attr-defined] # our own mark
    traceback.format_exception = format_exception


def _called_from_python() -> bool:
    try:
        sys._getframe(2)
    except ValueError:
        return False
    return True


def _for_clients(args: tuple[Any, ...]) -> str:
    """Return the text that stands after "Detail: Python exception: "."""
    error = next((arg for arg in args if isinstance(arg, BaseException)), None)
    # Ours also pass here between threads of the server, inside Arrow streams.
    if isinstance(error, (FlightStatus, ThanoSQLError)):
        return f"SQLSTATE {error.sqlstate}"
    logger.error("an error left the server past its border", exc_info=error)
    return "SQLSTATE XX000"
