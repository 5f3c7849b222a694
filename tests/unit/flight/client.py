"""Talks to the server as other programs do: Flight SQL over pyarrow's client."""

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto.any import pack, unpack
from thanosql_proto.flight_sql import CommandStatementQuery, DoPutUpdateResult
from thanosql_proto.thanosql import Event, Execute


class Trailers(fl.ClientMiddlewareFactory):
    """Remembers the trailers of the last call."""

    def __init__(self):
        self.last = {}

    def start_call(self, info):
        self.last.clear()
        return _Call(self.last)


class _Call(fl.ClientMiddleware):
    def __init__(self, last):
        self.last = last

    def received_headers(self, headers):
        self.last.update(headers)


class Client:
    def __init__(self, location, token=None, session=None, **options):
        self.trailers = Trailers()
        self.flight = fl.connect(location, middleware=[self.trailers], **options)
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        if session:
            headers.append((b"x-thanosql-session", session.encode()))
        self.options = fl.FlightCallOptions(headers=headers, timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.flight.close()

    def info(self, command):
        descriptor = fl.FlightDescriptor.for_command(pack(command))
        return self.flight.get_flight_info(descriptor, self.options)

    def schema(self, command):
        descriptor = fl.FlightDescriptor.for_command(pack(command))
        return self.flight.get_schema(descriptor, self.options).schema

    def get(self, ticket):
        return self.flight.do_get(fl.Ticket(ticket), self.options)

    def rows(self, command):
        info = self.info(command)
        table = self.get(info.endpoints[0].ticket.ticket).read_all()
        assert table.schema.equals(info.schema, check_metadata=True)
        return table

    def query(self, sql):
        return self.rows(CommandStatementQuery(query=sql))

    def stream(self, sql, **options):
        """Run by Execute and return the stream."""
        return self.get(pack(Execute(query=sql, **options)))

    def execute(self, sql, **options):
        """Run by Execute and return (table, events)."""
        reader = self.stream(sql, **options)
        batches, events = [], []
        for chunk in reader:
            batches.append(chunk.data)
            if chunk.app_metadata is not None:
                assert chunk.data.num_rows == 0
                events.append(Event.FromString(chunk.app_metadata.to_pybytes()))
        return pa.Table.from_batches(batches, reader.schema), events

    def put(self, command, batch=None):
        """Send rows and return the bytes of the answer."""
        batch = pa.record_batch([], schema=pa.schema([])) if batch is None else batch
        descriptor = fl.FlightDescriptor.for_command(pack(command))
        writer, answers = self.flight.do_put(descriptor, batch.schema, self.options)
        with writer:
            if batch.num_columns:
                writer.write_batch(batch)
            writer.done_writing()
            return answers.read().to_pybytes()

    def update(self, command, batch=None):
        return DoPutUpdateResult.FromString(self.put(command, batch)).record_count

    def act(self, name, request, answer=None):
        """Run an action; `answer` is the type of a bare result."""
        body = request.SerializeToString() if answer else pack(request)
        results = self.flight.do_action(fl.Action(name, body), self.options)
        bodies = [result.body.to_pybytes() for result in results]
        if not bodies:
            return None
        return answer.FromString(bodies[0]) if answer else unpack(bodies[0])

    def failure(self, call):
        """Return the error that a call raises, and its trailers."""
        try:
            call()
        except (Exception, KeyboardInterrupt) as error:
            return error, dict(self.trailers.last)
        raise AssertionError("the call succeeded")


def ipc(batch):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
