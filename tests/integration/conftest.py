"""Servers and searchable tables for the integration tests."""

from __future__ import annotations

import shutil

import pytest

import thanosql
from tests.integration.servers import Nursery, Servers, spawn


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
