"""Rows that the driver sends: `ingest` and `executemany`, whole or not at all."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pyarrow.flight as fl
import pytest

import thanosql
from tests.compat import round_trip
from tests.integration.servers import wait_until
from thanosql.upload import ingestion
from thanosql_proto.any import pack
from thanosql_proto.thanosql import Execute

ROWS = [{"n": 1, "word": "a"}, {"n": 2, "word": None}]
TABLE = pa.table({"n": [1, 2], "word": ["a", None]})


@pytest.fixture
def cursor(empty_cursor):
    return empty_cursor


@pytest.fixture
def stored(cursor):
    def read(table="t"):
        return cursor.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    return read


class Capsules:
    """What any library has that shares Arrow data."""

    def __init__(self, data):
        self._data = data


class Stream(Capsules):
    def __arrow_c_stream__(self, requested_schema=None):
        return self._data.__arrow_c_stream__(requested_schema)


class Array(Capsules):
    def __arrow_c_array__(self, requested_schema=None):
        return self._data.__arrow_c_array__(requested_schema)


def frame():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame(ROWS, index=["x", "y"])


def data_set():
    from pyarrow import dataset

    return dataset.dataset(TABLE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TABLE,
        lambda: TABLE.to_batches()[0],
        lambda: TABLE.to_reader(),
        lambda: Stream(TABLE),
        lambda: Array(TABLE.to_batches()[0]),
        data_set,
        lambda: data_set().scanner(),
        frame,
        lambda: TABLE.to_pydict(),
        lambda: ROWS,
        lambda: iter(ROWS),
        lambda: (TABLE.slice(n, 1) for n in range(2)),
        lambda: [pa.table({"n": [1], "word": ["a"]}), {"n": [2.0], "word": [None]}],
    ],
    ids=lambda make: make.__name__,
)
def test_whatever_holds_rows_can_be_ingested(cursor, stored, make):
    assert cursor.ingest("t", make()) == 2
    assert cursor.rowcount == 2
    assert cursor.description is None
    assert stored() == [(1, "a"), (2, None)]


def test_modes_say_what_happens_to_a_table_that_is_there_or_not(cursor, stored):
    with pytest.raises(thanosql.ProgrammingError, match="no table 't'"):
        cursor.ingest("t", ROWS, "append")
    cursor.ingest("t", ROWS, "create")
    with pytest.raises(thanosql.ProgrammingError, match="'t' already exists"):
        cursor.ingest("t", ROWS)
    cursor.ingest("t", ROWS, "append")
    assert len(stored()) == 4
    cursor.ingest("t", [{"other": 1}], "replace")
    assert stored() == [(1,)]
    cursor.ingest("t", [{"other": 2}], "create_append", schema="public")
    cursor.ingest("u", ROWS, "create_append")
    assert (len(stored()), len(stored("u"))) == (2, 2)
    with pytest.raises(thanosql.ProgrammingError, match="did you mean 'replace'"):
        cursor.ingest("t", ROWS, "replaced")


def test_a_table_name_is_a_name_and_not_sql(cursor, stored):
    cursor.ingest('odd "name"', ROWS)
    assert len(stored('"odd ""name"""')) == 2


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("abc", thanosql.ProgrammingError, "a str cannot be ingested; give a table"),
        (7, thanosql.ProgrammingError, "a int cannot be ingested"),
        ([], thanosql.ProgrammingError, "nothing to ingest, not even columns"),
        (pa.table({}), thanosql.ProgrammingError, "has no columns"),
        ([{"a": 1}, {"a": "x"}], thanosql.DataError, "cannot be ingested: "),
        ([{"a": object()}], thanosql.DataError, "cannot be ingested: "),
        ([TABLE, {"n": [1]}], thanosql.DataError, "a later piece has the columns n,"),
    ],
)
def test_data_that_cannot_be_ingested_is_refused(cursor, data, error, message):
    with pytest.raises(error, match=message):
        cursor.ingest("t", data)
    with pytest.raises(thanosql.ProgrammingError, match="no table 't'"):
        cursor.execute("SELECT * FROM t")


def test_a_later_row_may_not_have_a_column_of_its_own(cursor):
    rows = ({"n": n} if n < 15_000 else {"m": n} for n in range(20_000))
    with pytest.raises(thanosql.DataError, match="a later row has 'm', which none of"):
        cursor.ingest("t", rows)


def failing(rows, error):
    """Give some rows, and fail."""
    for number in range(rows):
        yield {"n": number, "word": None}
    raise error


@pytest.mark.parametrize(
    "error", [RuntimeError("from the source"), KeyboardInterrupt()]
)
def test_a_source_that_fails_leaves_nothing(cursor, stored, error):
    cursor.ingest("t", ROWS)
    with pytest.raises(type(error)):
        cursor.ingest("t", failing(25_000, error), "append")
    sets = (tuple(row.values()) for row in failing(25_000, error))
    with pytest.raises(type(error)):
        cursor.executemany("INSERT INTO t VALUES (?, ?)", sets)
    time.sleep(0.2)  # whatever the server still does
    assert len(stored()) == 2
    assert cursor.ingest("t", ROWS, "append") == 2


@pytest.mark.parametrize(
    "command",
    [
        ingestion("t", "append", None, "mine"),
        Execute(query="INSERT INTO t VALUES ($1, $2)", statement_id="mine"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_rows_without_their_announced_end_are_not_stored(cursor, stored, command):
    """As a program that ends by an exception of its own leaves them."""
    cursor.ingest("t", ROWS)
    transport = cursor.connection._transport
    options = transport._options(10)
    descriptor = fl.FlightDescriptor.for_command(pack(command))
    writer, answers = transport._client.do_put(descriptor, TABLE.schema, options)
    writer.write_table(TABLE)
    writer.done_writing()
    with pytest.raises(fl.FlightError, match="the client stopped before its last row"):
        answers.read() or writer.close()
    with pytest.raises(fl.FlightError):
        writer.close()
    assert len(stored()) == 2


def test_many_sets_from_an_iterator_are_one_commit(cursor, stored):
    cursor.ingest("t", ROWS)
    cursor.executemany(
        "INSERT INTO t VALUES (:n, :word)",
        ({"n": n, "word": str(n)} for n in range(3, 25_003)),
    )
    assert cursor.rowcount == 25_000
    assert stored()[-1] == (25_002, "25002")
    wrong = ((n if n < 24_000 else None, "x") for n in range(25_000))
    cursor.execute("CREATE TABLE whole (n INT NOT NULL, word TEXT)")
    with pytest.raises(thanosql.IntegrityError, match="column 'n' is NOT NULL"):
        cursor.executemany("INSERT INTO whole VALUES (?, ?)", wrong)
    assert stored("whole") == []


def test_many_large_sets_stream(cursor, stored):
    """A list of more than a message may hold goes the way of an iterator."""
    cursor.execute("CREATE TABLE big (n INT, word TEXT)")
    cursor.executemany(
        "INSERT INTO big VALUES (?, ?)", [(n, "x" * 1000) for n in range(6_000)]
    )
    assert cursor.rowcount == 6_000
    assert cursor.execute("SELECT sum(length(word)) FROM big").fetchall() == [
        (6_000_000,)
    ]


def test_rows_on_their_way_can_be_cancelled_from_another_thread(cursor, stored):
    cursor.ingest("t", ROWS)
    begun = threading.Event()

    def endless():
        while True:
            begun.set()
            yield TABLE
            time.sleep(0.001)

    def cancel():
        begun.wait(60)
        time.sleep(0.2)
        cursor.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(thanosql.OperationalError, match="cancelled") as caught:
        cursor.ingest("t", endless(), "append")
    assert caught.value.sqlstate == "57014"
    thread.join()
    assert len(stored()) == 2


def test_rows_on_their_way_can_be_cancelled_from_another_connection(
    cursor, stored, tmp_path
):
    cursor.ingest("t", ROWS)

    def endless():
        while True:
            yield TABLE
            time.sleep(0.001)

    def cancel():
        with thanosql.connect(tmp_path) as other:
            wait_until(lambda: other.cancel(cursor.query_id))

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(thanosql.OperationalError, match="cancelled"):
        cursor.ingest("t", endless(), "append")
    thread.join()
    assert len(stored()) == 2


def test_a_source_that_stalls_ends_at_the_timeout(cursor, stored, tmp_path):
    cursor.ingest("t", ROWS)

    def stalling():
        yield TABLE
        time.sleep(1.5)
        yield TABLE

    with thanosql.connect(tmp_path, timeout=0.5) as connection:
        other = connection.cursor()
        with pytest.raises(thanosql.OperationalError, match="within the timeout"):
            other.ingest("t", stalling(), "append")
    assert len(stored()) == 2


def test_progress_counts_the_rows_that_were_sent(cursor):
    seen = []

    def slow():
        for _ in range(4):
            yield TABLE
            time.sleep(0.1)

    cursor.ingest("t", slow(), progress=seen.append)
    assert seen
    assert {progress.phase for progress in seen} == {"sending"}
    assert 0 < seen[0].done <= 8


def test_every_type_goes_there_and_back(cursor):
    round_trip.check(cursor.connection)
