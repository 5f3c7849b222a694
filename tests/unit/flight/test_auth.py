import base64
import stat

import pyarrow.flight as fl
import pytest

from tests.unit.flight.client import Client
from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto.flight import GetSessionOptionsRequest, GetSessionOptionsResult
from thanosql_server.config import Config
from thanosql_server.errors import Unauthenticated
from thanosql_server.flight.auth import presented
from thanosql_server.flight.bearers import PREFIX
from thanosql_server.flight.gate import Credentials, Gate
from thanosql_server.flight.server import FlightSqlServer

TOKEN = "s3cret:with/odd+signs="


@pytest.fixture
def guarded(engine, tmp_path):
    with FlightSqlServer(engine, Config(tmp_path, token=TOKEN)) as server:
        yield server


def basic(pair, *, padded=True):
    text = base64.b64encode(pair.encode()).decode()
    return {"authorization": ["Basic " + (text if padded else text.rstrip("="))]}


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("user", ["", "ada", "someone"])
def test_basic_credentials_carry_the_token_as_password(user, padded):
    headers = basic(f"{user}:{TOKEN}", padded=padded)
    assert presented(headers) == Credentials(None, user, TOKEN)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_carries_the_token(scheme):
    headers = {"authorization": [f"{scheme} {TOKEN}"]}
    assert presented(headers) == Credentials(TOKEN.encode())


def test_call_without_a_header_presents_nothing():
    assert not presented({"user-agent": ["x"]}).given


@pytest.mark.parametrize("value", ["Basic !!!", "Basic a", "Digest x", "", "token"])
def test_malformed_header_is_refused(value):
    with pytest.raises(Unauthenticated):
        presented({"authorization": [value]})


@pytest.mark.parametrize("secret", [None, b"", b"s3cret", TOKEN.encode() + b"x"])
def test_gate_keeps_others_out(secret, tmp_path):
    with pytest.raises(Unauthenticated):
        Gate(Config(tmp_path, token=TOKEN)).admit(Credentials(secret))


def test_open_gate_lets_everybody_in(tmp_path):
    gate = Gate(Config(tmp_path))
    for credentials in (Credentials(), Credentials(b"anything")):
        caller, renewed = gate.admit(credentials)
        assert (caller.user, renewed) == ("anybody", None)


def test_bearer_token_opens_the_server(guarded):
    with Client(guarded.location, TOKEN) as client:
        assert client.query("SELECT * FROM people") == PEOPLE


@pytest.mark.parametrize("token", [None, "wrong", "thqs.forged.token"])
def test_every_call_needs_the_token(guarded, engine, token):
    with Client(guarded.location, token) as client:
        for call in (
            lambda: client.query("SELECT * FROM people"),
            lambda: client.execute("SELECT * FROM people"),
            lambda: list(client.flight.list_actions(client.options)),
            lambda: list(client.flight.list_flights(options=client.options)),
        ):
            error, _ = client.failure(call)
            assert isinstance(error, fl.FlightUnauthenticatedError)
            assert "token" in str(error)
            assert "Traceback" not in str(error)
    assert engine.planned == []


def test_handshake_answers_with_a_signed_token_of_a_session(guarded):
    with fl.connect(guarded.location) as flight:
        header, first = flight.authenticate_basic_token("ada", TOKEN)
        _, second = flight.authenticate_basic_token("ada", TOKEN)
    assert header == b"authorization"
    assert first.startswith(b"Bearer " + PREFIX)
    assert first != second
    assert TOKEN.encode() not in first
    with Client(guarded.location, first.decode().removeprefix("Bearer ")) as client:
        assert client.query("SELECT * FROM people") == PEOPLE


def test_a_signed_token_opens_every_server_of_the_workspace(guarded, engine, tmp_path):
    with fl.connect(guarded.location) as flight:
        _, header = flight.authenticate_basic_token("ada", TOKEN)
    token = header.decode().removeprefix("Bearer ")
    with (
        FlightSqlServer(engine, Config(tmp_path, token=TOKEN)) as other,
        Client(other.location, token) as client,
    ):
        assert client.query("SELECT * FROM people") == PEOPLE
    elsewhere = Config(tmp_path / "elsewhere", token=TOKEN)
    with (
        FlightSqlServer(engine, elsewhere) as other,
        Client(other.location, token) as client,
    ):
        error, _ = client.failure(lambda: client.query("SELECT * FROM people"))
    assert "was not signed by a server of this workspace" in str(error)
    key = tmp_path / ".thanosql" / "signing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_handshake_with_a_wrong_password_fails(guarded):
    wrong = pytest.raises(fl.FlightUnauthenticatedError, match="not the one")
    with fl.connect(guarded.location) as flight, wrong:
        flight.authenticate_basic_token("ada", "wrong")


class PayloadHandshake(fl.ClientAuthHandler):
    """The older form: credentials in the payload, the token in every later call."""

    def __init__(self, payload):
        super().__init__()
        self.payload = payload
        self.token = b""

    def authenticate(self, outgoing, incoming):
        outgoing.write(self.payload)
        self.token = incoming.read()

    def get_token(self):
        return self.token


def test_payload_handshake_gives_the_token_too(guarded):
    with fl.connect(guarded.location) as flight:
        payload = fl.BasicAuth("ada", TOKEN).serialize()
        flight.authenticate(PayloadHandshake(payload))
        assert len(list(flight.list_actions())) > 5


@pytest.mark.parametrize(
    "payload", [fl.BasicAuth("ada", "wrong").serialize(), b"\xff\xff"]
)
def test_payload_handshake_with_wrong_credentials_fails(guarded, payload):
    with fl.connect(guarded.location) as flight:
        with pytest.raises(fl.FlightUnauthenticatedError) as raised:
            flight.authenticate(PayloadHandshake(payload))
        assert "Traceback" not in str(raised.value)


def test_server_without_a_token_answers_the_handshake(server):
    with fl.connect(server.location) as flight:
        header, _ = flight.authenticate_basic_token("ada", "anything")
        assert header == b"authorization"


@pytest.mark.parametrize("session", ["short", "with space", "x" * 65, "a;b=c;d=e"])
def test_a_malformed_session_is_refused(server, session):
    options = fl.FlightCallOptions(headers=[(b"x-thanosql-session", session.encode())])
    refused = pytest.raises(fl.FlightUnauthenticatedError, match="must be 8 to 64")
    with fl.connect(server.location) as flight, refused:
        list(flight.list_actions(options))


def test_every_client_that_is_let_in_has_the_same_defaults(guarded):
    with Client(guarded.location, TOKEN) as client:
        found = client.act(
            "GetSessionOptions", GetSessionOptionsRequest(), GetSessionOptionsResult
        )
    assert found.session_options["catalog"].string_value == "thanosql"
    assert found.session_options["statement_timeout"].double_value == 0
