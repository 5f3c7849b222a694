import pytest

import thanosql
from tests.unit.driver.tiny_server import Embedded, TinyServer


@pytest.fixture
def server():
    server = TinyServer()
    yield server
    server.shutdown()


@pytest.fixture
def installed_server(tmp_path, monkeypatch):
    """Install a distribution that registers the tiny server's entry points."""
    info = tmp_path / "site" / "tiny-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[thanosql.server]\n"
        "embedded = tests.unit.driver.tiny_server:Embedded\n"
        "serve = tests.unit.driver.tiny_server:serve\n"
        "demo = a_library_that_is_not_there:main\n"
    )
    # In front of the environment's own server: the first one found is used.
    monkeypatch.syspath_prepend(str(info.parent))
    Embedded.opened.clear()
    return Embedded.opened


@pytest.fixture
def connection(server):
    with thanosql.connect(server.url) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor
