"""ADBC's driver and data: parameters, ingestion, metadata, partitions, cancelling."""

from __future__ import annotations

import datetime
import threading
import time
from decimal import Decimal

import adbc_driver_manager
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.integration.servers import wait_until

PEOPLE = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["ada", None]})


@pytest.fixture(scope="module")
def connection(flight_server):
    with dbapi.connect(flight_server.location, autocommit=True) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def table(connection):
    """A table of two rows."""
    with connection.cursor() as cursor:
        cursor.adbc_ingest("people", PEOPLE, mode="replace")
        yield "people"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS people")


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


# ---- Parameters

VALUES = [
    True,
    -5,
    1 << 40,
    2.5,
    "text ☃",
    b"\x00bytes",
    Decimal("12.34"),
    datetime.date(2024, 2, 29),
    datetime.time(1, 2, 3, 4),
    datetime.datetime(1999, 12, 31, 23, 59, 59, 123456),
    datetime.datetime(1999, 12, 31, tzinfo=datetime.timezone.utc),
    None,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_go_there_and_back(cursor, value):
    cursor.execute("SELECT ? AS there", (value,))
    assert cursor.fetchall() == [(value,)]


def test_parameters_are_numbered_by_their_place(cursor):
    cursor.execute('SELECT \'?\' || ?, "?", ? FROM (SELECT 1 AS "?")', ("a", "b"))
    assert cursor.fetchall() == [("?a", 1, "b")]
    cursor.execute("SELECT $2 AS x, $1 AS y, $2 AS z", ("a", "b"))
    assert cursor.fetchall() == [("b", "a", "b")]


def test_types_of_parameters_are_inferred(cursor, table):
    schema = cursor.adbc_prepare("SELECT name FROM people WHERE id = ? AND name = ?")
    assert schema.types == [pa.int64(), pa.string()]
    schema = cursor.adbc_prepare("INSERT INTO people (name, id) VALUES (?, ?)")
    assert schema.types == [pa.string(), pa.int64()]
    schema = cursor.adbc_prepare("SELECT upper(?) FROM people LIMIT ?")
    assert schema.types == [pa.string(), pa.int64()]


def test_several_rows_of_parameters_give_the_rows_of_all(cursor, table):
    cursor.adbc_prepare("SELECT name FROM people WHERE id = ?")
    batch = pa.record_batch({"id": pa.array([1, 7, 2])})
    cursor.execute("SELECT name FROM people WHERE id = ?", batch)
    assert cursor.fetchall() == [("ada",), (None,)]


def test_executemany_is_one_commit(cursor, table, flight_server):
    tables = flight_server._service.engine._environment.workspace.tables
    before = tables.open(table).version
    cursor.executemany(
        "INSERT INTO people VALUES (?, ?)", [(n, str(n)) for n in range(5_000)]
    )
    assert cursor.rowcount == 5_000
    assert tables.open(table).version == before + 1


def test_changes_are_counted(cursor, table):
    for sql, count in (
        ("UPDATE people SET name = 'x' WHERE id < 3", 2),
        ("DELETE FROM people WHERE id = 1", 1),
        ("INSERT INTO people SELECT * FROM people", 1),
        ("DELETE FROM people", 2),
    ):
        cursor.execute(sql)
        assert cursor.rowcount == count


# ---- Ingestion


def test_the_four_modes(connection, cursor):
    cursor.execute("DROP TABLE IF EXISTS modes")
    with pytest.raises(dbapi.ProgrammingError, match="there is no table 'modes'"):
        cursor.adbc_ingest("modes", PEOPLE, mode="append")
    for mode, count in (
        ("create", 2),
        ("append", 4),
        ("create_append", 6),
        ("replace", 2),
    ):
        with connection.cursor() as ingesting:
            assert ingesting.adbc_ingest("modes", PEOPLE, mode=mode) == 2
        assert rows(connection, "SELECT count(*) FROM modes") == [(count,)]
    with (
        connection.cursor() as ingesting,
        pytest.raises(dbapi.Error, match="table 'modes' already exists") as caught,
    ):
        ingesting.adbc_ingest("modes", PEOPLE, mode="create")
    assert (b"x-thanosql-sqlstate", b"42P07") in caught.value.details
    cursor.execute("DROP TABLE modes")


@pytest.mark.parametrize(
    "data",
    [
        PEOPLE,
        PEOPLE.to_batches()[0],
        PEOPLE.to_reader(),
        pa.table({"id": pa.array([1, 2]), "name": pa.array(["ada", None])}).to_reader(),
    ],
    ids=["table", "batch", "reader", "other reader"],
)
def test_whatever_holds_rows_is_ingested(connection, cursor, data):
    assert cursor.adbc_ingest("held", data, mode="replace") == 2
    assert rows(connection, "SELECT * FROM held ORDER BY id") == [(1, "ada"), (2, None)]


def test_catalog_and_schema_may_be_named(cursor):
    place = {"catalog_name": "thanosql", "db_schema_name": "public"}
    assert cursor.adbc_ingest("placed", PEOPLE, mode="replace", **place) == 2
    with pytest.raises(dbapi.ProgrammingError, match="in schema 'other"):
        cursor.adbc_ingest("placed", PEOPLE, mode="append", catalog_name="other")
    with pytest.raises(dbapi.NotSupportedError, match="temporary tables are not"):
        cursor.adbc_ingest("placed", PEOPLE, mode="create", temporary=True)


def test_a_cancelled_ingestion_leaves_nothing(connection, flight_server):
    read = threading.Event()

    def batches():
        for _ in range(1_000):
            yield PEOPLE.to_batches()[0]
            read.set()
            time.sleep(0.02)

    def cancel(cursor):
        read.wait(60)
        time.sleep(0.2)
        cursor.adbc_cancel()

    data = pa.RecordBatchReader.from_batches(PEOPLE.schema, batches())
    with connection.cursor() as cursor:
        other = threading.Thread(target=cancel, args=[cursor])
        other.start()
        with pytest.raises(adbc_driver_manager.Error) as caught:
            cursor.adbc_ingest("never", data)
        other.join()
    assert caught.value.status_code == adbc_driver_manager.AdbcStatusCode.CANCELLED
    running = flight_server._service.running
    wait_until(lambda: not running._snapshot(), "the ingestion to end")
    with pytest.raises(dbapi.ProgrammingError, match="NOT_FOUND"):
        connection.adbc_get_table_schema("never")


# ---- Metadata


@pytest.mark.parametrize(
    ("depth", "filters", "found"),
    [
        ("catalogs", {}, [("thanosql", None)]),
        ("catalogs", {"catalog_filter": "other"}, []),
        ("db_schemas", {"db_schema_filter": "pub%"}, [("thanosql", ["public"])]),
        ("db_schemas", {}, [("thanosql", ["public", "thanosql"])]),
    ],
)
def test_catalogs_and_schemas_are_listed(connection, depth, filters, found):
    catalogs = connection.adbc_get_objects(depth=depth, **filters).read_all()
    assert [
        (
            catalog["catalog_name"],
            schemas and sorted(one["db_schema_name"] for one in schemas),
        )
        for catalog in catalogs.to_pylist()
        for schemas in [catalog["catalog_db_schemas"]]
    ] == found


def listed(connection, depth, **filters):
    [catalog] = (
        connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()
    )
    return [
        table
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    ]


def test_tables_are_listed_by_name_and_type(connection, cursor, table):
    cursor.execute("CREATE OR REPLACE VIEW people_view AS SELECT id FROM people")
    found = listed(connection, "tables", table_name_filter="people%")
    assert {(one["table_name"], one["table_type"]) for one in found} == {
        ("people", "TABLE"),
        ("people_view", "VIEW"),
    }
    views = listed(connection, "tables", table_types_filter=["VIEW"])
    assert [one["table_name"] for one in views] == ["people_view"]
    cursor.execute("DROP VIEW people_view")


def test_columns_are_listed_with_types_and_sizes(connection, cursor):
    cursor.execute(
        "CREATE OR REPLACE TABLE sized (price DECIMAL(10, 2) COMMENT 'in euros', "
        "at TIMESTAMP(3), name TEXT)"
    )
    [found] = listed(connection, "columns", table_name_filter="sized")
    names = ("column_name", "xdbc_type_name", "ordinal_position")
    assert [tuple(one[name] for name in names) for one in found["table_columns"]] == [
        ("price", "DECIMAL", 1),
        ("at", "TIMESTAMP", 2),
        ("name", "VARCHAR", 3),
    ]
    schema = connection.adbc_get_table_schema("sized")
    keys = [f"ARROW:FLIGHT:SQL:{key}".encode() for key in ("PRECISION", "SCALE")]
    assert [tuple(map(field.metadata.get, keys)) for field in schema] == [
        (b"10", b"2"),
        (b"23", b"3"),
        (None, None),
    ]
    assert schema.field("price").metadata[b"ARROW:FLIGHT:SQL:REMARKS"] == b"in euros"
    cursor.execute("DROP TABLE sized")


def test_the_schema_of_a_table(connection, table):
    for place in ({}, {"db_schema_filter": "public"}, {"catalog_filter": "thanosql"}):
        assert connection.adbc_get_table_schema(table, **place) == PEOPLE.schema
    with pytest.raises(dbapi.ProgrammingError, match="NOT_FOUND"):
        connection.adbc_get_table_schema(table, db_schema_filter="elsewhere")


def test_the_schema_of_a_query(cursor, table):
    assert cursor.adbc_execute_schema("SELECT name, id + 1 AS n FROM people") == (
        pa.schema({"name": pa.string(), "n": pa.int64()})
    )


def test_what_the_server_tells_of_itself(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "ThanoSQL"
    assert info["vendor_arrow_version"] == pa.__version__
    assert connection.adbc_get_table_types() == ["SYSTEM TABLE", "TABLE", "VIEW"]


def test_catalog_and_schema_are_told_and_kept(connection):
    assert connection.adbc_current_catalog == "thanosql"
    assert connection.adbc_current_db_schema == "public"
    connection.adbc_current_db_schema = "public"
    with pytest.raises(dbapi.ProgrammingError, match=r"'catalog' .invalid value"):
        connection.adbc_current_catalog = "other"


# ---- Partitions, transactions, Substrait


def test_partitions_are_read_by_another_connection(flight_server, cursor, table):
    partitions, schema = cursor.adbc_execute_partitions("SELECT * FROM people")
    assert schema == PEOPLE.schema
    with (
        dbapi.connect(flight_server.location, autocommit=True) as other,
        other.cursor() as reading,
    ):
        read = []
        for partition in partitions:
            reading.adbc_read_partition(partition)
            read.append(reading.fetch_arrow_table())
    assert pa.concat_tables(read) == PEOPLE


def test_transactions_are_refused_before_anything_is_sent(connection):
    with pytest.raises(dbapi.NotSupportedError, match="does not report transaction"):
        connection.adbc_connection.set_autocommit(False)


def test_substrait_is_refused(cursor):
    with pytest.raises(dbapi.NotSupportedError, match="Substrait plans are not supp"):
        cursor.execute(b"a plan")


def test_statistics_are_the_drivers_own_lack(connection):
    with pytest.raises(dbapi.NotSupportedError, match="GetStatistics: not supported"):
        connection.adbc_get_statistics()


def test_a_cancelled_query_ends(connection, cursor):
    cursor.execute(
        "SELECT a.v + b.v AS s FROM generate_series(1, 100000) AS a(v), "
        "generate_series(1, 100000) AS b(v)"
    )
    assert len(cursor.fetchmany(10)) == 10
    cursor.adbc_cancel()
    with pytest.raises(adbc_driver_manager.Error, match=r"[Cc]ancel"):
        cursor.fetchall()
    assert rows(connection, "SELECT 1") == [(1,)]
