import threading

import pyarrow as pa
import pytest

from tests.unit.flight.client import ipc
from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto.any import pack
from thanosql_proto.flight import CancelFlightInfoRequest, CancelFlightInfoResult
from thanosql_proto.flight_sql import (
    ActionCancelQueryRequest,
    CommandStatementQuery,
    CommandStatementUpdate,
    TicketStatementQuery,
)
from thanosql_proto.thanosql import CancelStatement, StatementHandle

NO_COLUMNS = pa.schema([])


def test_query_returns_the_rows_of_the_plan(client):
    assert client.query("SELECT * FROM people") == PEOPLE


def test_get_schema_agrees_with_the_result(client):
    command = CommandStatementQuery(query="SELECT * FROM people")
    assert client.schema(command) == PEOPLE.schema


def test_get_schema_of_an_update_does_not_run_it(client, engine):
    assert client.schema(CommandStatementQuery(query="DROP TABLE people")) == NO_COLUMNS
    assert "people" in engine.tables_by_name


def test_update_on_the_query_path_acts_in_get_flight_info_and_only_there(
    client, engine
):
    """ADBC before 1.13 sends updates so, and never reads their tickets."""
    info = client.info(CommandStatementQuery(query="DROP TABLE people"))
    assert (info.schema, info.total_records) == (NO_COLUMNS, 3)
    assert "people" not in engine.tables_by_name
    engine.tables_by_name["people"] = PEOPLE
    for _ in range(2):
        ticket = info.endpoints[0].ticket.ticket
        assert client.get(ticket).read_all().num_rows == 0
    assert "people" in engine.tables_by_name


def test_ticket_that_would_act_is_refused(client, engine):
    handle = StatementHandle(query="DROP TABLE people").SerializeToString()
    ticket = pack(TicketStatementQuery(statement_handle=handle))
    error, _ = client.failure(lambda: client.get(ticket).read_all())
    assert "the ticket was not made by this server" in str(error)
    assert "people" in engine.tables_by_name


def test_ticket_of_a_query_may_be_read_again(client):
    info = client.info(CommandStatementQuery(query="SELECT * FROM people"))
    ticket = info.endpoints[0].ticket.ticket
    assert client.get(ticket).read_all() == client.get(ticket).read_all() == PEOPLE


def test_update_returns_the_rows_changed(client, engine):
    assert client.update(CommandStatementUpdate(query="DROP TABLE people")) == 3
    assert "people" not in engine.tables_by_name


def test_update_by_a_query_runs_it_and_knows_no_count(client, engine):
    command = CommandStatementUpdate(query="COUNT ROWS 2")
    assert client.update(command) == -1
    assert engine.stopped.is_set()


def test_transaction_is_refused(client):
    command = CommandStatementQuery(query="SELECT * FROM people", transaction_id=b"1")
    error, _ = client.failure(lambda: client.info(command))
    assert isinstance(error, NotImplementedError)
    assert "every statement commits on its own" in str(error)


@pytest.mark.parametrize("handle", [b"\xff", b"junk"])
def test_ticket_of_somebody_else_is_refused(client, handle):
    ticket = pack(TicketStatementQuery(statement_handle=handle))
    error, _ = client.failure(lambda: client.get(ticket).read_all())
    assert "the ticket was not made by this server" in str(error)


# ---- Execute


def test_execute_returns_rows_and_completion_in_one_call(client):
    table, events = client.execute("SELECT * FROM people")
    assert table == PEOPLE
    assert [event.WhichOneof("kind") for event in events] == ["completed"]
    assert events[0].completed.rows_affected == -1


def test_execute_of_an_update_tells_count_and_warnings(client, engine):
    table, events = client.execute("DROP TABLE people")
    assert table.schema == NO_COLUMNS
    assert events[-1].completed.rows_affected == 3
    assert list(events[-1].completed.warnings) == ["nobody will see 'people' again"]
    assert "people" not in engine.tables_by_name


def test_execute_binds_parameters_with_their_types(client):
    row = pa.record_batch({"a": pa.array([7], pa.int16()), "b": ["x"]})
    table, _ = client.execute("ECHO ??", parameters=ipc(row))
    assert table == pa.table({"p1": pa.array([7], pa.int16()), "p2": ["x"]})


def test_execute_runs_once_per_row_of_parameters(client, engine):
    rows = pa.record_batch({"id": [4, 5], "name": ["alan", "tim"]})
    insert = "INSERT INTO people VALUES (?, ?)"
    _, events = client.execute(insert, parameters=ipc(rows))
    assert events[-1].completed.rows_affected == 2
    assert engine.tables_by_name["people"]["id"].to_pylist() == [1, 2, 3, 4, 5]


def test_no_rows_of_parameters_change_nothing(client, engine):
    rows = pa.record_batch({"id": [4], "name": ["alan"]}).slice(1)
    insert = "INSERT INTO people VALUES (?, ?)"
    _, events = client.execute(insert, parameters=ipc(rows))
    assert events[-1].completed.rows_affected == 0
    assert engine.tables_by_name["people"] == PEOPLE


def test_failing_row_of_parameters_says_what_was_done(client, engine):
    rows = pa.record_batch({"id": pa.array([4, None], pa.int64()), "name": ["a", "b"]})
    insert = "INSERT INTO people VALUES (?, ?)"
    error, trailers = client.failure(
        lambda: client.execute(insert, parameters=ipc(rows))
    )
    assert "must not be NULL; rows of parameters carried out before it: 1" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["22000"]
    assert engine.tables_by_name["people"].num_rows == 4


def test_rows_of_parameters_give_their_results_one_after_the_other(client):
    table, _ = client.execute("ECHO ?", parameters=ipc(pa.record_batch({"a": [1, 2]})))
    assert table["p1"].to_pylist() == [1, 2]


def test_junk_as_parameters_is_refused(client):
    error, trailers = client.failure(
        lambda: client.execute("ECHO ?", parameters=b"not arrow")
    )
    assert "the parameters are not an Arrow IPC stream" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["22023"]


# ---- Cancel


def run_in_thread(call):
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def failing_run(client, call):
    """Start a call on a thread; return the thread and a list for its failure."""
    failures = []
    thread = run_in_thread(lambda: failures.append(client.failure(call)))
    return thread, failures


def wait_for_rows(reader):
    while reader.read_chunk().data.num_rows == 0:
        pass


def test_cancel_by_id_from_another_call_stops_the_statement(client, engine):
    reader = client.stream("COUNT ROWS 100000", statement_id="mine")
    wait_for_rows(reader)
    assert client.act("CancelStatement", CancelStatement(statement_id="mine")).found
    assert engine.stopped.wait(10)
    with pytest.raises((KeyboardInterrupt, pa.ArrowCancelled)):
        reader.read_all()


def test_cancel_of_an_unknown_id_finds_nothing(client):
    assert not client.act("CancelStatement", CancelStatement(statement_id="?")).found


def test_statement_that_has_ended_cannot_be_cancelled(client):
    client.execute("SELECT * FROM people", statement_id="mine")
    assert not client.act("CancelStatement", CancelStatement(statement_id="mine")).found


def test_cancel_flight_info_stops_the_statement(client, engine):
    info = client.info(CommandStatementQuery(query="COUNT ROWS 100000"))
    request = CancelFlightInfoRequest(info=info.serialize())
    result = client.act("CancelFlightInfo", request, CancelFlightInfoResult)
    assert result.status == 3  # not cancellable: it does not run yet
    reader = client.get(info.endpoints[0].ticket.ticket)
    reader.read_chunk()
    result = client.act("CancelFlightInfo", request, CancelFlightInfoResult)
    assert result.status == 2  # cancelling
    assert engine.stopped.wait(10)


def test_cancel_query_is_the_older_form(client, engine):
    info = client.info(CommandStatementQuery(query="COUNT ROWS 100000"))
    reader = client.get(info.endpoints[0].ticket.ticket)
    reader.read_chunk()
    request = ActionCancelQueryRequest(info=info.serialize())
    assert client.act("CancelQuery", request).result == 2
    assert engine.stopped.wait(10)


def test_cancel_of_junk_is_refused(client):
    request = CancelFlightInfoRequest(info=b"junk")
    error, _ = client.failure(
        lambda: client.act("CancelFlightInfo", request, CancelFlightInfoResult)
    )
    assert "the FlightInfo was not made by this server" in str(error)


def test_client_that_cancels_its_stream_stops_the_statement(client, engine):
    reader = client.stream("COUNT ROWS 100000")
    wait_for_rows(reader)
    reader.cancel()
    assert engine.stopped.wait(10)


def test_client_that_goes_away_stops_an_update(client, engine):
    client.options = type(client.options)(timeout=0.3)
    client.failure(
        lambda: client.update(CommandStatementUpdate(query="COUNT STEPS 100000"))
    )
    assert engine.stopped.wait(10)


def test_shutdown_ends_what_still_runs_and_refuses_more(client, server, engine):
    thread, failures = failing_run(client, lambda: client.execute("COUNT STEPS 100000"))
    while not engine.planned:
        threading.Event().wait(0.01)
    server.shutdown(grace=0.1)
    server.shutdown()
    thread.join(10)
    assert engine.stopped.is_set()
    assert failures
