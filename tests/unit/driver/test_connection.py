import gc
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import warnings

import pytest

import thanosql
from tests.unit.driver.tiny_server import TOKEN, TinyServer


@pytest.fixture
def guarded():
    server = TinyServer(needs_token=True)
    yield server
    server.shutdown()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def works(connection):
    with connection, connection.cursor() as cursor:
        return cursor.execute("NUMBERS: 1").fetchall() == [(0, "#0")]


def test_a_token_travels_with_every_call(guarded):
    assert works(thanosql.connect(guarded.url, token=TOKEN))


def test_user_and_password_are_exchanged_in_a_handshake(guarded):
    assert works(thanosql.connect(guarded.url, user="me", password=TOKEN))


def test_the_url_may_hold_user_and_token(guarded):
    assert works(thanosql.connect(f"thanosql://me:{TOKEN}@127.0.0.1:{guarded.port}/"))


def test_the_environment_may_hold_url_and_token(guarded, monkeypatch):
    monkeypatch.setenv("THANOSQL_URL", guarded.url)
    monkeypatch.setenv("THANOSQL_TOKEN", TOKEN)
    assert works(thanosql.connect())


@pytest.mark.parametrize(
    "credentials", [{}, {"token": "wrong"}, {"user": "me", "password": "wrong"}]
)
def test_a_wrong_token_is_refused_by_connect(guarded, credentials, monkeypatch):
    monkeypatch.delenv("THANOSQL_TOKEN", raising=False)
    with pytest.raises(thanosql.OperationalError, match="missing or wrong") as caught:
        thanosql.connect(guarded.url, **credentials)
    assert caught.value.sqlstate == "28000"


def test_nobody_at_the_address_is_said_by_connect():
    url = f"grpc://127.0.0.1:{free_port()}"
    with pytest.raises(thanosql.OperationalError) as caught:
        thanosql.connect(url)
    assert str(caught.value) == (
        f"no server answers at {url} (Connection refused); is it running? "
        "thanosql serve --workspace DIR starts one"
    )
    assert caught.value.sqlstate == "08001"


def test_a_server_that_goes_away_is_named():
    server = TinyServer()
    with thanosql.connect(server.url) as connection, connection.cursor() as cursor:
        server.shutdown()
        with pytest.raises(thanosql.OperationalError, match=f"at {server.url} went"):
            cursor.execute("NUMBERS: 1")


def test_a_statement_ends_at_its_timeout(server):
    with thanosql.connect(server.url, timeout=0.2) as connection:
        cursor = connection.cursor()
        with pytest.raises(thanosql.OperationalError, match="within the timeout"):
            cursor.execute("ENDLESS")
    assert server.stopped.wait(10)


def test_an_unknown_argument_is_named_with_the_nearest(server):
    with pytest.raises(thanosql.InterfaceError, match=r"'tokn'; did you mean 'token'"):
        thanosql.connect(server.url, tokn="x")


def test_a_closed_connection_refuses_everything(connection):
    cursor = connection.cursor()
    connection.close()
    for use in (
        connection.cursor,
        connection.commit,
        connection.rollback,
        connection.close,
        lambda: connection.cancel("id"),
    ):
        with pytest.raises(thanosql.InterfaceError, match="connection is closed"):
            use()
    with pytest.raises(thanosql.InterfaceError, match="is closed"):
        cursor.execute("NUMBERS: 1")


def test_every_statement_commits_itself(connection):
    assert connection.autocommit
    connection.commit()
    connection.rollback()


def test_the_exceptions_are_attributes_of_the_connection(connection):
    for name in ("Warning", "Error", "DataError", "ProgrammingError"):
        assert getattr(connection, name) is getattr(thanosql, name)


def test_a_statement_is_cancelled_by_its_id_from_another_connection(server, cursor):
    cursor.execute("NUMBERS: 1")
    with thanosql.connect(server.url) as other:
        assert other.cancel(cursor.query_id)
    assert server.cancelled_ids == [cursor.query_id]


def test_a_handshake_with_nobody_says_that_no_server_answers():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(thanosql.OperationalError, match="no server answers at"):
        thanosql.connect(f"thanosql://user:token@127.0.0.1:{port}", connect_timeout=2)


# ---- Threads, processes, forgetting ------------------------------------------


def test_threads_may_share_a_connection(connection):
    """Each thread has its cursor, and gets its own rows and its own errors."""
    wrong, barrier = [], threading.Barrier(8)

    def work(number):
        barrier.wait()
        for turn in range(25):
            with connection.cursor() as cursor:
                value = number * 1000 + turn
                if cursor.execute("ECHO", [value]).fetchall() != [(value,)]:
                    wrong.append(value)
                try:
                    cursor.execute(f"FAIL: {('syntax', 'table')[number % 2]}")
                except thanosql.ProgrammingError as error:
                    if error.sqlstate != ("42601", "42P01")[number % 2]:
                        wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []


def test_a_connection_may_be_closed_while_threads_use_it(connection):
    ended = []

    def work():
        try:
            while True:
                connection.cursor().execute("NUMBERS: 3").fetchall()
        except thanosql.Error as error:
            ended.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    connection.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(ended) == 4


def test_connections_and_cursors_cannot_be_pickled(connection, cursor):
    with pytest.raises(TypeError, match="connect again where it is needed"):
        pickle.dumps(connection)
    with pytest.raises(TypeError, match="fetch its rows and pickle them"):
        pickle.dumps(cursor)


def test_a_forgotten_connection_warns(server):
    def forget():
        thanosql.connect(server.url).cursor().execute("NUMBERS: 1")
        gc.collect()

    with pytest.warns(ResourceWarning, match=f"unclosed connection to {server.url}"):
        forget()


def test_a_closed_connection_does_not_warn(server):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connection = thanosql.connect(server.url)
        connection.close()
        del connection
        gc.collect()


def test_a_connection_that_was_never_made_does_not_warn():
    with pytest.raises(thanosql.OperationalError):
        thanosql.connect(f"grpc://127.0.0.1:{free_port()}")
    gc.collect()  # warnings are errors in this suite


def test_the_end_of_the_program_does_not_warn(server):
    script = (
        "import sys, thanosql; c = thanosql.connect(sys.argv[1]); "
        "k = c.cursor(); k.execute('NUMBERS: 7'); k.fetchone()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""


FORK = """
import os, sys, thanosql
connection = thanosql.connect(sys.argv[1])
cursor = connection.cursor()
cursor.execute("ENDLESS ROWS").fetchone()
child = os.fork()
if not child:
    for use in (connection.cursor, cursor.fetchone, lambda: cursor.execute("NUMBERS")):
        try:
            use()
        except thanosql.InterfaceError as error:
            print(error)
    try:
        thanosql.connect(sys.argv[1])
    except thanosql.InterfaceError as error:
        print(error)
    cursor.close()
    connection.close()
    sys.exit(7)
_, status = os.waitpid(child, 0)
other = connection.cursor()
print(os.waitstatus_to_exitcode(status), other.execute("NUMBERS: 1").fetchall())
print(cursor.rownumber)
connection.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_is_told_to_connect_again(server):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *refused, again, parent, rows = done.stdout.splitlines()
    assert "forked from one that had connected, where no connection can" in again
    assert (
        refused
        == [
            "the connection was made before this process was forked; connect again in "
            "this one"
        ]
        * 3
    )
    # Nothing that the child did has reached the parent's statements.
    assert (parent, rows) == ("7 [(0, '#0')]", "1")


def test_a_connection_works_again_when_its_server_does():
    port = free_port()
    server = TinyServer(f"grpc://127.0.0.1:{port}")
    with thanosql.connect(server.url) as connection, connection.cursor() as cursor:
        server.shutdown()
        with pytest.raises(thanosql.OperationalError, match="works again when the"):
            cursor.execute("NUMBERS: 1")
        server = TinyServer(f"grpc://127.0.0.1:{port}")
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    rows = cursor.execute("NUMBERS: 1").fetchall()
                    break
                except thanosql.OperationalError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            assert rows == [(0, "#0")]
        finally:
            server.shutdown()


@pytest.mark.parametrize("vectors", ["arrays", 1, None])
def test_an_unknown_form_of_vectors_is_refused(server, vectors):
    with pytest.raises(thanosql.InterfaceError, match="'vectors' must be 'list' or"):
        thanosql.connect(server.url, vectors=vectors)
