"""The server as ADBC's Flight SQL driver sees it."""

import pyarrow as pa
import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_server.config import Config
from thanosql_server.flight.server import FlightSqlServer

adbc = pytest.importorskip("adbc_driver_manager", reason="ADBC is not installed")
dbapi = pytest.importorskip(
    "adbc_driver_flightsql.dbapi", reason="ADBC's Flight SQL driver is not installed"
)

TOKEN = "open sesame"


@pytest.fixture
def guarded(engine, tmp_path):
    with FlightSqlServer(engine, Config(tmp_path, token=TOKEN)) as server:
        yield server


def connect(server, **options):
    return dbapi.connect(server.location, db_kwargs=options, autocommit=True)


@pytest.fixture
def connection(guarded):
    with connect(guarded, username="ada", password=TOKEN) as connection:
        yield connection


def test_select(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM people")
        assert cursor.fetchall() == [(1, "ada"), (2, "grace"), (3, None)]
        cursor.execute("SELECT * FROM people")
        assert cursor.fetch_arrow_table() == PEOPLE


def test_bearer_token(guarded):
    header = {"adbc.flight.sql.authorization_header": f"Bearer {TOKEN}"}
    with connect(guarded, **header) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM people")
        assert len(cursor.fetchall()) == 3


@pytest.mark.parametrize("password", ["wrong", ""])
def test_wrong_password(guarded, password):
    with pytest.raises(dbapi.Error, match="token"):
        connect(guarded, username="ada", password=password)


def test_parameters(connection):
    with connection.cursor() as cursor:
        cursor.execute("ECHO ??", (1, "x"))
        assert cursor.fetchall() == [(1, "x")]


def test_ddl_through_execute_acts_once(connection, engine):
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE people")
        assert cursor.rowcount == 3
    assert "people" not in engine.tables_by_name


def test_executemany_sums_the_counts(connection, engine):
    with connection.cursor() as cursor:
        rows = [(4, "alan"), (5, "tim"), (6, None)]
        cursor.executemany("INSERT INTO people VALUES (?, ?)", rows)
        assert cursor.rowcount == 3
    assert engine.tables_by_name["people"].num_rows == 6


def test_executescript_uses_the_update_command(connection, engine):
    with connection.cursor() as cursor:
        cursor.executescript("DROP TABLE people")
    assert "people" not in engine.tables_by_name


def test_get_objects_lists_tables_and_columns(connection):
    (catalog,) = connection.adbc_get_objects().read_all().to_pylist()
    assert catalog["catalog_name"] == "thanosql"
    schemas = {s["db_schema_name"]: s for s in catalog["catalog_db_schemas"]}
    tables = {t["table_name"]: t for t in schemas["public"]["db_schema_tables"]}
    columns = [c["column_name"] for c in tables["people"]["table_columns"]]
    assert columns == ["id", "name"]
    assert tables["it's 100%"]["table_type"] == "TABLE"


def test_table_schema_and_types(connection):
    assert connection.adbc_get_table_schema("people") == PEOPLE.schema
    assert connection.adbc_get_table_types() == ["SYSTEM TABLE", "TABLE", "VIEW"]


def test_get_info(connection):
    assert connection.adbc_get_info()["vendor_name"] == "ThanoSQL"


def test_current_catalog_and_schema(connection):
    assert connection.adbc_current_catalog == "thanosql"
    assert connection.adbc_current_db_schema == "public"


@pytest.mark.parametrize(
    ("sql", "kind", "sqlstate"),
    [
        ("SELECT * FROM nothing", dbapi.ProgrammingError, "42P01"),
        ("NONSENSE", dbapi.ProgrammingError, "42601"),
        ("FAIL NOW NotSupported", dbapi.NotSupportedError, "0A000"),
        ("FAIL NOW zero", dbapi.InternalError, "XX000"),
    ],
)
def test_errors_have_their_class_and_carry_the_sqlstate(
    connection, sql, kind, sqlstate
):
    with connection.cursor() as cursor, pytest.raises(kind) as raised:
        cursor.execute(sql)
    assert (b"x-thanosql-sqlstate", sqlstate.encode()) in raised.value.details
    assert "Traceback" not in str(raised.value)
    assert ".py" not in str(raised.value)


def test_error_in_the_middle_of_the_rows_arrives(connection):
    with connection.cursor() as cursor:
        cursor.execute("FAIL LATER InvalidData")
        with pytest.raises(dbapi.Error, match="a InvalidData for you"):
            cursor.fetchall()


def test_big_batches_pass_the_message_limit_of_the_client(connection):
    with connection.cursor() as cursor:
        cursor.execute("BIG 2000 20000")
        table = cursor.fetch_arrow_table()
    assert table.num_rows == 2_000
    assert pa.compute.utf8_length(table["text"][1_999]).as_py() == 20_000


def test_cancel_stops_the_statement(connection, engine):
    with connection.cursor() as cursor:
        cursor.execute("COUNT ROWS 100000")
        assert cursor.fetchone() == (0,)
        cursor.adbc_cancel()
    assert engine.stopped.wait(10)


def test_transactions_are_not_promised(guarded):
    with pytest.warns(UserWarning, match="[Aa]utocommit"):
        connection = dbapi.connect(
            guarded.location, db_kwargs={"username": "ada", "password": TOKEN}
        )
    connection.close()
