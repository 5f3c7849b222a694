import pyarrow as pa
import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_server.callers import NOBODY_ASKED
from thanosql_server.control import Control
from thanosql_server.flight.streams import MAX_BATCH_BYTES, Events, cut, plan_sets

EXOTIC = pa.schema(
    {
        "union": pa.dense_union([pa.field("a", pa.int64()), pa.field("b", pa.bool_())]),
        "dictionary": pa.dictionary(pa.int8(), pa.string()),
        "view": pa.string_view(),
        "vector": pa.list_(pa.float32(), 4),
        "map": pa.map_(pa.string(), pa.int32()),
        "nothing": pa.null(),
    }
)


def test_batch_is_cut_to_the_limit_and_keeps_its_rows():
    texts = ["x" * (1 + i % 7) * 1_000 for i in range(999)]
    batch = pa.record_batch({"text": texts})
    parts = list(cut(batch, 50_000))
    assert max(part.nbytes for part in parts) <= 50_000
    assert pa.Table.from_batches(parts)["text"].to_pylist() == texts


def test_small_batch_stays_whole():
    batch = pa.record_batch({"n": [1, 2, 3]})
    assert list(cut(batch)) == [batch]


def test_huge_row_stays_whole_and_its_neighbours_do_not_grow():
    texts = ["a"] * 8 + ["x" * 100_000] + ["b"] * 7
    parts = list(cut(pa.record_batch({"text": texts}), 1_000))
    assert pa.Table.from_batches(parts)["text"].to_pylist() == texts
    assert [p.num_rows for p in parts if p.nbytes > 1_000] == [1]


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.dictionary(pa.int32(), pa.utf8())]
)
def test_values_shared_by_all_rows_are_not_sent_many_times(kind):
    texts = pa.array([f"{i:01000}" for i in range(64)])
    shared = (
        texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    )
    batch = pa.record_batch([shared], ["text"])
    assert list(cut(batch, 1_000)) == [batch]


def test_client_gets_batches_of_at_most_the_limit(client):
    batches = [c.data for c in client.stream("BIG 1000 20000")]
    assert sum(batch.num_rows for batch in batches) == 1_000
    assert max(batch.nbytes for batch in batches) <= MAX_BATCH_BYTES
    assert len(batches) >= 5


def test_progress_is_told_when_asked_for(client):
    _, events = client.execute("COUNT STEPS 40", progress=True)
    *progress, completed = (event.WhichOneof("kind") for event in events)
    assert set(progress) == {"progress"}
    assert completed == "completed"
    first = events[0].progress
    assert (first.phase, first.total) == ("counting", 40)
    assert first.message == f"at {first.done}"
    assert 0 < first.seconds <= events[-1].completed.seconds


def test_progress_is_kept_quiet_otherwise(client):
    _, events = client.execute("COUNT STEPS 40")
    assert len(events) == 1


def test_progress_comes_between_the_rows_too(client):
    table, events = client.execute("COUNT ROWS 40", progress=True)
    assert table["n"].to_pylist() == list(range(40))
    assert len(events) > 1


def test_statement_without_progress_still_shows_a_sign_of_life():
    events = Events(pa.schema([]), progress=True)
    events._last -= 1
    ((_, message),) = events.due(Control())
    assert b"running" in message


def test_events_travel_in_streams_of_any_type():
    batch, message = Events(EXOTIC, progress=False).completed(Control())
    assert batch.schema == EXOTIC
    assert batch.num_rows == 0
    assert message


def test_standard_clients_get_no_metadata(client):
    from thanosql_proto.flight_sql import CommandStatementQuery

    info = client.info(CommandStatementQuery(query="COUNT ROWS 20"))
    chunks = list(client.get(info.endpoints[0].ticket.ticket))
    assert [chunk.app_metadata for chunk in chunks] == [None] * 20


def test_plan_that_breaks_its_word_is_a_fault_of_ours(client, engine, caplog):
    plan = engine.plan("SELECT * FROM people")
    odd = pa.record_batch({"id": ["text"]})
    broken = type(plan)(plan.schema, lambda control: iter([odd]))
    engine.STATEMENTS = (("ODD", lambda self, parameters: broken),)
    error, _ = client.failure(lambda: client.execute("ODD"))
    assert "internal error; the server's log has it under id" in str(error)
    assert "the plan announced" in caplog.text


def test_rows_that_are_known_are_taken_before_the_stream_begins(client, engine):
    table, events = client.execute("AT ONCE people")
    assert table == PEOPLE
    assert [event.WhichOneof("kind") for event in events] == ["completed"]
    assert client.query("AT ONCE people") == PEOPLE
    entries = engine.activity.entries(NOBODY_ASKED)
    assert [(entry.state, entry.rows) for entry in entries] == [("finished", 3)] * 2


def test_what_goes_wrong_at_once_is_told_as_ever(client):
    error, trailers = client.failure(lambda: client.execute("AT ONCE FAIL"))
    assert "a SyntaxError_ for you" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["42601"]


@pytest.mark.parametrize("sets", [0, 1, 3])
def test_rows_of_many_sets_are_not_taken_at_once(engine, sets):
    plan = plan_sets(engine, "AT ONCE people", iter([()] * sets), Control())
    assert not plan.at_once
    rows = pa.Table.from_batches(plan.run(Control()), plan.schema)
    assert rows == pa.concat_tables([PEOPLE] * sets or [PEOPLE.slice(0, 0)])
