import time

import pyarrow as pa
import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto.flight_sql import (
    ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest,
    CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate,
    DoPutPreparedStatementResult,
)
from thanosql_server.errors import UndefinedObject
from thanosql_server.flight import parameters
from thanosql_server.flight.prepared import PreparedStatements

INSERT = "INSERT INTO people VALUES (?, ?)"


def create(client, sql):
    request = ActionCreatePreparedStatementRequest(query=sql)
    return client.act("CreatePreparedStatement", request)


def prepared_query(client, sql):
    handle = create(client, sql).prepared_statement_handle
    return CommandPreparedStatementQuery(prepared_statement_handle=handle)


def prepared_update(client, sql):
    handle = create(client, sql).prepared_statement_handle
    return CommandPreparedStatementUpdate(prepared_statement_handle=handle)


def read_schema(data):
    return pa.ipc.read_schema(pa.py_buffer(data))


def test_prepared_query_tells_its_schemas(client):
    created = create(client, "ECHO ?")
    assert read_schema(created.dataset_schema) == pa.schema({"p1": pa.string()})
    assert read_schema(created.parameter_schema) == pa.schema({"p1": pa.string()})
    assert created.HasField("is_update")
    assert not created.is_update


def test_prepared_update_says_so_and_has_typed_parameters(client):
    created = create(client, INSERT)
    assert created.is_update
    assert created.dataset_schema == b""
    assert read_schema(created.parameter_schema) == PEOPLE.schema


def test_prepare_does_not_run_the_statement(client, engine):
    create(client, "DROP TABLE people")
    assert "people" in engine.tables_by_name


def test_prepared_query_without_parameters(client):
    command = prepared_query(client, "SELECT * FROM people")
    assert client.rows(command) == client.rows(command) == PEOPLE
    assert client.schema(command) == PEOPLE.schema


def test_bound_parameters_stay_until_the_next_bind(client):
    command = prepared_query(client, "ECHO ?")
    answer = client.put(command, pa.record_batch({"a": [1, 2]}))
    handle = DoPutPreparedStatementResult.FromString(answer).prepared_statement_handle
    assert handle == command.prepared_statement_handle
    for _ in range(2):
        assert client.rows(command)["p1"].to_pylist() == [1, 2]
    client.put(command, pa.record_batch({"a": ["x"]}))
    assert client.rows(command)["p1"].to_pylist() == ["x"]


def test_parameters_travel_in_the_ticket(client):
    command = prepared_query(client, "ECHO ?")
    client.put(command, pa.record_batch({"a": [1]}))
    info = client.info(command)
    client.put(command, pa.record_batch({"a": [2]}))
    table = client.get(info.endpoints[0].ticket.ticket).read_all()
    assert table["p1"].to_pylist() == [1]


def test_query_without_its_parameters_fails_when_it_runs(client):
    command = prepared_query(client, "ECHO ?")
    error, _ = client.failure(lambda: client.rows(command))
    assert "the statement needs parameters" in str(error)


def test_dense_unions_of_flightsql_dbapi_are_unpacked(client):
    kinds = pa.array([1], pa.int8())
    children = [pa.array([], pa.int64()), pa.array(["ada"]), pa.array([], pa.float64())]
    value = pa.UnionArray.from_dense(kinds, pa.array([0], pa.int32()), children)
    null = pa.UnionArray.from_dense(
        pa.array([0], pa.int8()),
        pa.array([0], pa.int32()),
        [pa.array([None], pa.int64()), pa.array([], pa.string())],
    )
    command = prepared_query(client, "ECHO ??")
    client.put(command, pa.record_batch([value, null], ["1", "2"]))
    expected = pa.table({"p1": ["ada"], "p2": pa.array([None], pa.int64())})
    assert client.rows(command) == expected


def test_dictionaries_are_unpacked(client):
    command = prepared_query(client, "ECHO ?")
    names = pa.array(["ada", None, "ada"]).dictionary_encode()
    client.put(command, pa.record_batch([names], ["a"]))
    assert client.rows(command) == pa.table({"p1": ["ada", None, "ada"]})


def test_rows_of_different_types_are_refused(client):
    mixed = pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()),
        pa.array([0, 0], pa.int32()),
        [pa.array([1]), pa.array(["x"])],
    )
    command = prepared_query(client, "ECHO ?")
    client.put(command, pa.record_batch([mixed], ["a"]))
    error, _ = client.failure(lambda: client.rows(command))
    assert "all rows of parameters must give the same columns" in str(error)


def test_prepared_update_sums_the_rows_of_all_parameters(client, engine):
    command = prepared_update(client, INSERT)
    rows = pa.record_batch({"id": [4, 5, 6], "name": ["a", "b", "c"]})
    assert client.update(command, rows) == 3
    assert engine.tables_by_name["people"].num_rows == 6


def test_prepared_update_without_parameters_runs_once(client, engine):
    assert client.update(prepared_update(client, "DROP TABLE people")) == 3
    assert "people" not in engine.tables_by_name


def test_prepared_update_of_no_rows_does_nothing(client, engine):
    none = pa.record_batch({"id": [1], "name": ["a"]}).slice(1)
    assert client.update(prepared_update(client, INSERT), none) == 0
    assert engine.tables_by_name["people"] == PEOPLE


def test_prepared_update_on_the_query_path_acts_once(client, engine):
    command = prepared_query(client, "DROP TABLE people")
    assert client.rows(command).num_columns == 0
    assert "people" not in engine.tables_by_name


def test_closed_statement_is_gone(client):
    command = prepared_query(client, "SELECT * FROM people")
    handle = command.prepared_statement_handle
    request = ActionClosePreparedStatementRequest(prepared_statement_handle=handle)
    for _ in range(2):
        assert client.act("ClosePreparedStatement", request) is None
    error, trailers = client.failure(lambda: client.rows(command))
    assert "there is no such prepared statement" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["42704"]


def test_too_many_parameters_for_a_query_are_refused(client, monkeypatch):
    monkeypatch.setattr(parameters, "MAX_BOUND_BYTES", 1 << 20)
    command = prepared_query(client, "ECHO ?")
    error, trailers = client.failure(
        lambda: client.put(command, pa.record_batch({"a": range(200_000)}))
    )
    assert "may take 1 MiB; bind fewer rows at once" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["53000"]


# ---- The store


def test_longest_unused_statement_makes_room():
    store = PreparedStatements(limit=2)
    first, second = store.add("one"), store.add("two")
    store.get(first)
    store.add("three")
    assert len(store) == 2
    assert store.get(first).query == "one"
    with pytest.raises(UndefinedObject, match="prepare it again"):
        store.get(second)


def test_unused_statement_ends_after_a_while():
    store = PreparedStatements(seconds=0.2)
    old = store.add("one")
    time.sleep(0.25)
    with pytest.raises(UndefinedObject):
        store.get(old)
    store.add("two")
    assert len(store) == 1


def test_use_prolongs_the_life_of_a_statement():
    store = PreparedStatements(seconds=60)
    handle = store.add("one")
    before = store.get(handle).used
    assert store.get(handle).used > before
