import socket

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


def test_a_closed_connection_refuses_and_closes_again(connection):
    cursor = connection.cursor()
    connection.close()
    connection.close()
    for use in (connection.cursor, connection.commit, connection.rollback):
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
