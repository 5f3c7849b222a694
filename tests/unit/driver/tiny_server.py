"""A small Flight server with canned answers: the real peer of the driver's tests."""

import base64
import sys
import threading
import time
from typing import ClassVar

import pyarrow as pa
from pyarrow import flight

from thanosql_proto.any import pack, unpack
from thanosql_proto.thanosql import (
    CancelStatement,
    CancelStatementResult,
    Completed,
    Event,
    Execute,
    Progress,
)

TOKEN = "s3cret"
NO_COLUMNS = pa.schema([])
NUMBERS = pa.schema([pa.field("n", pa.int64(), nullable=False), ("word", pa.string())])


class NotFound(KeyError):
    def __str__(self):
        return str(self.args[0])


REFUSALS = {
    "syntax": (ValueError("expected a query, found ')'"), "42601", "2,17"),
    "table": (NotFound("there is no table 't'; did you mean 'tt'?"), "42P01", "1,15"),
    "data": (ValueError("'a.csv', line 7: expected 3 columns, found 2"), "22000", ""),
    "korean": (ValueError("'고양이.jpg' … 그림이 아닙니다"), "22000", ""),
    "unsupported": (NotImplementedError("UPDATE is not supported yet"), "0A000", ""),
    "rights": (flight.FlightUnauthorizedError("'../x' is outside"), "42501", ""),
    "conflict": (flight.FlightUnavailableError("another writer won"), "40001", ""),
    "hub": (flight.FlightServerError("the hub is silent"), "HV00N", "1,20"),
    "resources": (flight.FlightUnavailableError("the disk is full"), "53000", ""),
    "internal": (flight.FlightInternalError("internal error, id 1a2b"), "XX000", ""),
    "cancelled": (flight.FlightCancelledError("it was cancelled"), "57014", ""),
    "codeless": (ValueError("a server without SQLSTATE"), "", ""),
    "codeless missing": (NotFound("nothing here"), "", ""),
    "unknown": (RuntimeError("who knows"), "", ""),
}
"""What the statement `FAIL <key>` raises: exception, SQLSTATE, position."""


class _Door(flight.ServerMiddlewareFactory):
    """Lets in who brings the token, as Basic or Bearer."""

    def start_call(self, info, headers):
        kind, _, value = headers.get("authorization", [""])[0].partition(" ")
        if kind == "Basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        if value != TOKEN:
            raise flight.FlightUnauthenticatedError("the token is missing or wrong")
        return _Bearer()


class _Bearer(flight.ServerMiddleware):
    def sending_headers(self):
        return {"authorization": f"Bearer {TOKEN}"}


class _NoHandshake(flight.ServerAuthHandler):
    """Makes pyarrow answer the handshake; the door above has done the work."""

    def authenticate(self, outgoing, incoming):
        pass

    def is_valid(self, token):
        return b""


class TinyServer(flight.FlightServerBase):
    """Speaks Execute over DoGet, CancelStatement and ListActions."""

    def __init__(self, location="grpc://127.0.0.1:0", *, needs_token=False, **settings):
        if needs_token:
            settings["middleware"] = {"door": _Door()}
            settings["auth_handler"] = _NoHandshake()
        super().__init__(location, **settings)
        self.url = f"grpc://127.0.0.1:{self.port}"
        self.executed = []
        self.running, self.stopped = threading.Event(), threading.Event()
        self.cancelled_ids = []
        self._answers = {
            "NUMBERS": self._numbers,
            "ECHO": self._echo,
            "INSERT": self._insert,
            "TRAIN": self._train,
            "ENDLESS": self._endless,
            "ENDLESS ROWS": self._endless_rows,
            "PLANNING": self._planning,
            "WARN": self._warn,
            "NANOSECONDS": self._nanoseconds,
            "FAIL": self._fail,
            "FAIL LATER": self._fail_later,
        }

    def list_actions(self, context):
        return [("CancelStatement", "stop a statement by its id")]

    def do_action(self, context, action):
        request = unpack(action.body.to_pybytes())
        assert isinstance(request, CancelStatement)
        self.cancelled_ids.append(request.statement_id)
        yield flight.Result(pack(CancelStatementResult(found=True)))

    def do_get(self, context, ticket):
        request = unpack(ticket.ticket)
        assert isinstance(request, Execute)
        self.executed.append(request)
        name, _, argument = request.query.partition(": ")
        schema, batches = self._answers[name](context, request, argument)
        return flight.GeneratorStream(schema, batches)

    # ---- The statements --------------------------------------------------

    def _numbers(self, context, request, argument):
        """Return the numbers below the argument in batches of three."""

        def batches():
            for first in range(0, int(argument), 3):
                numbers = range(first, min(first + 3, int(argument)))
                words = [None if n == 1 else f"#{n}" for n in numbers]
                yield pa.record_batch([pa.array(numbers), pa.array(words)], NUMBERS)
            yield completed(NUMBERS)

        return NUMBERS, batches()

    def _echo(self, context, request, argument):
        """Return the parameters as they came."""
        table = pa.ipc.open_stream(request.parameters).read_all()
        return table.schema, iter([*table.to_batches(), completed(table.schema)])

    def _insert(self, context, request, argument):
        rows = 1
        if request.parameters:
            rows = pa.ipc.open_stream(request.parameters).read_all().num_rows
        return NO_COLUMNS, iter([completed(NO_COLUMNS, rows_affected=rows)])

    def _train(self, context, request, argument):
        def batches():
            for step in (1, 2):
                progress = Progress(
                    phase="training", done=step, total=2, seconds=0.5, message="loss 2"
                )
                yield event(NO_COLUMNS, Event(progress=progress))
            yield completed(NO_COLUMNS, rows_affected=-1)

        return NO_COLUMNS, batches()

    def _endless(self, context, request, argument):
        return NO_COLUMNS, self._until_cancelled(context, NO_COLUMNS)

    def _endless_rows(self, context, request, argument):
        def batches():
            yield pa.record_batch([pa.array([1]), pa.array(["a"])], NUMBERS)
            yield from self._until_cancelled(context, NUMBERS)

        return NUMBERS, batches()

    def _until_cancelled(self, context, schema):
        try:
            while not context.is_cancelled():
                time.sleep(0.02)
                yield event(schema, Event(progress=Progress(phase="waiting")))
                self.running.set()
        finally:
            self.stopped.set()

    def _planning(self, context, request, argument):
        """Send nothing, not even the schema, until someone cancels."""
        while request.statement_id not in self.cancelled_ids:
            time.sleep(0.01)
        return self._fail(context, request, "cancelled")

    def _warn(self, context, request, argument):
        return NO_COLUMNS, iter(
            [completed(NO_COLUMNS, warnings=["1 picture is bad"], notes=["kept 2"])]
        )

    def _nanoseconds(self, context, request, argument):
        schema = pa.schema([("at", pa.timestamp("ns")), ("took", pa.duration("ns"))])
        columns = [
            pa.array([1_700_000_000_123_456_789], pa.int64()).cast(schema[0].type)
        ]
        columns.append(pa.array([1_001], pa.int64()).cast(schema[1].type))
        return schema, iter([pa.record_batch(columns, schema), completed(schema)])

    def _fail(self, context, request, argument):
        exception, sqlstate, position = REFUSALS[argument]
        if sqlstate:
            context.add_trailer("x-thanosql-sqlstate", sqlstate)
        if position:
            context.add_trailer("x-thanosql-position", position)
        raise exception

    def _fail_later(self, context, request, argument):
        def batches():
            yield pa.record_batch([pa.array([1]), pa.array(["a"])], NUMBERS)
            self._fail(context, request, argument)

        return NUMBERS, batches()


class Embedded:
    """What the entry point `thanosql.server:embedded` promises to return."""

    opened: ClassVar = []

    def __init__(self, workspace, **options):
        self._server = TinyServer(needs_token=True)
        self.location, self.token = self._server.url, TOKEN
        self.workspace, self.options, self.closed = workspace, options, False
        Embedded.opened.append(self)

    def close(self):
        self.closed = True
        self._server.shutdown()


def serve(arguments):
    """Stand where `thanosql serve` does: print the words and return how many."""
    sys.stdout.write(f"serving {' '.join(arguments)}\n")
    return len(arguments)


def event(schema, message):
    """Return an empty batch that carries an event."""
    empty = pa.RecordBatch.from_arrays(
        [pa.array([], field.type) for field in schema], schema=schema
    )
    return empty, message.SerializeToString()


def completed(schema, *, rows_affected=-1, warnings=(), notes=()):
    """Return the empty batch that ends a stream."""
    message = Completed(
        rows_affected=rows_affected, warnings=warnings, notes=notes, seconds=0.1
    )
    return event(schema, Event(completed=message))
