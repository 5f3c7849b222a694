"""The public ADBC driver for Flight SQL, written in Go, against a real server."""

from __future__ import annotations

import shutil
import threading

import adbc_driver_manager
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions, dbapi

import thanosql
from tests.integration.servers import Servers, wait_until

QUERY = "tutorial_data/mnist_data/test/923.jpg"


@pytest.fixture(scope="module")
def adbc_workspace(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adbc") / "workspace"
    shutil.copytree(trained, folder)
    return folder


@pytest.fixture(scope="module")
def server(adbc_workspace, nursery, tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("logs"), nursery.fork)
    yield servers(adbc_workspace)
    servers.close()


@pytest.fixture
def connection(server):
    header = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {server.token}"}
    # Statements commit themselves, of which DB-API's default knows nothing.
    with dbapi.connect(server.location, header, autocommit=True) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


def rows(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def test_a_query_gives_rows_and_arrow(cursor):
    cursor.execute("SELECT label, filename FROM test ORDER BY label, filename LIMIT 2")
    assert [column[0] for column in cursor.description] == ["label", "filename"]
    assert cursor.fetchall() == [(0, "1000.jpg"), (0, "1010.jpg")]
    cursor.execute("SELECT label FROM test")
    assert cursor.fetch_arrow_table().schema == pa.schema([("label", pa.int64())])


def test_parameters_are_bound(cursor):
    cursor.execute("SELECT filename, ? FROM test WHERE label = ? LIMIT ?", ("x", 8, 1))
    assert cursor.fetchall() == [("923.jpg", "x")]


def test_rows_are_inserted_one_and_many(cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a, 'one' AS b")
    cursor.execute("INSERT INTO t VALUES (?, ?)", (2, "two"))
    assert cursor.rowcount == 1
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(3, "x"), (4, None)])
    cursor.execute("SELECT * FROM t ORDER BY a")
    assert cursor.fetchall() == [(1, "one"), (2, "two"), (3, "x"), (4, None)]
    cursor.execute("DROP TABLE t")


def test_the_tutorial_runs_through_execute(cursor):
    cursor.execute(
        "COPY mnist OPTIONS (overwrite=True) "
        "FROM 'tutorial_data/mnist_data/mnist_test.csv'"
    )
    cursor.execute("SELECT count(*) FROM mnist")
    assert cursor.fetchone() == (30,)
    cursor.execute(
        "BUILD MODEL n USING SimCLR OPTIONS (max_epochs=1, image_size=16) AS "
        "SELECT * FROM mnist"
    )
    cursor.execute("LIST MODEL")
    assert [row[:2] for row in cursor.fetchall()] == [("m", "SimCLR"), ("n", "SimCLR")]
    cursor.execute(
        "CONVERT USING n OPTIONS (table_name='mnist') AS SELECT * FROM mnist"
    )
    converted = cursor.fetch_arrow_table()
    assert converted.schema.names[-1] == "n_simclr"
    assert converted.column("n_simclr").null_count == 0
    cursor.execute(
        "SELECT filename FROM (SEARCH IMAGE images=? USING n AS SELECT * FROM mnist) "
        "ORDER BY n_simclr_similarity1 DESC LIMIT 1",
        (QUERY,),
    )
    assert cursor.fetchall() == [("923.jpg",)]
    cursor.execute("DELETE MODEL n")
    cursor.execute("DROP TABLE mnist")


WRONG = [
    (
        "SELECT nothing FROM test",
        dbapi.ProgrammingError,
        "there is no column 'nothing'; there are image_path, filename, label "
        "(line 1, column 8)",
    ),
    ("SELECT * FROM tset", dbapi.ProgrammingError, "did you mean 'test'?"),
    ("SELEC 1", dbapi.ProgrammingError, "expected a statement, found 'SELEC'"),
    ("COPY t FROM 'no.csv'", dbapi.ProgrammingError, "there is no file 'no.csv'"),
    (
        "COPY t FROM '../../etc/passwd'",
        dbapi.ProgrammingError,
        "'../../etc/passwd' is outside the folders this server may read",
    ),
    ("CREATE TABLE test AS SELECT 1", dbapi.ProgrammingError, "'test' already exists"),
    (
        "CONVERT USING nobody AS SELECT * FROM test",
        dbapi.ProgrammingError,
        "there is no model 'nobody'",
    ),
    ("DELETE FROM test LIMIT 1", dbapi.NotSupportedError, "LIMIT is not supported"),
]


@pytest.mark.parametrize(("sql", "kind", "sentence"), WRONG)
def test_errors_are_sentences(sql, kind, sentence, cursor, adbc_workspace):
    with pytest.raises(kind) as caught:
        cursor.execute(sql)
    text = str(caught.value)
    assert sentence in text
    assert "Traceback" not in text
    assert 'File "' not in text
    assert str(adbc_workspace) not in text
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]


def test_an_error_in_the_middle_of_a_result_is_a_sentence(cursor):
    with pytest.raises(adbc_driver_manager.Error) as caught:
        rows(cursor, "SELECT CAST(filename AS INT) FROM test")
    assert "Cannot cast string '1000.jpg'" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_tables_and_columns_are_listed(connection):
    [catalog] = [
        catalog
        for catalog in connection.adbc_get_objects(depth="columns")
        .read_all()
        .to_pylist()
        if catalog["catalog_name"] == "thanosql"
    ]
    [schema] = [
        schema
        for schema in catalog["catalog_db_schemas"]
        if schema["db_schema_name"] == "public"
    ]
    tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
    assert {"test", "train"} <= set(tables)
    columns = [column["column_name"] for column in tables["train"]["table_columns"]]
    assert columns == ["image_path", "filename", "label"]


def test_the_schema_of_a_table_is_known_without_reading_it(connection):
    schema = connection.adbc_get_table_schema("train")
    assert schema.names == ["image_path", "filename", "label"]
    assert schema.field("label").type == pa.int64()


def test_the_server_tells_who_it_is(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "ThanoSQL"


def test_a_wrong_token_is_refused(server):
    header = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer wrong"}
    with (
        pytest.raises(adbc_driver_manager.Error, match="is not the one of this server"),
        dbapi.connect(server.location, header, autocommit=True) as connection,
    ):
        connection.adbc_get_table_types()


def test_a_cancelled_training_leaves_no_model(connection, server, adbc_workspace):
    trash = adbc_workspace / ".thanosql" / "trash"

    def staged():
        return [path for folder in trash.iterdir() for path in folder.glob("*")]

    def cancel():
        wait_until(staged, "the training to begin")
        cursor.adbc_cancel()

    with connection.cursor() as cursor:
        other = threading.Thread(target=cancel)
        other.start()
        with pytest.raises(adbc_driver_manager.Error) as caught:
            rows(
                cursor,
                "BUILD MODEL endless USING SimCLR OPTIONS (max_epochs=1000000, "
                "image_size=16) AS SELECT * FROM train",
            )
        other.join()
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.CANCELLED
    wait_until(lambda: not staged(), "the training to end")
    with (
        thanosql.connect(server.location, token=server.token) as own,
        own.cursor() as watching,
    ):
        names = [row[0] for row in watching.execute("LIST MODEL").fetchall()]
    assert names == ["m"]
