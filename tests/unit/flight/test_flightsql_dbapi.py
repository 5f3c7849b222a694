"""The server as influxdata's flightsql-dbapi sees it."""

import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_server.config import Config
from thanosql_server.flight.server import FlightSqlServer

flightsql = pytest.importorskip("flightsql", reason="flightsql-dbapi is not installed")

TOKEN = "open-sesame"


@pytest.fixture
def peer(engine, tmp_path):
    with FlightSqlServer(engine, Config(tmp_path, token=TOKEN)) as server:
        client = flightsql.FlightSQLClient(
            host="127.0.0.1", port=server.port, insecure=True, token=TOKEN
        )
        yield client
        client.close()


def read(client, info):
    return client.do_get(info.endpoints[0].ticket).read_all()


def test_select(peer):
    assert read(peer, peer.execute("SELECT * FROM people")) == PEOPLE


def test_update(peer, engine):
    assert peer.execute_update("DROP TABLE people") == 3
    assert "people" not in engine.tables_by_name


def test_parameters_bound_as_dense_unions(peer):
    connection = flightsql.connect(peer)
    cursor = connection.cursor()
    cursor.execute("ECHO ??", (7, "x"))
    assert cursor.fetchall() == [[7, "x"]]


def test_metadata(peer):
    tables = read(peer, peer.get_tables(include_schema=True, table_types=["TABLE"]))
    assert tables["table_name"].to_pylist() == ["it's 100%", "people"]
    schemas = read(peer, peer.get_db_schemas())
    assert schemas["db_schema_name"].to_pylist() == ["information_schema", "public"]
    info = read(peer, peer.get_sql_info([0, 2, 3, 504]))
    assert info["value"].to_pylist()[0] == "ThanoSQL"
