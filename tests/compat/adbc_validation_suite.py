"""The ADBC validation suite on our server: what is particular about ThanoSQL.

pytest runs this file in an environment of its own; see run_adbc_validation.py, which
passes the places of the two checkouts and of the server in the environment.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

import adbc_driver_flightsql
import pytest
from adbc_driver_manager import dbapi
from adbc_drivers_validation import model, quirks
from adbc_drivers_validation.tests import connection, ingest, query, statement

LOCATION = os.environ["THANOSQL_LOCATION"]
TOKEN = os.environ["THANOSQL_TOKEN"]
DATAFUSION_QUERIES = Path(os.environ["ADBC_DATAFUSION"], "validation", "queries")


LIKE_DATAFUSION = (
    *(f"ingest/{name}" for name in ("fixed_size_binary", "large_binary")),
    *(f"ingest/timestamptz_{unit}" for unit in ("s", "ms", "us", "ns")),
    "ingest/large_string",
    *(f"type/literal/{name}" for name in ("binary", "time", "timestamp")),
    "type/literal/timestamptz",
    *(f"type/select/{name}" for name in ("binary", "time")),
)
"""Questions to which DataFusion's answers hold; the suite's own hold for the others."""


@functools.cache
def _answers() -> Path:
    """Return a copy of DataFusion's answers, of those that hold here."""
    kept = Path(tempfile.mkdtemp())
    for name in LIKE_DATAFUSION:
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        answer = (DATAFUSION_QUERIES / name).with_suffix(".txtcase")
        shutil.copy(answer, (kept / name).parent)
    return kept


class ThanoSQL(model.DriverQuirks):
    """What the server can do, as far as the suite asks."""

    name = "thanosql"
    driver = "adbc_driver_flightsql"
    driver_name = "ADBC Flight SQL Driver - Go"
    vendor_name = "ThanoSQL"
    vendor_version = os.environ["THANOSQL_VERSION"]
    short_version = "1"
    features = model.DriverFeatures(
        connection_get_table_schema=True,
        current_catalog="thanosql",
        current_schema="public",
        get_objects=True,
        quirk_foundry=False,
        secondary_schema="secondary",
        statement_bind=True,
        statement_bulk_ingest=True,
        statement_bulk_ingest_schema=True,
        statement_execute_schema=True,
        statement_get_parameter_schema=True,
        statement_prepare=True,
        statement_rows_affected=True,
        statement_rows_affected_ddl=True,
    )
    setup = model.DriverSetup(
        database={
            "uri": LOCATION,
            "adbc.flight.sql.authorization_header": f"Bearer {TOKEN}",
        }
    )

    @property
    def queries_paths(self) -> tuple[Path, ...]:
        """Where other answers are than those of the suite."""
        return (_answers(),)

    def bind_parameter(self, index: int) -> str:
        """Numbered, since some queries of the suite use one twice."""
        return f"${index}"

    def is_table_not_found(self, table_name: str | None, error: Exception) -> bool:
        """Tell by the SQLSTATE, which travels in a trailer."""
        named = not table_name or f"'{table_name}'" in str(error)
        return named and (b"x-thanosql-sqlstate", b"42P01") in error.details

    def split_statement(self, statement: str) -> list[str]:
        """One statement per call."""
        return quirks.split_statement(statement)


QUIRKS = ThanoSQL()

_GENERATORS = {
    "TestConnection": connection.generate_tests,
    "TestIngest": ingest.generate_tests,
    "TestQuery": query.generate_tests,
    "TestStatement": statement.generate_tests,
}


def pytest_generate_tests(metafunc):
    """Let each part of the suite choose its parameters."""
    _GENERATORS[metafunc.cls.__name__]([QUIRKS], metafunc)


@pytest.fixture(scope="session")
def driver(request):
    return QUIRKS


class _Statement:
    """A statement that is prepared once, before anything is bound to it.

    ADBC's driver takes values that are bound to other statements for an ingestion, and
    forgets those that were bound before it prepares.
    """

    def __init__(self, statement):
        self._statement = statement
        self._prepared = False

    def __getattr__(self, name):
        return getattr(self._statement, name)

    def set_sql_query(self, query):
        self._prepared = False
        self._statement.set_sql_query(query)

    def prepare(self):
        if not self._prepared:
            self._statement.prepare()
        self._prepared = True

    def bind(self, *values):
        self.prepare()
        self._statement.bind(*values)


@pytest.fixture(scope="session")
def conn_factory(driver):
    def connect():
        path = adbc_driver_flightsql._driver_path()
        options = driver.setup.database
        made = dbapi.connect(driver=path, db_kwargs=options, autocommit=True)
        plain = made.cursor

        def cursor(*args, **options):
            cursor = plain(*args, **options)
            cursor._stmt = _Statement(cursor._stmt)
            return cursor

        made.cursor = cursor
        return made

    return connect


@pytest.fixture(scope="session", autouse=True)
def secondary_schema(conn_factory):
    with conn_factory() as made, made.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS secondary")


TestConnection = connection.TestConnection
TestIngest = ingest.TestIngest
TestQuery = query.TestQuery
TestStatement = statement.TestStatement
