"""Declared keys as Flight SQL's commands list them, and tables listed by name."""

from __future__ import annotations

import pytest

from tests.unit.flight.client import Client
from thanosql_proto.flight_sql import (
    CommandGetCrossReference,
    CommandGetExportedKeys,
    CommandGetImportedKeys,
    CommandGetPrimaryKeys,
    CommandGetTables,
    CommandStatementUpdate,
)

TABLES = """
CREATE SCHEMA other;
CREATE TABLE artists (id BIGINT PRIMARY KEY, name TEXT);
CREATE TABLE other.works (
    artist BIGINT, number INT, title TEXT,
    CONSTRAINT works_key PRIMARY KEY (artist, number),
    CONSTRAINT works_artist FOREIGN KEY (artist) REFERENCES public.artists (id)
        ON DELETE CASCADE ON UPDATE SET NULL
);
CREATE TABLE prints (
    id BIGINT, by_artist BIGINT, of_work INT,
    CONSTRAINT prints_work FOREIGN KEY (by_artist, of_work)
        REFERENCES other.works (artist, number)
)
"""


@pytest.fixture(scope="module")
def client(flight_server):
    with Client(flight_server.location) as client:
        for statement in TABLES.split(";"):
            client.update(CommandStatementUpdate(query=statement))
        yield client


def rows(client, command):
    return [tuple(row.values()) for row in client.rows(command).to_pylist()]


def test_primary_keys_have_their_names_and_order(client):
    assert rows(client, CommandGetPrimaryKeys(table="works")) == [
        ("thanosql", "other", "works", "artist", "works_key", 1),
        ("thanosql", "other", "works", "number", "works_key", 2),
    ]
    assert rows(client, CommandGetPrimaryKeys(table="artists")) == [
        ("thanosql", "public", "artists", "id", "artists_pkey", 1)
    ]


@pytest.mark.parametrize("place", [{"db_schema": "public"}, {"catalog": ""}])
def test_keys_of_other_places_are_not_told(client, place):
    assert rows(client, CommandGetPrimaryKeys(table="works", **place)) == []
    assert rows(client, CommandGetImportedKeys(table="works", **place)) == []


ARTIST = (
    *("thanosql", "public", "artists", "id"),
    *("thanosql", "other", "works", "artist"),
    *(1, "works_artist", "artists_pkey", 2, 0),
)
WORK = [
    (
        *("thanosql", "other", "works", theirs),
        *("thanosql", "public", "prints", ours),
        *(place, "prints_work", "works_key", 3, 3),
    )
    for place, theirs, ours in ((1, "artist", "by_artist"), (2, "number", "of_work"))
]


def test_imported_keys_are_those_of_the_table(client):
    assert rows(client, CommandGetImportedKeys(table="works")) == [ARTIST]
    assert rows(client, CommandGetImportedKeys(table="prints")) == WORK
    assert rows(client, CommandGetImportedKeys(table="artists")) == []


def test_exported_keys_are_those_that_refer_to_the_table(client):
    assert rows(client, CommandGetExportedKeys(table="artists")) == [ARTIST]
    wanted = CommandGetExportedKeys(table="works", db_schema="other")
    assert rows(client, wanted) == WORK
    assert rows(client, CommandGetExportedKeys(table="prints")) == []
    wanted = CommandGetExportedKeys(table="artists", db_schema="other")
    assert rows(client, wanted) == []


def test_a_cross_reference_is_between_two_tables(client):
    wanted = CommandGetCrossReference(pk_table="works", fk_table="prints")
    assert rows(client, wanted) == WORK
    wanted = CommandGetCrossReference(pk_table="artists", fk_table="prints")
    assert rows(client, wanted) == []


def test_only_the_tables_that_are_asked_for_are_opened(
    client, flight_server, monkeypatch
):
    tables = flight_server._service.engine._environment.workspace.tables
    opened, plain = [], type(tables).open

    def open_(self, name):
        opened.append(name)
        return plain(self, name)

    monkeypatch.setattr(type(tables), "open", open_)
    wanted = CommandGetTables(table_name_filter_pattern="art%", include_schema=True)
    assert client.rows(wanted)["table_name"].to_pylist() == ["artists"]
    assert opened == ["artists"]
