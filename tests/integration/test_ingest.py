"""Ingestion over the wire, as a standard client sends it, into real tables."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pyarrow.flight as fl
import pytest

from tests.integration.servers import wait_until
from tests.unit.flight.client import Client
from thanosql_proto.any import pack
from thanosql_proto.flight_sql import (
    ActionCreatePreparedStatementRequest,
    CommandPreparedStatementUpdate,
    CommandStatementIngest,
    CommandStatementQuery,
    CommandStatementUpdate,
    DoPutUpdateResult,
)
from thanosql_server.config import Config
from thanosql_server.engine.engine import Engine
from thanosql_server.flight.passwords import token_hash
from thanosql_server.flight.server import FlightSqlServer

Definition = CommandStatementIngest.TableDefinitionOptions
MODES = {
    "create": (1, 1),
    "append": (2, 2),
    "replace": (1, 3),
    "create_append": (1, 2),
    "replace_only": (2, 3),
}
"""What to do without the table and with it, as ADBC sends its modes."""

PEOPLE = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["ada", None]})


@pytest.fixture(scope="module")
def client(flight_server):
    with Client(flight_server.location) as client:
        yield client


@pytest.fixture
def name(request, client):
    """A name of each test's own."""
    yield (own := re.sub(r"\W", "_", request.node.name))
    run(client, f"DROP TABLE IF EXISTS {own}")


def command(table, mode="create", **more):
    absent, present = MODES[mode]
    definition = Definition(if_not_exist=absent, if_exists=present)
    return CommandStatementIngest(
        table_definition_options=definition, table=table, **more
    )


def send(client, command, table, *, rows=1_000):
    """Send a table in batches and return the count that comes back."""
    descriptor = fl.FlightDescriptor.for_command(pack(command))
    writer, answers = client.flight.do_put(descriptor, table.schema, client.options)
    with writer:
        for batch in table.to_batches(max_chunksize=rows):
            writer.write_batch(batch)
        writer.done_writing()
        answer = answers.read().to_pybytes()
    return DoPutUpdateResult.FromString(answer).record_count


def ingest(client, table, name, mode="create", **more):
    return send(client, command(name, mode, **more), table)


def stored(client, name):
    return client.rows(CommandStatementQuery(query=f'SELECT * FROM "{name}"'))


def run(client, sql):
    return client.update(CommandStatementUpdate(query=sql))


def exists(client, name):
    sql = f"SELECT * FROM information_schema.tables WHERE table_name = '{name}'"
    return client.rows(CommandStatementQuery(query=sql)).num_rows == 1


# ---- The modes


def test_create_makes_a_table_and_counts_its_rows(client, name):
    assert ingest(client, PEOPLE, name) == 2
    assert stored(client, name) == PEOPLE


def test_create_refuses_a_table_that_is_there(client, name):
    ingest(client, PEOPLE, name)
    error, trailers = client.failure(lambda: ingest(client, PEOPLE, name))
    assert f"table '{name}' already exists" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["42P07"]
    assert stored(client, name) == PEOPLE


def test_append_adds_rows(client, name):
    ingest(client, PEOPLE, name)
    assert ingest(client, PEOPLE, name, "append") == 2
    assert stored(client, name) == pa.concat_tables([PEOPLE, PEOPLE])


@pytest.mark.parametrize("mode", ["append", "replace_only"])
def test_a_table_that_must_be_there_is_missed(client, name, mode):
    error, trailers = client.failure(lambda: ingest(client, PEOPLE, name, mode))
    assert f"there is no table '{name}'" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["42P01"]


def test_replace_leaves_nothing_of_the_old_table(client, name):
    ingest(client, PEOPLE, name)
    other = pa.table({"x": [1.5]})
    assert ingest(client, other, name, "replace") == 1
    assert stored(client, name) == other
    assert ingest(client, PEOPLE, name, "replace_only") == 2
    assert stored(client, name) == PEOPLE


@pytest.mark.parametrize("mode", ["replace", "create_append"])
def test_a_table_that_need_not_be_there_is_made(client, name, mode):
    assert ingest(client, PEOPLE, name, mode) == 2
    assert stored(client, name) == PEOPLE


def test_create_append_adds_to_a_table_that_is_there(client, name):
    ingest(client, PEOPLE, name, "create_append")
    assert ingest(client, PEOPLE, name, "create_append") == 2
    assert stored(client, name).num_rows == 4


def test_no_rows_make_an_empty_table(client, name):
    assert ingest(client, PEOPLE.slice(0, 0), name) == 0
    assert stored(client, name) == PEOPLE.slice(0, 0)
    assert ingest(client, PEOPLE.slice(0, 0), name, "append") == 0


def test_each_ingestion_is_one_commit(client, name, flight_server):
    table = pa.table({"n": range(50_000)})
    ingest(client, table, name)
    tables = flight_server._service.engine._environment.workspace.tables
    first = tables.open(name).version
    ingest(client, table, name, "append")
    assert tables.open(name).version == first + 1
    ingest(client, table, name, "replace")
    assert tables.open(name).version == first + 2
    assert stored(client, name) == table


def test_the_name_is_taken_as_it_is(client):
    for strange in ("Große Tabelle", 'say "hi"', "a.b", "it's 100%"):
        assert ingest(client, PEOPLE, strange) == 2
        quoted = strange.replace('"', '""')
        assert client.query(f'SELECT * FROM "{quoted}"') == PEOPLE
        run(client, f'DROP TABLE "{quoted}"')


# ---- Columns


def test_columns_are_matched_by_name_and_cast(client, name):
    ingest(client, PEOPLE, name)
    swapped = pa.table({"name": ["eve"], "id": pa.array([3], pa.int8())})
    assert ingest(client, swapped, name, "append") == 1
    assert stored(client, name).to_pylist()[2] == {"id": 3, "name": "eve"}


def test_columns_that_are_not_given_take_their_default_or_null(client, name):
    run(client, f"CREATE TABLE {name} (a INT, b INT DEFAULT 3 + 4, c TEXT)")
    assert ingest(client, pa.table({"a": [1]}), name, "append") == 1
    assert stored(client, name).to_pylist() == [{"a": 1, "b": 7, "c": None}]


def test_an_unknown_column_is_refused(client, name):
    ingest(client, PEOPLE, name)
    wrong = pa.table({"id": [3], "nmae": ["eve"]})
    error, trailers = client.failure(lambda: ingest(client, wrong, name, "append"))
    assert "no column 'nmae'; did you mean 'name'?" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["42703"]
    assert stored(client, name) == PEOPLE


def test_a_value_that_does_not_fit_leaves_the_table_as_it_was(client, name):
    ingest(client, pa.table({"n": pa.array([1], pa.int8())}), name)
    numbers = pa.table({"n": [*range(100), 300]})
    append = command(name, "append")
    error, _ = client.failure(lambda: send(client, append, numbers, rows=50))
    assert "does not fit into column 'n' of type int8" in str(error)
    assert stored(client, name).num_rows == 1


def test_not_null_and_the_key_are_kept(client, name):
    run(client, f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, name TEXT)")
    error, trailers = client.failure(
        lambda: ingest(client, pa.table({"name": ["x"]}), name, "append")
    )
    assert "column 'id' is NOT NULL" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["23502"]
    assert ingest(client, PEOPLE, name, "append") == 2


CONVERTED = {
    "dictionary": (pa.array(["a", "b", "a"]).dictionary_encode(), pa.string()),
    "string_view": (pa.array(["a", "b", None], pa.string_view()), pa.string()),
    "binary_view": (pa.array([b"a", b"b", None], pa.binary_view()), pa.binary()),
    "null": (pa.nulls(3), pa.string()),
    "run_ends": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), [1, 2]),
        pa.int64(),
    ),
    "decimal": (pa.array([Decimal("1.50")] * 3), pa.decimal128(3, 2)),
    "list": (pa.array([[1], None, []]), pa.list_(pa.int64())),
    "vector": (
        pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2)),
        pa.list_(pa.float32(), 2),
    ),
    "struct": (pa.array([{"a": 1}] * 3), pa.struct({"a": pa.int64()})),
    "half": (pa.array([1.5, None, 2.5], pa.float16()), pa.float16()),
    "time": (pa.array([1, 2, 3], pa.time64("ns")), pa.time64("ns")),
    "zone": (pa.array([1, 2, 3], pa.timestamp("us", "UTC")), pa.timestamp("us", "UTC")),
}


@pytest.mark.parametrize("kind", CONVERTED)
def test_layouts_of_memory_become_plain_columns(client, name, kind):
    array, wanted = CONVERTED[kind]
    assert ingest(client, pa.table({"c": array}), name) == 3
    column = stored(client, name).column("c")
    assert column.type == wanted
    assert column.to_pylist() == array.to_pylist()


@pytest.mark.parametrize(
    "array",
    [
        pa.array([pa.MonthDayNano([1, 2, 3])], pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    ],
    ids=["interval", "union"],
)
def test_types_that_no_table_holds_are_refused_by_column(client, name, array):
    table = pa.table({"fine": [1], "odd": array})
    error, trailers = client.failure(lambda: ingest(client, table, name))
    assert "column 'odd' has the type" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["22000"]
    assert not exists(client, name)


@pytest.mark.parametrize("columns", [["_rowid"], ["a.b"], [""], ["a", "a"]])
def test_names_that_no_column_has_are_refused(client, name, columns):
    table = pa.table([[1]] * len(columns), columns)
    error, _ = client.failure(lambda: ingest(client, table, name))
    assert "column" in str(error)
    assert not exists(client, name)


def test_metadata_cannot_declare_anything(client, name):
    smuggled = {
        "thanosql:default": "1 / 0",
        "thanosql:comment": "not mine",
        "ARROW:FLIGHT:SQL:TYPE_NAME": "OTHER",
        "unit": "m",
    }
    field = pa.field("a", pa.int64(), metadata=smuggled)
    schema = pa.schema([field], metadata={"thanosql:comment": "not mine"})
    ingest(client, pa.table([[1]], schema=schema), name)
    assert stored(client, name).schema.field("a").metadata == {b"unit": b"m"}
    sql = f"SELECT * FROM thanosql.columns WHERE table_name = '{name}'"
    [row] = client.query(sql).to_pylist()
    assert row["column_default"] is None
    assert row["comment"] is None


# ---- Where


def test_catalog_and_schema_may_be_given(client, name):
    assert ingest(client, PEOPLE, name, schema="public", catalog="thanosql") == 2


@pytest.mark.parametrize(
    ("place", "sqlstate", "sentence"),
    [
        ({"catalog": "other"}, "42704", "there is no catalog 'other'; the only one is"),
        ({"schema": "other"}, "42704", "there is no schema 'other'"),
        ({"schema": "thanosql"}, "42704", "cannot be written in schema 'thanosql'"),
        ({"schema": ""}, "22023", "the name of a schema cannot be empty"),
    ],
)
def test_other_places_are_refused(client, place, sqlstate, sentence):
    error, trailers = client.failure(lambda: ingest(client, PEOPLE, "t", **place))
    assert sentence in str(error)
    assert trailers["x-thanosql-sqlstate"] == [sqlstate]


def test_a_schema_of_ones_own_holds_tables(client):
    run(client, "CREATE SCHEMA IF NOT EXISTS own")
    assert ingest(client, PEOPLE, "people", "replace", schema="own") == 2
    assert ingest(client, PEOPLE, "people", "append", schema="own") == 2
    assert client.query("SELECT * FROM own.people").num_rows == 4
    run(client, "DROP SCHEMA own CASCADE")
    assert not exists(client, "people")


@pytest.mark.parametrize("mode", MODES)
def test_a_view_is_left_alone(client, mode):
    run(client, "CREATE OR REPLACE VIEW only_a_view AS SELECT 1 AS id")
    error, _ = client.failure(lambda: ingest(client, PEOPLE, "only_a_view", mode))
    assert "view" in str(error)
    assert client.query("SELECT * FROM only_a_view").num_rows == 1


# ---- What is refused


@pytest.mark.parametrize(
    ("more", "kind", "sentence"),
    [
        ({"temporary": True}, NotImplementedError, "temporary tables are not"),
        ({"transaction_id": b"1"}, NotImplementedError, "transactions are not"),
        ({"options": {"fast": "1"}}, pa.ArrowInvalid, "has no option 'fast'"),
    ],
)
def test_what_is_not_offered_is_refused(client, more, kind, sentence):
    error, _ = client.failure(lambda: ingest(client, PEOPLE, "t", **more))
    assert isinstance(error, kind)
    assert sentence in str(error)


@pytest.mark.parametrize(
    ("absent", "present"), [(0, 0), (1, 0), (0, 2), (3, 1), (1, 9)]
)
def test_a_definition_must_be_whole(client, absent, present):
    definition = Definition(if_not_exist=absent, if_exists=present)
    wanted = CommandStatementIngest(table_definition_options=definition, table="t")
    error, _ = client.failure(lambda: send(client, wanted, PEOPLE))
    assert "must say what is to be done if the table exists" in str(error)


@pytest.mark.parametrize("table", ["", "x" * 200, "a\nb"])
def test_names_that_no_table_has_are_refused(client, table):
    error, trailers = client.failure(lambda: ingest(client, PEOPLE, table))
    assert "the name of" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["22023"]


def test_texts_that_are_no_texts_are_refused(client, name):
    binary = pa.array([b"fine", b"\xff\xfe"])
    text = pa.Array.from_buffers(pa.string(), 2, binary.buffers())
    error, trailers = client.failure(
        lambda: ingest(client, pa.table({"text": text}), name)
    )
    assert "not valid Arrow" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["22000"]
    assert not exists(client, name)


def test_a_reader_may_not_ingest(tmp_path):
    users = "".join(
        f"[users.{role}]\nrole = '{role}'\ntokens = ['{token_hash(role.encode())}']\n"
        for role in ("reader", "writer")
    )
    config = Config(tmp_path, users=users.encode())
    engine = Engine(config)
    with (
        FlightSqlServer(engine, config) as server,
        Client(server.location, token="reader") as reader,
        Client(server.location, token="writer") as writer,
    ):
        error, trailers = reader.failure(lambda: ingest(reader, PEOPLE, "t"))
        assert "user 'reader' is a reader; this statement needs the role" in str(error)
        assert trailers["x-thanosql-sqlstate"] == ["42501"]
        assert ingest(writer, PEOPLE, "t") == 2
        assert reader.query("SELECT * FROM t") == PEOPLE
    engine.close()


# ---- Streams


def test_memory_stays_while_much_goes_by(client, name):
    """What Arrow holds at any time is a small part of the 300 MB that were sent."""
    column = pa.array([b"x" * 4_000] * 250)
    batch = pa.record_batch({"data": column})
    descriptor = fl.FlightDescriptor.for_command(pack(command(name)))
    before, most = pa.total_allocated_bytes(), 0
    writer, answers = client.flight.do_put(descriptor, batch.schema, client.options)
    with writer:
        for _ in range(300):
            writer.write_batch(batch)
            most = max(most, pa.total_allocated_bytes() - before)
        writer.done_writing()
        answer = DoPutUpdateResult.FromString(answers.read().to_pybytes())
    assert answer.record_count == 300 * 250
    assert most < 100 << 20


DYING = """
import os, sys
import pyarrow as pa, pyarrow.flight as fl
descriptor = fl.FlightDescriptor.for_command(bytes.fromhex(sys.argv[2]))
batch = pa.record_batch({"id": list(range(1000)), "name": ["x"] * 1000})
writer, _ = fl.connect(sys.argv[1]).do_put(descriptor, batch.schema)
for _ in range(5):
    writer.write_batch(batch)
print("sent", flush=True)
sys.stdin.readline()
os._exit(9)
"""


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_client_that_dies_midway_leaves_nothing(client, name, flight_server, mode):
    if mode != "create":
        ingest(client, PEOPLE, name)
    sent = pack(command(name, mode)).hex()
    dying = subprocess.Popen(
        [sys.executable, "-c", DYING, flight_server.location, sent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert dying.stdout.readline() == b"sent\n"
    running = flight_server._service.running
    wait_until(lambda: len(running._snapshot()) == 1, "the ingestion to begin")
    dying.communicate(b"\n")
    wait_until(lambda: not running._snapshot(), "the ingestion to end")
    if mode == "create":
        assert not exists(client, name)
    else:
        assert stored(client, name) == PEOPLE
    workspace = flight_server._service.engine._environment.workspace
    assert list(workspace.scratch.folder.iterdir()) == []


def test_many_clients_append_at_once(client, name):
    ingest(client, PEOPLE.slice(0, 0), name)
    counts = []

    def append():
        counts.append(ingest(client, PEOPLE, name, "append"))

    threads = [threading.Thread(target=append) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [2] * 6
    assert stored(client, name).num_rows == 12


def test_one_of_many_creates_the_table(client, name):
    outcomes = []

    def create():
        try:
            outcomes.append(ingest(client, PEOPLE, name))
        except pa.ArrowInvalid as error:
            outcomes.append("already exists" in str(error))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [1, 1, 1, 2]
    assert stored(client, name) == PEOPLE


def test_what_prepared_updates_send_is_checked_as_well(client, name):
    run(client, f"CREATE TABLE {name} (name TEXT)")
    binary = pa.array([b"\xff\xfe"])
    text = pa.Array.from_buffers(pa.string(), 1, binary.buffers())
    created = client.act(
        "CreatePreparedStatement",
        ActionCreatePreparedStatementRequest(query=f"INSERT INTO {name} VALUES (?)"),
    )
    handle = created.prepared_statement_handle
    update = CommandPreparedStatementUpdate(prepared_statement_handle=handle)
    batch = pa.record_batch({"name": text})
    error, _ = client.failure(partial(client.update, update, batch))
    assert "not valid Arrow" in str(error)
    assert stored(client, name).num_rows == 0
