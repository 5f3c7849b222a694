import shutil
import subprocess
from functools import partial
from itertools import product

import pyarrow as pa
import pyarrow.flight as fl
import pytest

from tests.unit.flight.client import Client
from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto import flight_sql as fsql
from thanosql_proto import thanosql as own
from thanosql_proto.any import pack
from thanosql_proto.flight import (
    CloseSessionRequest,
    CloseSessionResult,
    GetSessionOptionsRequest,
    GetSessionOptionsResult,
    SessionOptionValue,
    SetSessionOptionsRequest,
    SetSessionOptionsResult,
)
from thanosql_server.config import Config
from thanosql_server.errors import InvalidValue
from thanosql_server.flight.server import (
    ACTIONS,
    DESCRIBE,
    DO_GET,
    DO_PUT,
    FlightSqlServer,
)
from thanosql_server.settings import SETTINGS


def test_every_command_of_flight_sql_is_served_or_refused_by_name(client):
    served = {*DESCRIBE, *DO_PUT}
    commands = [c for n, c in vars(fsql).items() if n.startswith("Command")]
    assert len(commands) > 12
    refused = set(commands) - served
    for call, command in product((client.info, client.put), refused):
        error, trailers = client.failure(partial(call, command()))
        assert isinstance(error, NotImplementedError)
        assert "not supported" in str(error)
        assert trailers["x-thanosql-sqlstate"] == ["0A000"]


def test_every_describable_command_has_its_other_half(client):
    for command in DESCRIBE:
        if command not in DO_GET:
            assert command in (
                fsql.CommandStatementQuery,
                fsql.CommandPreparedStatementQuery,
            )


def test_location_has_the_port_that_was_chosen(server):
    assert server.port > 0
    assert server.location == f"grpc://127.0.0.1:{server.port}"


def test_unix_socket_is_a_location_too(engine, tmp_path):
    location = f"grpc+unix://{tmp_path}/socket"
    with FlightSqlServer(engine, Config(tmp_path, location=location)) as server:
        assert server.location == location
        with fl.connect(server.location) as flight:
            assert len(list(flight.list_actions())) == len(ACTIONS)


def test_place_that_cannot_be_listened_at_is_named(engine, tmp_path):
    config = Config(tmp_path, location=f"grpc+unix://{tmp_path}/no/folder/socket")
    with pytest.raises(InvalidValue, match="cannot listen at 'grpc"):
        FlightSqlServer(engine, config)


def test_actions_are_listed(client):
    listed = {action.type for action in client.flight.list_actions()}
    assert listed == set(ACTIONS)


def test_no_flights_are_listed(client):
    assert list(client.flight.list_flights()) == []


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\xff\xff", pack(own.CancelStatement())]
)
def test_junk_is_refused_everywhere(client, data):
    descriptor = fl.FlightDescriptor.for_command(data)
    for call in (
        lambda: client.flight.get_flight_info(descriptor),
        lambda: client.flight.get_schema(descriptor),
        lambda: client.get(data).read_all(),
        lambda: list(client.flight.do_action(fl.Action("CancelQuery", data))),
    ):
        error, trailers = client.failure(call)
        assert "Traceback" not in str(error)
        assert trailers["x-thanosql-sqlstate"][0] in ("22023", "0A000")


def test_path_is_not_a_command(client):
    descriptor = fl.FlightDescriptor.for_path("people")
    error, _ = client.failure(lambda: client.flight.get_flight_info(descriptor))
    assert "must hold a Flight SQL command, not a path" in str(error)


def test_unknown_action_is_refused(client):
    error, _ = client.failure(
        lambda: list(client.flight.do_action(fl.Action("Dance", b"")))
    )
    assert isinstance(error, NotImplementedError)
    assert "'Dance' is not supported here" in str(error)


def test_transactions_are_refused(client):
    request = fsql.ActionBeginTransactionRequest()
    error, _ = client.failure(lambda: client.act("BeginTransaction", request))
    assert "transactions are not supported; every statement commits" in str(error)


def test_exchange_is_refused(client):
    descriptor = fl.FlightDescriptor.for_command(b"")

    def exchange():
        writer, reader = client.flight.do_exchange(descriptor)
        with writer:
            writer.begin(pa.schema([]))
            writer.done_writing()
            reader.read_chunk()

    error, _ = client.failure(exchange)
    assert "DoExchange" in str(error)
    assert "Traceback" not in str(error)


def test_tls_with_a_certificate_of_ours(engine, tmp_path):
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ["-keyout", key, "-out", certificate]
    command = [openssl, *options.split(), names, *files]
    subprocess.run(command, check=True, capture_output=True)
    pair = certificate.read_bytes(), key.read_bytes()
    config = Config(tmp_path, location="grpc+tls://127.0.0.1:0", tls=pair)
    with FlightSqlServer(engine, config) as server:
        assert server.location.startswith("grpc+tls://127.0.0.1:")
        with Client(server.location, tls_root_certs=pair[0]) as client:
            assert client.query("SELECT * FROM people") == PEOPLE


# ---- Sessions


def set_options(client, **options):
    values = {
        name: SessionOptionValue(**({"string_value": value} if value else {}))
        for name, value in options.items()
    }
    request = SetSessionOptionsRequest(session_options=values)
    result = client.act("SetSessionOptions", request, SetSessionOptionsResult)
    return {name: error.value for name, error in result.errors.items()}


def test_session_options_tell_catalog_and_schema(client):
    result = client.act(
        "GetSessionOptions", GetSessionOptionsRequest(), GetSessionOptionsResult
    )
    told = {name: v.string_value for name, v in result.session_options.items()}
    assert (told.pop("catalog"), told.pop("schema")) == ("thanosql", "public")
    assert set(told) == set(SETTINGS)


def get_option(client, name):
    result = client.act(
        "GetSessionOptions", GetSessionOptionsRequest(), GetSessionOptionsResult
    )
    option = result.session_options[name]
    return getattr(option, option.WhichOneof("option_value"))


def test_settings_are_options_of_the_session(server, client):
    with (
        Client(server.location, session="session-of-mine") as one,
        Client(server.location, session="session-of-others") as other,
    ):
        assert set_options(one, statement_timeout="2min") == {}
        assert get_option(one, "statement_timeout") == 120
        assert get_option(other, "statement_timeout") == 0
        value = SessionOptionValue(int64_value=7)
        request = SetSessionOptionsRequest(session_options={"hnsw.ef_search": value})
        one.act("SetSessionOptions", request, SetSessionOptionsResult)
        assert get_option(one, "hnsw.ef_search") == 7
        assert set_options(one, **{"hnsw.ef_search": "many"}) == {
            "hnsw.ef_search": SetSessionOptionsResult.INVALID_VALUE
        }
        assert set_options(one, statement_timeout=None) == {}
        assert get_option(one, "statement_timeout") == 0
        one.act("CloseSession", CloseSessionRequest(), CloseSessionResult)
        assert get_option(one, "hnsw.ef_search") == 128


def test_a_client_without_a_session_keeps_no_settings(client):
    value = SessionOptionValue(string_value="30s")
    request = SetSessionOptionsRequest(session_options={"statement_timeout": value})
    error, trailers = client.failure(
        lambda: client.act("SetSessionOptions", request, SetSessionOptionsResult)
    )
    assert trailers["x-thanosql-sqlstate"] == ["0A000"]
    assert "has no session that could keep a setting" in str(error)


def test_a_handshake_opens_a_session(server):
    with Client(server.location) as client:
        _, header = client.flight.authenticate_basic_token("ada", "x")
    token = header.decode().removeprefix("Bearer ")
    with Client(server.location, token) as client:
        assert set_options(client, statement_timeout="30s") == {}
        assert get_option(client, "statement_timeout") == 30


def test_options_that_change_nothing_are_accepted(client):
    assert set_options(client, catalog="thanosql", schema="public") == {}
    assert set_options(client, catalog=None) == {}


def test_other_options_are_refused_each_by_name(client):
    assert set_options(client, catalog="other", colour="red", schema="public") == {
        "catalog": SetSessionOptionsResult.INVALID_VALUE,
        "colour": SetSessionOptionsResult.INVALID_NAME,
    }


def test_session_can_be_closed(client):
    result = client.act("CloseSession", CloseSessionRequest(), CloseSessionResult)
    assert result.status == CloseSessionResult.CLOSED
