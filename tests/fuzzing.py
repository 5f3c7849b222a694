"""Messages that no client should send, thrown at a running server.

Each call must be answered, with rows or with an error that is a sentence: no traceback,
no path of the server, and no "internal error", which is what the server says of a fault
of its own. Messages are made from the descriptors of our protocol and then damaged;
some go through pyarrow's client, and those that it would not send go as bare bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.flight as fl
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, given, seed, settings

from thanosql_proto import flight, flight_sql, thanosql
from thanosql_proto.any import pack, unpack
from thanosql_proto.message import Message

TIMEOUT = 30.0
LEAKS = re.compile(
    r"Traceback|\.py\b|File \"|panicked|site-packages|/root/|/home/|/tmp/|"
    r"internal error; the server's log"
)
ACTIONS = {
    "CancelFlightInfo": flight.CancelFlightInfoRequest,
    "CancelQuery": flight_sql.ActionCancelQueryRequest,
    "CancelStatement": thanosql.CancelStatement,
    "ClosePreparedStatement": flight_sql.ActionClosePreparedStatementRequest,
    "CreatePreparedStatement": flight_sql.ActionCreatePreparedStatementRequest,
    "GetSessionOptions": flight.GetSessionOptionsRequest,
    "SetSessionOptions": flight.SetSessionOptionsRequest,
    "BeginTransaction": flight_sql.ActionBeginTransactionRequest,
    "CreatePreparedSubstraitPlan": flight_sql.ActionCreatePreparedSubstraitPlanRequest,
    "RenewFlightEndpoint": flight_sql.SubstraitPlan,
}
"""All but CloseSession, and the message that each takes."""

METHODS = ("GetFlightInfo", "GetSchema", "DoGet", "DoAction", "ListFlights")
SERVICE = "/arrow.flight.protocol.FlightService"
STREAMED = ("DoPut", "DoPut", "DoExchange", "Handshake")
QUERIES = (
    "SELECT 1",
    "SELECT ?, ?",
    "SELECT $2 FROM fuzzed WHERE id = $1",
    "SELECT * FROM fuzzed",
    "SELECT * FROM nothing",
    "INSERT INTO fuzzed VALUES (?, ?)",
    "UPDATE fuzzed SET name = ? WHERE id = ?",
    "DELETE FROM fuzzed WHERE id = 1",
    "SELECT * FROM (SEARCH IMAGE images=? USING m AS SELECT * FROM fuzzed)",
    "CREATE TABLE IF NOT EXISTS fuzzed (id BIGINT, name TEXT)",
    "LIST TABLE",
    "",
)


PREPARED = (
    "SELECT ?, ?",
    "SELECT name FROM fuzzed WHERE id = ?",
    "INSERT INTO fuzzed VALUES (?, ?)",
    "UPDATE fuzzed SET name = ? WHERE id = ?",
    "LIST TABLE",
)


def _ipc(batch):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


BATCHES = (
    pa.record_batch({"id": [1, 2], "name": ["a", None]}),
    pa.record_batch({"id": pa.array([], pa.int64())}),
    pa.record_batch({"a": [[1], None], "b": [{"c": 1}, None], "d": [b"x", b""]}),
    pa.record_batch({"a": pa.array(["x", "y"]).dictionary_encode(), "b": pa.nulls(2)}),
    pa.record_batch(
        [
            pa.UnionArray.from_dense(
                pa.array([0, 1], pa.int8()),
                pa.array([0, 0], pa.int32()),
                [pa.array([7]), pa.array(["x"])],
            )
        ],
        ["0"],
    ),
    pa.record_batch([], schema=pa.schema([])),
)
STREAMS = tuple(map(_ipc, BATCHES))
PIECES = tuple(
    [
        (message.metadata.to_pybytes(), message.body.to_pybytes())
        for message in pa.ipc.MessageReader.open_stream(stream)
    ]
    for stream in STREAMS
)
MESSAGES = tuple(
    kind
    for module in (flight_sql, thanosql, flight)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
)

FITTING = {
    "rows": ["TicketStatementQuery", "Execute", "CommandGet"],
    "put": ["CommandStatementUpdate", "CommandStatementIngest", "CommandPrepared"],
}
"""What the messages of a call are called that are made for it; Command... if unsaid."""

handles = []
"""Of prepared statements that the server knows."""

texts = st.one_of(
    st.sampled_from(QUERIES),
    st.sampled_from(
        ["fuzzed", "thanosql", "public", "%", "\\", "\x00", "é", "x" * 300]
    ),
    st.text(max_size=20),
)
numbers = st.one_of(st.integers(-3, 12), st.integers(-(2**31), 2**31 - 1))


@st.composite
def damaged(draw, whole):
    """Bytes with a piece cut out, put in or changed; often none of it."""
    data = draw(whole)
    kind = draw(st.sampled_from(["whole", "whole", "cut", "flipped", "filled"]))
    place = draw(st.integers(0, max(len(data) - 1, 0)))
    if kind == "cut":
        return data[:place]
    if kind == "flipped" and data:
        byte = data[place] ^ draw(st.integers(1, 255))
        return data[:place] + bytes([byte]) + data[place + 1 :]
    if kind == "filled":
        return data[:place] + draw(st.binary(max_size=8)) + data[place:]
    return data


def values(descriptor):
    """Return what a field of a message may hold."""
    kind = descriptor.type
    if kind == FieldDescriptor.TYPE_MESSAGE:
        options = descriptor.message_type.GetOptions()
        if options.map_entry:
            entry = descriptor.message_type.fields_by_name["value"]
            return st.dictionaries(texts, values(entry), max_size=2)
        return messages(GetMessageClass(descriptor.message_type))
    return {
        FieldDescriptor.TYPE_STRING: texts,
        FieldDescriptor.TYPE_BYTES: st.one_of(
            st.binary(max_size=30),
            damaged(st.sampled_from(STREAMS)),
            st.sampled_from(handles or [b""]),
        ),
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_ENUM: st.integers(-1, 9),
        FieldDescriptor.TYPE_DOUBLE: st.floats(),
        FieldDescriptor.TYPE_UINT32: st.integers(0, 1_000),
    }.get(kind, numbers)


@st.composite
def messages(draw, kind):
    """Return a message of a kind, any of its fields set."""
    message = kind()
    for descriptor in kind.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        value = draw(values(descriptor))
        held = getattr(message, descriptor.name)
        if isinstance(value, dict):
            _fill(held, value)
        elif hasattr(held, "append"):
            held.append(value)
        elif isinstance(value, Message):
            held.CopyFrom(value)
        else:
            setattr(message, descriptor.name, value)
    return message


def _fill(held, entries):
    for key, value in entries.items():
        if isinstance(value, Message):
            held[key].CopyFrom(value)
        else:
            held[key] = value


@st.composite
def bodies(draw, call=""):
    """Return the bytes of a message, in an envelope or bare, whole or damaged."""
    words = FITTING.get(call, ["Command"])
    fit = [kind for kind in MESSAGES if any(w in kind.__name__ for w in words)]
    message = draw(
        messages(draw(st.sampled_from(draw(st.sampled_from([MESSAGES, fit])))))
    )
    if draw(st.booleans()) and isinstance(message, flight_sql.TicketStatementQuery):
        inside = draw(damaged(messages(thanosql.StatementHandle).map(_bytes)))
        message.statement_handle = inside
    wrap = draw(st.sampled_from([pack, pack, _bytes]))
    return draw(damaged(st.just(wrap(message))))


def _bytes(message):
    return message.SerializeToString()


def tag(number, data):
    """Return a field of bytes as protobuf writes it."""
    length, prefix = len(data), bytearray([number << 3 | 2])
    while length > 127:
        prefix.append(length & 127 | 128)
        length >>= 7
    return bytes([*prefix, length]) + data


@st.composite
def frames(draw):
    """Return bytes for an RPC: the message that it takes, of the right kind or not."""
    body = draw(bodies())
    action = tag(1, draw(st.sampled_from(sorted(ACTIONS))).encode()) + tag(2, body)
    kinds = [draw(descriptors(body)), tag(1, body), action, body]
    return draw(damaged(st.sampled_from(kinds)))


def descriptors(body):
    """Return a FlightDescriptor of any type."""
    return st.integers(0, 3).map(lambda kind: bytes([0x08, kind]) + tag(2, body))


@st.composite
def puts(draw):
    """Return the pieces of a DoPut: a descriptor, a schema, and batches, damaged."""
    pieces = draw(st.sampled_from(PIECES))
    command = draw(descriptors(draw(bodies("put"))))
    sent = []
    for header, body in pieces[: draw(st.integers(1, len(pieces)))]:
        data = tag(2, draw(damaged(st.just(header))))
        # Field 1000, which no single byte tells.
        data += b"\xc2\x3e" + tag(1, draw(damaged(st.just(body))))[1:]
        sent.append((b"" if sent else tag(1, command)) + data)
    return sent


@dataclass
class Report:
    """What came of the calls.

    Attributes:
        answers: how many calls were answered with what.
        unclean: answers that no client should read, with the call.
    """

    answers: Counter = field(default_factory=Counter)
    unclean: list[str] = field(default_factory=list)


class Thrower:
    """Makes the calls and judges the answers."""

    def __init__(self, location, token):
        self.report = Report()
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._metadata = [(key.decode(), value.decode()) for key, value in headers]
        self._options = fl.FlightCallOptions(headers=headers, timeout=TIMEOUT)
        self._flight = fl.connect(location)
        self._channel = grpc.insecure_channel(location.partition("//")[2])

    def close(self):
        self._flight.close()
        self._channel.close()

    def prepare(self, query):
        """Return the handle of a prepared statement."""
        request = flight_sql.ActionCreatePreparedStatementRequest(query=query)
        action = fl.Action("CreatePreparedStatement", pack(request))
        [result] = self._flight.do_action(action, self._options)
        return unpack(result.body.to_pybytes()).prepared_statement_handle

    def throw(self, call, *arguments):
        """Make a call; whatever it raises is an answer, good or bad."""
        try:
            call(*arguments)
            answer = "served"
        except Exception as error:
            answer = type(error).__name__
            text = str(error.details() if isinstance(error, grpc.RpcError) else error)
            if LEAKS.search(text) or _hangs(error):
                shown = repr(arguments)[:2_000]
                self.report.unclean.append(f"{call.__name__}{shown}: {text[:500]}")
        self.report.answers[f"{call.__name__}: {answer}"] += 1

    def info(self, body):
        self._flight.get_flight_info(self._command(body), self._options)

    def schema(self, body):
        self._flight.get_schema(self._command(body), self._options)

    def rows(self, body):
        self._flight.do_get(fl.Ticket(body), self._options).read_all()

    def path(self, parts):
        descriptor = fl.FlightDescriptor.for_path(*parts)
        self._flight.get_flight_info(descriptor, self._options)

    def flights(self, body):
        list(self._flight.list_flights(body, self._options))

    def put(self, body, batch):
        writer, answers = self._flight.do_put(
            self._command(body), batch.schema, self._options
        )
        with writer:
            writer.write_batch(batch)
            writer.done_writing()
            answers.read()

    def action(self, name, body):
        list(self._flight.do_action(fl.Action(name, body), self._options))

    def bare(self, method, sent):
        """Send bytes as they are, as one message or a stream of them."""
        path = f"{SERVICE}/{method}"
        options = {"timeout": TIMEOUT, "metadata": self._metadata}
        if method in STREAMED:
            list(self._channel.stream_stream(path)(iter(sent), **options))
        else:
            list(self._channel.unary_stream(path)(sent[0], **options))

    def _command(self, body):
        return fl.FlightDescriptor.for_command(body)


def _hangs(error):
    late = isinstance(error, fl.FlightTimedOutError)
    code = error.code() if isinstance(error, grpc.RpcError) else None
    return late or code is grpc.StatusCode.DEADLINE_EXCEEDED


@st.composite
def calls(draw):
    """Return the name of a call and its arguments."""
    name = draw(st.sampled_from(CALLS))
    if name == "bare":
        method = draw(st.sampled_from([*METHODS, *STREAMED]))
        sent = puts() if method == "DoPut" else st.lists(frames(), min_size=1)
        return name, (method, draw(sent))
    if name == "path":
        return name, (draw(st.lists(texts, max_size=3)),)
    body = draw(bodies(name))
    if name == "put":
        return name, (body, draw(st.sampled_from(BATCHES)))
    if name == "action":
        action = draw(st.sampled_from(sorted(ACTIONS)))
        bare = ACTIONS[action] in vars(flight).values()
        wrap = _bytes if bare else pack
        fit = messages(ACTIONS[action]).map(wrap)
        sent = draw(st.sampled_from([fit, damaged(fit), st.just(body)]))
        return name, (draw(st.sampled_from([action, action, draw(texts)])), draw(sent))
    return name, (body,)


CALLS = ("info", "schema", "rows", "put", "action", "bare", "bare", "path", "flights")


def fuzz(location: str, token: str | None, examples: int) -> Report:
    """Throw so many calls at a server; the same ones every time."""
    thrower = Thrower(location, token)
    table = "CREATE OR REPLACE TABLE fuzzed (id BIGINT, name TEXT)"
    thrower.rows(pack(thanosql.Execute(query=table)))
    handles[:] = map(thrower.prepare, PREPARED)

    @seed(20_000)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(calls())
    def throw(call: tuple[str, Any]) -> None:
        name, arguments = call
        thrower.throw(getattr(thrower, name), *arguments)

    throw()
    thrower.close()
    return thrower.report
