"""The seam to Arrow Flight: one statement is one DoGet, errors leave as PEP 249.

Nobody else in the driver knows pyarrow.flight.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from thanosql import errors, forks
from thanosql_proto.any import pack, unpack
from thanosql_proto.thanosql import CancelStatement, CancelStatementResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql.conninfo import Conninfo
    from thanosql.upload import Upload
    from thanosql_proto.message import Message
    from thanosql_proto.thanosql import Execute

# Without a SQLSTATE from the server: the kind of exception decides. Order matters,
# for Flight's classes derive from Arrow's.
_BY_KIND: tuple[tuple[type[Exception], type[errors.DatabaseError], str | None], ...] = (
    (flight.FlightCancelledError, errors.OperationalError, errors.CANCELLED),
    (flight.FlightTimedOutError, errors.OperationalError, errors.CANCELLED),
    (flight.FlightUnauthenticatedError, errors.OperationalError, "28000"),
    (flight.FlightUnauthorizedError, errors.ProgrammingError, "42501"),
    (flight.FlightUnavailableError, errors.OperationalError, errors.NO_CONNECTION),
    (flight.FlightInternalError, errors.InternalError, "XX000"),
    (flight.FlightError, errors.OperationalError, None),
    (pa.lib.ArrowNotImplementedError, errors.NotSupportedError, "0A000"),
    (pa.lib.ArrowInvalid, errors.ProgrammingError, None),
    (pa.lib.ArrowKeyError, errors.ProgrammingError, None),
    (pa.lib.ArrowException, errors.OperationalError, None),
)

_FLIGHT_ERRORS = (flight.FlightError, pa.lib.ArrowException)

# What the Arrow C++ client puts around the server's sentence.
_PREFIX = re.compile(r"^Flight (returned|cancelled) [a-z ]+, with message: ")
_SUFFIX = re.compile(
    r"\. (Detail: |gRPC client debug context: |Client context: ).*", re.DOTALL
)


# Statements after which the server keeps something for this connection.
_SETS = re.compile(r"\s*SET\b", re.IGNORECASE)
_FAREWELL_SECONDS = 1.0
# A server whose machine vanishes sends no end of the connection. Servers of gRPC count
# pings that come more often than every five minutes as abuse.
_KEEPALIVE = [
    ("grpc.keepalive_time_ms", 320_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]

_LOOK_SECONDS = 0.25
"""While pyarrow waits for a message Python cannot act on Ctrl+C; so often it can."""


class _Call(flight.ClientMiddleware):  # type: ignore[misc]  # pyarrow is untyped
    """Remembers the headers and trailers of one call."""

    def __init__(self, calls: _Calls | None = None) -> None:
        super().__init__()
        self._calls = calls
        self.received: dict[str, list[str | bytes]] = {}

    def sending_headers(self) -> dict[str, str]:
        return {}

    def received_headers(self, headers: dict[str, list[str | bytes]]) -> None:
        self.received.update(headers)
        renewed = self.text("authorization")
        if renewed and self._calls is not None:
            # A signed token that ends soon comes with its successor.
            self._calls.authorization = renewed.encode()

    def call_completed(self, exception: Exception | None) -> None:
        pass

    def text(self, name: str) -> str | None:
        """Return the last value of a header, None if it did not come."""
        values = self.received.get(name)
        if not values:
            return None
        value = values[-1]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class _Calls(flight.ClientMiddlewareFactory):  # type: ignore[misc]  # as above
    """Hands the `_Call` of a call to the thread that makes it.

    pyarrow shows trailers to client middleware only, and calls `start_call` on the
    calling thread.

    Attributes:
        authorization: the header of that name for the calls to come, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.authorization: bytes | None = None
        self._of_thread = threading.local()

    def start_call(self, info: Any) -> _Call:
        call = _Call(self)
        self._of_thread.call = call
        return call

    @property
    def latest(self) -> _Call:
        """The latest call of this thread."""
        call = getattr(self._of_thread, "call", None)
        return call if isinstance(call, _Call) else _Call()


class ResultStream:
    """The answer to one statement while it arrives."""

    def __init__(self, transport: Transport, reader: Any, call: _Call) -> None:
        self._transport = transport
        self._reader = reader
        self._call = call
        forks.keep(reader)
        self.schema: pa.Schema = reader.schema

    def read(self) -> tuple[pa.RecordBatch, bytes | None] | None:
        """Return the next batch (may have no rows) and its metadata; None at the end.

        Raises:
            DatabaseError: the statement failed or was cancelled.
        """
        with self._transport.map_flight_errors(self._call):
            try:
                chunk = self._reader.read_chunk()
            except StopIteration:
                return None
        metadata = chunk.app_metadata
        return chunk.data, None if metadata is None else metadata.to_pybytes()

    def cancel(self) -> None:
        """Stop the statement on the server; allowed from any thread, at any time."""
        # In a forked child gRPC has no threads, and the statement is the parent's.
        if self._transport.of_this_process:
            self._reader.cancel()


class Transport:
    """One authenticated client of one server.

    Raises:
        OperationalError: no server answers at the location, or it refuses the token.
    """

    def __init__(self, info: Conninfo) -> None:
        forks.check()
        self._info = info
        self._process = os.getpid()
        self._calls = _Calls()
        self._answered = False
        self._session = (b"x-thanosql-session", secrets.token_hex(12).encode())
        self._has_set = False
        with self.map_flight_errors():
            self._client = flight.connect(
                info.location,
                tls_root_certs=info.tls_root_certs,
                cert_chain=info.tls_client_cert,
                private_key=info.tls_client_key,
                middleware=[self._calls],
                generic_options=_KEEPALIVE,
            )
        forks.keep(self._client)
        try:
            self._calls.authorization = self._authenticate()
            self._greet()
        except BaseException:
            self.close()
            raise

    def execute(self, statement: Execute) -> ResultStream:
        """Start a statement and return its stream once the schema is known."""
        ticket = flight.Ticket(pack(statement))
        self._has_set |= bool(_SETS.match(statement.query))
        with self.map_flight_errors():
            reader = self._client.do_get(ticket, self._options(self._info.timeout))
            return ResultStream(self, reader, self._calls.latest)

    def put(self, command: Message, upload: Upload) -> bytes:
        """Send a command with rows, and return the metadata of the answer.

        pyarrow ends the rows in the same way whether all have been sent or the program
        has failed, so a last message says that they are complete; without it the server
        stores nothing.
        """
        descriptor = flight.FlightDescriptor.for_command(pack(command))
        options = self._options(self._info.timeout)
        with self.map_flight_errors():
            writer, answers = self._client.do_put(descriptor, upload.schema, options)
            call = self._calls.latest
        forks.keep(writer)
        forks.keep(answers)
        try:
            for batch in upload:
                try:
                    writer.write_batch(batch)
                except _FLIGHT_ERRORS:
                    break  # the server has answered already, and says why below
            with self.map_flight_errors(call):
                answer = _waiting(lambda: _last(writer, answers, upload.end()))
        except BaseException:
            self._end(writer, upload)
            raise
        if answer is None:
            raise errors.OperationalError("the server ended the call without an answer")
        return bytes(answer)

    def _end(self, writer: Any, upload: Upload) -> None:
        """End a call that went wrong, and its statement if that has begun to store."""
        with suppress(errors.Error):
            self.cancel(upload.statement_id)
        with suppress(*_FLIGHT_ERRORS):
            writer.close()

    @property
    def location(self) -> str:
        """Where the server is, without secrets."""
        return self._info.location

    @property
    def of_this_process(self) -> bool:
        """Whether this is the process that connected, and not a forked child."""
        return os.getpid() == self._process

    def cancel(self, statement_id: str) -> bool:
        """Stop a statement by its id; return whether the server was running it."""
        action = flight.Action(
            "CancelStatement", pack(CancelStatement(statement_id=statement_id))
        )
        found = False
        with self.map_flight_errors():
            options = self._options(self._info.connect_timeout)
            for answer in self._client.do_action(action, options):
                result = unpack(answer.body.to_pybytes())
                found |= isinstance(result, CancelStatementResult) and result.found
        return found

    def close(self) -> None:
        """Close the connection; the streams of running statements must be cancelled."""
        if not self.of_this_process:
            return
        if self._has_set:
            self._close_session()
        self._client.close()

    def _close_session(self) -> None:
        """Let the server forget what was SET; it would do so by itself, but later."""
        action = flight.Action("CloseSession", b"")
        with suppress(errors.Error), self.map_flight_errors():
            for _ in self._client.do_action(action, self._options(_FAREWELL_SECONDS)):
                pass

    def _options(self, timeout: float | None) -> Any:
        headers = [self._session]
        if self._calls.authorization:
            headers.append((b"authorization", self._calls.authorization))
        return flight.FlightCallOptions(timeout=timeout, headers=headers)

    def _authenticate(self) -> bytes | None:
        info = self._info
        if info.user is not None:
            options = flight.FlightCallOptions(timeout=info.connect_timeout)
            with self.map_flight_errors():
                token = info.token or ""
                return self._handshake(token, options)
        if info.token is not None:
            return f"Bearer {info.token}".encode()
        return None

    def _handshake(self, token: str, options: Any) -> bytes:
        user = self._info.user or ""
        try:
            header: bytes
            _, header = self._client.authenticate_basic_token(user, token, options)
        except flight.FlightInternalError:
            # "Could not finish writing": the stream broke before anybody answered. A
            # plain call says why, or that somebody is there after all.
            self._greet()
            raise
        return header

    def _greet(self) -> None:
        """Make one cheap call (0.5 ms), so that a wrong address or token shows now."""
        try:
            with self.map_flight_errors():
                options = self._options(self._info.connect_timeout)
                for _ in self._client.list_actions(options):
                    pass
        except errors.NotSupportedError:
            pass
        self._answered = True

    @contextmanager
    def map_flight_errors(self, call: _Call | None = None) -> Iterator[None]:
        """Turn every exception of pyarrow into one of PEP 249."""
        try:
            yield
        except _FLIGHT_ERRORS as ex:
            raise self._mapped(ex, call or self._calls.latest) from None

    def _mapped(self, ex: Exception, call: _Call) -> errors.DatabaseError:
        kind, sqlstate = next((e, s) for k, e, s in _BY_KIND if isinstance(ex, k))
        # The Arrow C++ server repeats its own text, unadorned, in this trailer.
        message = call.text("x-arrow-status-message-bin")
        if message is None:
            return kind(self._own_message(ex), sqlstate=sqlstate)
        sqlstate = call.text("x-thanosql-sqlstate") or sqlstate
        if call.text("x-thanosql-sqlstate"):
            kind = errors.error_class(sqlstate or "")
        position = _parse_position(call.text("x-thanosql-position"))
        return kind(message, sqlstate=sqlstate, position=position)

    def _own_message(self, ex: Exception) -> str:
        """Return a sentence for an error that the server did not write."""
        where = self._info.location
        if isinstance(ex, flight.FlightCancelledError):
            return "the statement was cancelled"
        if isinstance(ex, flight.FlightTimedOutError):
            return f"the server at {where} did not answer within the timeout"
        reason = clean_message(str(ex))
        if not isinstance(ex, flight.FlightUnavailableError):
            return reason
        # gRPC tells the whole chain; its last link is the cause: "Connection refused".
        cause = reason.rpartition(": ")[2].rstrip("]")
        if self._answered:
            return (
                f"the server at {where} went away ({cause}); a statement that was "
                "running may have been carried out or not. The connection works again "
                "when the server does"
            )
        return (
            f"no server answers at {where} ({cause}); is it running? "
            "thanosql serve --workspace DIR starts one"
        )


def _last(writer: Any, answers: Any, end: bytes) -> Any:
    """End the rows and return the metadata of the answer, None if there is none."""
    with suppress(*_FLIGHT_ERRORS):  # closing tells what the server said
        writer.write_metadata(end)
        writer.done_writing()
        answer = answers.read()
    writer.close()
    return answer


def _waiting(work: Callable[[], Any]) -> Any:
    """Return what `work` returns, while this thread can act on Ctrl+C."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = work()
        except BaseException as ex:
            outcome["error"] = ex

    thread = threading.Thread(target=run, daemon=True, name="thanosql-answer")
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def clean_message(text: str) -> str:
    """Return an error text of the Arrow client without what it adds around it."""
    return _SUFFIX.sub("", _PREFIX.sub("", text))


def _parse_position(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+),(\d+)", text or "")
    return (int(match[1]), int(match[2])) if match else None
