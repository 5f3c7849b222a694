"""Settings, timeouts, turns and running statements, with a real server and driver."""

from __future__ import annotations

import threading
import time

import adbc_driver_flightsql.dbapi
import pytest
from adbc_driver_flightsql import DatabaseOptions

import thanosql
from tests.integration.servers import wait_until

ENDLESS = (
    "SELECT count(*) FROM generate_series(1, 10000000) a "
    "JOIN generate_series(1, 10000000) b ON a.value + b.value > 100"
)


def fetch(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()


class InBackground:
    """Runs a statement that ends by being stopped, on a thread."""

    def __init__(self, connection, sql=ENDLESS):
        self.cursor = connection.cursor()
        self.sql = sql
        self.error = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self.cursor.execute(self.sql, progress=lambda _: self._begun.set())
        except thanosql.Error as error:
            self.error = error
        finally:
            self._begun.set()

    def wait_until_begun(self):
        assert self._begun.wait(60)
        assert self.error is None

    def join(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.error


@pytest.fixture
def server(fork_server, tmp_path):
    return fork_server(tmp_path / "workspace")


def test_what_is_set_holds_for_one_connection(server):
    with server.connect() as one, server.connect() as other:
        assert fetch(one, "SHOW statement_timeout") == [("0",)]
        one.cursor().execute("SET statement_timeout = '2min'")
        one.cursor().execute("SET hnsw.ef_search TO ?", [7])
        assert fetch(one, "SHOW statement_timeout") == [("120",)]
        assert fetch(other, "SHOW statement_timeout") == [("0",)]
        listed = (
            "SELECT name, value, default, unit FROM thanosql.settings ORDER BY name"
        )
        assert ("statement_timeout", "120", "0", "s") in fetch(one, listed)
        assert ("hnsw.ef_search", "7", "128", None) in fetch(one, listed)
        assert [row[:4] for row in fetch(one, "SHOW ALL")] == fetch(one, listed)
        one.cursor().execute("RESET statement_timeout")
        assert fetch(one, "SHOW statement_timeout") == [("0",)]
        one.cursor().execute("RESET ALL")
        assert fetch(one, "SHOW hnsw.ef_search") == [("128",)]
        one.cursor().execute("SET hnsw.ef_search = 9")
        one.cursor().execute("SET hnsw.ef_search = DEFAULT")
        assert fetch(one, "SHOW hnsw.ef_search") == [("128",)]
        assert fetch(one, "SHOW TABLES")
        assert fetch(one, "SHOW COLUMNS FROM thanosql.settings")


def test_an_unused_session_says_that_it_has_ended(fork_server, tmp_path):
    server = fork_server(tmp_path / "workspace", "--session-timeout", "1")
    with server.connect() as connection, server.connect() as other:
        connection.cursor().execute("SET statement_timeout = 60")
        time.sleep(1.2)
        assert fetch(other, "SELECT 1") == [(1,)]
        with pytest.raises(thanosql.OperationalError) as caught:
            fetch(connection, "SELECT 1")
        assert caught.value.sqlstate == "57P05"
        assert fetch(connection, "SHOW statement_timeout") == [("0",)]


def test_adbc_has_sessions_too(server):
    options = {"username": "me", "password": server.token}
    connect = adbc_driver_flightsql.dbapi.connect
    with (
        connect(server.location, db_kwargs=options, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET statement_timeout = 60")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchall() == [("60",)]
    header = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {server.token}"}
    with (
        connect(server.location, db_kwargs=header, autocommit=True) as connection,
        connection.cursor() as cursor,
        pytest.raises(Exception, match="has no session that could keep a setting"),
    ):
        cursor.execute("SET statement_timeout = 60")


# ---- Time


@pytest.mark.parametrize("how", ["session", "server"])
def test_a_statement_that_takes_too_long_is_stopped(how, fork_server, tmp_path):
    options = ["--statement-timeout", "0.5"] if how == "server" else []
    server = fork_server(tmp_path / "workspace", *options)
    with server.connect() as connection:
        seconds = (
            "'500ms'" if how == "session" else "3600"
        )  # a session cannot have more
        connection.cursor().execute(f"SET statement_timeout = {seconds}")
        for sql in (ENDLESS, f"CREATE TABLE t AS {ENDLESS}"):
            began = time.monotonic()
            with pytest.raises(thanosql.OperationalError) as caught:
                connection.cursor().execute(sql)
            assert caught.value.sqlstate == "57014"
            assert str(caught.value) == (
                "the statement took longer than the 0.5 s it may take "
                "(statement_timeout) and was stopped"
            )
            assert time.monotonic() - began < 30
        assert fetch(connection, "LIST TABLE") == []


# ---- Turns


def test_statements_wait_for_their_turn_and_a_full_line_says_so(fork_server, tmp_path):
    options = ["--max-statements", "1", "--max-queue", "1", "--queue-timeout", "60"]
    server = fork_server(tmp_path / "workspace", *options)
    with (
        server.connect() as one,
        server.connect() as two,
        server.connect() as three,
    ):
        running = InBackground(one)
        running.wait_until_begun()
        waiting = InBackground(two, "SELECT 1")
        wait_until(
            lambda: (
                sorted(
                    row[2]
                    for row in fetch(three, "SHOW STATEMENTS")
                    if row[2] in ("queued", "running") and "SHOW" not in row[-1]
                )
                == ["queued", "running"]
            ),
            "one statement to wait",
        )
        with pytest.raises(thanosql.OperationalError) as caught:
            fetch(three, "SELECT 1")
        assert caught.value.sqlstate == "53300"
        assert str(caught.value) == (
            "the server runs 1 statements, as many as it may, and 1 wait; "
            "try again later"
        )
        running.cursor.cancel()
        assert running.join().sqlstate == "57014"
        assert waiting.join() is None
        assert fetch(three, "SELECT 1") == [(1,)]


# ---- Running statements


@pytest.mark.parametrize("way", ["action", "statement", "parameter"])
def test_a_statement_is_seen_and_cancelled_from_another_connection(way, server):
    with server.connect() as one, server.connect() as other:
        running = InBackground(one)
        running.wait_until_begun()
        id = running.cursor.query_id
        seen = [row for row in fetch(other, "SHOW STATEMENTS") if row[0] == id]
        [(_, user, state, _, seconds, *_, text)] = seen
        assert (user, state, text) == ("admin", "running", ENDLESS)
        assert seconds > 0
        if way == "action":
            assert other.cancel(id)
        elif way == "statement":
            fetch_nothing(other, f"CANCEL STATEMENT '{id}'")
        else:
            fetch_nothing(other, "CANCEL STATEMENT ?", [id])
        error = running.join()
        assert error.sqlstate == "57014"
        assert str(error) == "the statement was cancelled"
        ended = "SELECT state FROM thanosql.statements WHERE id = ?"
        wait_until(lambda: fetch(other, ended, [id]) == [("cancelled",)])
        with pytest.raises(thanosql.ProgrammingError, match="no statement"):
            fetch_nothing(other, f"CANCEL STATEMENT '{id}'")


def test_ended_statements_tell_how_they_ended(server):
    wrong, right = "SELECT * FROM nowhere", "SELECT * FROM generate_series(1, 1000)"
    listed = "SELECT state, rows, message FROM thanosql.statements WHERE text = ?"
    with server.connect() as connection:
        assert fetch(connection, listed, [wrong]) == []
        with pytest.raises(thanosql.ProgrammingError):
            fetch(connection, wrong)
        fetch(connection, right)
        [(state, _, message)] = fetch(connection, listed, [wrong])
        assert state == "failed"
        assert "there is no table 'nowhere'" in message
        assert fetch(connection, listed, [right]) == [("finished", 1000, None)]


def fetch_nothing(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        assert cursor.execute(sql, parameters).description is None


# ---- Texts that are too much


@pytest.mark.parametrize("operator", ["||", " OR "])
def test_a_text_that_would_overflow_the_stack_leaves_the_server_alive(operator, server):
    with server.connect() as connection:
        with pytest.raises(thanosql.OperationalError) as caught:
            fetch(connection, "SELECT " + operator.join(["'a' = 'a'"] * 50_000))
        assert caught.value.sqlstate == "54001"
        assert fetch(connection, "SELECT 1") == [(1,)]
