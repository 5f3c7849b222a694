import base64

import pyarrow.flight as fl
import pytest

from tests.unit.flight.client import Client
from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_server.config import Config
from thanosql_server.errors import Unauthenticated
from thanosql_server.flight.auth import Gate, presented_token
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
    assert presented_token(headers) == TOKEN.encode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_carries_the_token(scheme):
    headers = {"authorization": [f"{scheme} {TOKEN}"]}
    assert presented_token(headers) == TOKEN.encode()


def test_call_without_a_header_presents_nothing():
    assert presented_token({"user-agent": ["x"]}) is None


@pytest.mark.parametrize("value", ["Basic !!!", "Basic a", "Digest x", "", "token"])
def test_malformed_header_is_refused(value):
    with pytest.raises(Unauthenticated):
        presented_token({"authorization": [value]})


@pytest.mark.parametrize("presented", [None, b"", b"s3cret", TOKEN.encode() + b"x"])
def test_gate_keeps_others_out(presented):
    with pytest.raises(Unauthenticated):
        Gate(TOKEN).check(presented)


def test_open_gate_lets_everybody_in():
    Gate(None).check(None)
    Gate(None).check(b"anything")


def test_bearer_token_opens_the_server(guarded):
    with Client(guarded.location, TOKEN) as client:
        assert client.query("SELECT * FROM people") == PEOPLE


@pytest.mark.parametrize("token", [None, "wrong"])
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


def test_handshake_answers_with_the_bearer_header(guarded):
    with fl.connect(guarded.location) as flight:
        header, value = flight.authenticate_basic_token("ada", TOKEN)
    assert (header, value) == (b"authorization", f"Bearer {TOKEN}".encode())


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
