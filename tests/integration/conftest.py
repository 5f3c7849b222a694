"""Servers and searchable tables for the integration tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import thanosql
import thanosql_server
from tests.integration.servers import Nursery, Servers, spawn
from thanosql_server.config import Config
from thanosql_server.engine.engine import Engine
from thanosql_server.flight.server import FlightSqlServer
from thanosql_server.scenes import held_out_scenes, write_scenes

DEMO_CLIP = Path(thanosql_server.__file__).parent / "demo_clip"
SCENES = 40


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts `thanosql serve` on a workspace."""
    servers = Servers(tmp_path, spawn)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def fork_server(tmp_path, nursery):
    """Return a function that starts a server without waiting for its imports."""
    servers = Servers(tmp_path, nursery.fork)
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def flight_server(tmp_path_factory):
    """A server in this process, on an empty workspace."""
    config = Config(tmp_path_factory.mktemp("flight") / "workspace")
    engine = Engine(config)
    with FlightSqlServer(engine, config) as server:
        yield server
    engine.close()


@pytest.fixture(scope="module")
def searchable_workspace(trained, tmp_path_factory):
    """A copy of `trained` in which the rows of `test` have embeddings, but for two.

    The table `many` holds them four times over, so that there are ties.
    """
    workspace = tmp_path_factory.mktemp("queries") / "workspace"
    shutil.copytree(trained, workspace)
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CONVERT USING m OPTIONS (table_name='test') AS SELECT * FROM test"
        )
        for path in ("NULL", "'nowhere.jpg'"):
            cursor.execute(
                f"INSERT INTO test (image_path, label) VALUES ({path}, {len(path)})"
            )
        cursor.execute(
            "CREATE TABLE many AS SELECT row_number() OVER () AS id, test.* FROM test "
            "CROSS JOIN (VALUES (1), (2), (3), (4)) AS v(n)"
        )
    return workspace


@pytest.fixture(scope="module")
def searchable_connection(searchable_workspace):
    with thanosql.connect(searchable_workspace) as connection:
        yield connection


@pytest.fixture
def rows(cursor):
    def fetch(sql, parameters=()):
        return cursor.execute(sql, parameters).fetchall()

    return fetch


@pytest.fixture
def table(cursor):
    def fetch(sql, parameters=()):
        return cursor.execute(sql, parameters).fetch_arrow_table()

    return fetch


@pytest.fixture(scope="module")
def scenes_folder(tmp_path_factory):
    """The workspace of `scenes`, before there is a table in it."""
    folder = tmp_path_factory.mktemp("scenes")
    shutil.copytree(DEMO_CLIP, folder / ".thanosql" / "models" / "demo_clip" / "v1")
    write_scenes(folder / "scenes", "scenes", "scenes", held_out_scenes(SCENES))
    picture = min((folder / "scenes").rglob("*.jpg"))
    shutil.copy(picture, folder / "scenes" / "1.jpg")  # as docs/sql has it
    return folder


@pytest.fixture(scope="module")
def scenes(scenes_folder):
    """A cursor on a workspace with `demo_clip` and a converted table of scenes."""
    folder = scenes_folder
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        (table,) = [f.name for f in (folder / "scenes").glob("*.csv")]
        cursor.execute(f"COPY scenes FROM 'scenes/{table}'")
        cursor.execute(
            "CONVERT USING demo_clip OPTIONS (table_name='scenes') "
            "AS SELECT * FROM scenes"
        )
        assert cursor.warnings == []
        yield cursor
