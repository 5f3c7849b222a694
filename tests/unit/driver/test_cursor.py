import threading

import pyarrow as pa
import pytest

import thanosql

WORDS = [(0, "#0"), (1, None), (2, "#2"), (3, "#3"), (4, "#4"), (5, "#5"), (6, "#6")]


def test_execute_returns_the_cursor_and_fetchall_all_rows(cursor):
    assert cursor.execute("NUMBERS: 7").fetchall() == WORDS


def test_one_statement_is_one_call(server, cursor):
    cursor.execute("NUMBERS: 7").fetchall()
    assert [request.query for request in server.executed] == ["NUMBERS: 7"]


def test_fetches_mix_across_batches(cursor):
    cursor.execute("NUMBERS: 7")
    assert cursor.fetchone() == WORDS[0]
    assert cursor.rownumber == 1
    assert cursor.fetchmany(4) == WORDS[1:5]
    assert cursor.fetchmany() == WORDS[5:6]
    assert list(cursor) == WORDS[6:]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []
    assert cursor.rownumber == 7


def test_arrow_fetches_hand_over_what_is_left(cursor):
    cursor.execute("NUMBERS: 7")
    cursor.fetchmany(2)
    table = cursor.fetch_arrow_table()
    assert table.column("n").to_pylist() == [2, 3, 4, 5, 6]
    assert cursor.fetch_arrow_table().num_rows == 0


def test_record_batches_are_read_one_at_a_time(cursor):
    cursor.execute("NUMBERS: 7")
    reader = cursor.fetch_record_batches()
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_next_batch().num_rows == 3
    assert cursor.rowcount == -1
    assert [batch.num_rows for batch in reader] == [3, 1]
    assert cursor.rowcount == 7


def test_a_failure_in_mid_stream_leaves_a_reader_as_a_database_error(cursor):
    reader = cursor.execute("FAIL LATER: data").fetch_record_batches()
    reader.read_next_batch()
    with pytest.raises(thanosql.DataError, match="line 7"):
        reader.read_next_batch()


def test_an_empty_result_has_a_description_and_no_rows(cursor):
    cursor.execute("NUMBERS: 0")
    assert [column[0] for column in cursor.description] == ["n", "word"]
    assert cursor.fetchall() == []
    assert cursor.rowcount == 0


def test_description_holds_seven_entries_per_column(cursor):
    cursor.execute("NUMBERS: 1")
    assert cursor.description == [
        ("n", "BIGINT", None, None, None, None, False),
        ("word", "VARCHAR", None, None, None, None, True),
    ]
    assert cursor.description[0][1] == thanosql.NUMBER
    assert cursor.description[1][1] == thanosql.STRING


def test_rowcount_is_unknown_until_all_rows_are_there(cursor):
    cursor.execute("NUMBERS: 7")
    assert cursor.rowcount == -1
    cursor.fetchall()
    assert cursor.rowcount == 7


def test_a_statement_without_rows_has_a_count_and_no_description(cursor):
    cursor.execute("INSERT")
    assert cursor.description is None
    assert cursor.rowcount == 1
    with pytest.raises(thanosql.ProgrammingError, match="no result set"):
        cursor.fetchone()


def test_executemany_sends_all_sets_at_once(server, cursor):
    cursor.executemany("INSERT", [(1, "a"), (2, "b"), (3, None)])
    assert cursor.rowcount == 3
    assert len(server.executed) == 1


def test_executemany_without_sets_does_nothing(server, cursor):
    assert cursor.executemany("INSERT", []).rowcount == 0
    assert server.executed == []


def test_executemany_without_parameters_is_refused(cursor):
    with pytest.raises(thanosql.ProgrammingError, match="needs parameters"):
        cursor.executemany("INSERT", [(), ()])


def test_progress_is_called_with_how_far_the_statement_is(cursor):
    seen = []
    cursor.execute("TRAIN", progress=seen.append)
    assert seen[-1] == thanosql.Progress("training", 2, 2, 0.5, "loss 2")
    assert [progress.fraction for progress in seen] == [0.5, 1.0]


def test_progress_may_be_set_on_the_cursor(cursor):
    seen = []
    cursor.progress = seen.append
    cursor.execute("TRAIN")
    assert len(seen) == 2


def test_an_error_in_the_progress_callback_stops_the_statement(server, cursor):
    def fail(progress):
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        cursor.execute("ENDLESS", progress=fail)
    assert server.stopped.wait(10)


def test_warnings_of_the_statement_are_kept_until_the_next_one(cursor):
    cursor.execute("WARN")
    assert cursor.warnings == ["1 picture is bad"]
    assert cursor.notes == ["kept 2"]
    [(kind, warning)] = cursor.messages
    assert kind is thanosql.Warning
    assert str(warning) == "1 picture is bad"
    cursor.execute("NUMBERS: 1")
    assert cursor.warnings == []
    assert cursor.notes == []
    assert cursor.messages == []


def test_cancel_from_another_thread_stops_a_running_statement(server, cursor):
    cursor.progress = lambda progress: threading.Thread(target=cursor.cancel).start()
    with pytest.raises(thanosql.OperationalError, match="was cancelled") as caught:
        cursor.execute("ENDLESS")
    assert caught.value.sqlstate == "57014"
    assert server.stopped.wait(10)


def test_cancel_reaches_a_statement_that_is_still_planned(server, cursor):
    errors = []

    def run():
        with pytest.raises(thanosql.OperationalError) as caught:
            cursor.execute("PLANNING")
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    while not server.executed:
        thread.join(0.01)
    cursor.cancel()
    thread.join(10)
    assert [error.sqlstate for error in errors] == ["57014"]
    assert server.cancelled_ids == [server.executed[0].statement_id]


def test_cancel_without_a_statement_does_nothing(cursor):
    cursor.cancel()
    cursor.execute("NUMBERS: 1").fetchall()
    cursor.cancel()


@pytest.mark.parametrize(
    "leave",
    [
        lambda cursor: cursor.close(),
        lambda cursor: cursor.connection.close(),
        lambda cursor: cursor.execute("INSERT"),
    ],
    ids=["close", "close the connection", "execute"],
)
def test_leaving_a_result_stops_its_statement(server, cursor, leave):
    cursor.execute("ENDLESS ROWS")
    assert cursor.fetchone() == (1, "a")
    leave(cursor)
    assert server.stopped.wait(10)


def test_a_forgotten_cursor_stops_its_statement(server, connection):
    connection.cursor().execute("ENDLESS ROWS")
    assert server.stopped.wait(10)


def test_a_closed_cursor_refuses_and_closes_again(cursor):
    cursor.close()
    cursor.close()
    with pytest.raises(thanosql.InterfaceError, match="cursor is closed"):
        cursor.execute("NUMBERS: 1")
    with pytest.raises(thanosql.InterfaceError, match="cursor is closed"):
        cursor.fetchone()


def test_a_failed_statement_leaves_a_usable_cursor(cursor):
    with pytest.raises(thanosql.ProgrammingError):
        cursor.execute("FAIL: syntax")
    assert cursor.description is None
    assert cursor.execute("NUMBERS: 1").fetchall() == WORDS[:1]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("callproc", ("p",)), ("nextset", ()), ("scroll", (1,))],
)
def test_what_is_not_there_says_so(cursor, name, arguments):
    with pytest.raises(thanosql.NotSupportedError):
        getattr(cursor, name)(*arguments)


def test_sizes_are_accepted_and_ignored(cursor):
    cursor.setinputsizes([10])
    cursor.setoutputsize(1000, 0)
    assert cursor.execute("NUMBERS: 1").fetchone() == WORDS[0]


def test_a_statement_must_be_text(cursor):
    with pytest.raises(thanosql.ProgrammingError, match="must be text, not bytes"):
        cursor.execute(b"NUMBERS: 1")


def test_fetch_df_gives_a_data_frame(cursor):
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = cursor.execute("NUMBERS: 4").fetch_df()
    assert list(frame["n"]) == [0, 1, 2, 3]


def test_a_missing_library_is_named(cursor, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    cursor.execute("NUMBERS: 1")
    with pytest.raises(thanosql.InterfaceError, match="pip install polars"):
        cursor.fetch_polars()


def test_the_query_id_is_known_before_anything_runs(server, connection):
    cursor, other = connection.cursor(), connection.cursor()
    known = cursor.query_id
    assert known != other.query_id
    cursor.execute("NUMBERS: 1")
    cursor.execute("INSERT")
    assert [request.statement_id for request in server.executed] == [known, known]
    assert cursor.query_id == known


def test_a_negative_number_of_rows_is_refused(cursor):
    cursor.execute("NUMBERS: 3")
    assert cursor.fetchmany(0) == []
    with pytest.raises(thanosql.ProgrammingError, match="below 0: -1"):
        cursor.fetchmany(-1)
    assert cursor.fetchall() == WORDS[:3]
