import pytest

from tests.unit.flight.client import Client
from tests.unit.flight.tiny_engine import TinyEngine
from thanosql_server.config import Config
from thanosql_server.flight.server import FlightSqlServer


@pytest.fixture
def engine():
    return TinyEngine()


@pytest.fixture
def server(engine, tmp_path):
    with FlightSqlServer(engine, Config(tmp_path)) as server:
        yield server


@pytest.fixture
def client(server):
    with Client(server.location) as client:
        yield client
