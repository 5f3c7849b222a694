"""What Flight SQL's JDBC driver sends, and so DBeaver, message by message.

There is no Java here. `Driver` sends what arrow-java's driver sends for each call of
JDBC, in its order, and reads the answers as it does: columns by name, all SqlInfo ids,
a table's columns out of its schema.
"""

from __future__ import annotations

import http.cookies

import pyarrow as pa
import pyarrow.flight as fl
import pytest

from tests.integration.servers import wait_until
from thanosql_proto.any import pack, unpack
from thanosql_proto.flight import (
    CloseSessionRequest,
    CloseSessionResult,
    SessionOptionValue,
    SetSessionOptionsRequest,
    SetSessionOptionsResult,
)
from thanosql_proto.flight_sql import (
    ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest,
    CommandGetCatalogs,
    CommandGetCrossReference,
    CommandGetDbSchemas,
    CommandGetExportedKeys,
    CommandGetImportedKeys,
    CommandGetPrimaryKeys,
    CommandGetSqlInfo,
    CommandGetTables,
    CommandGetTableTypes,
    CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate,
    DoPutPreparedStatementResult,
    DoPutUpdateResult,
)

NOTHING = pa.schema([])
QUOTE, READ_ONLY, TRANSACTIONS = 504, 3, 8


class Cookies(fl.ClientMiddlewareFactory):
    """Sends back the cookies that a server sets, as the driver always does."""

    def __init__(self):
        self.jar = http.cookies.SimpleCookie()

    def start_call(self, info):
        return _Cookies(self.jar)


class _Cookies(fl.ClientMiddleware):
    def __init__(self, jar):
        self._jar = jar

    def sending_headers(self):
        pairs = "; ".join(f"{name}={one.value}" for name, one in self._jar.items())
        return {"cookie": pairs} if pairs else {}

    def received_headers(self, headers):
        for text in headers.get("set-cookie", ()):
            self._jar.load(text)


class Silent(fl.ClientAuthHandler):
    """A handshake that carries its credentials in its headers only."""

    def authenticate(self, outgoing, incoming):
        pass

    def get_token(self):
        return b""


class Driver:
    """A connection of the driver: `jdbc:arrow-flight-sql://host:port/?catalog=...`."""

    def __init__(self, location, *, user=None, password=None, token=None, catalog=None):
        self.flight = fl.connect(location, middleware=[Cookies()])
        self.catalog = catalog
        if token is None:
            header = self.flight.authenticate_basic_token(user, password)
        else:
            header = (b"authorization", b"Bearer " + token.encode())
            options = fl.FlightCallOptions(headers=[header])
            self.flight.authenticate(Silent(), options)
        self.options = fl.FlightCallOptions(headers=[header], timeout=60)
        if catalog is not None:
            request = SetSessionOptionsRequest(
                session_options={"catalog": SessionOptionValue(string_value=catalog)}
            )
            answer = self._bare("SetSessionOptions", request, SetSessionOptionsResult)
            if answer.errors:
                raise ConnectionError(f"cannot set catalog = {catalog}")

    def close(self):
        if self.catalog is not None:
            answer = self._bare(
                "CloseSession", CloseSessionRequest(), CloseSessionResult
            )
            assert answer.status in (
                CloseSessionResult.CLOSED,
                CloseSessionResult.CLOSING,
            )
        self.flight.close()

    # Statements: always prepared

    def prepare(self, sql):
        request = ActionCreatePreparedStatementRequest(query=sql)
        return Statement(self, self._packed("CreatePreparedStatement", request))

    def query(self, sql, *values):
        statement = self.prepare(sql)
        try:
            return statement.query(*values)
        finally:
            statement.close()

    def update(self, sql, *values):
        statement = self.prepare(sql)
        try:
            return statement.update(*values)
        finally:
            statement.close()

    # Metadata

    def metadata(self, command):
        info = self.info(command)
        table = self.stream(info).read_all()
        assert table.schema.equals(info.schema, check_metadata=True)
        return table

    def sql_info(self):
        """All facts, by their id: the driver asks once, for all."""
        found = self.metadata(CommandGetSqlInfo())
        names = found.column("info_name").to_pylist()
        return dict(zip(names, found.column("value").to_pylist(), strict=True))

    def tables(self, **wanted):
        found = self.metadata(CommandGetTables(**wanted)).to_pylist()
        return [(row["db_schema_name"], row["table_name"]) for row in found]

    def columns(self, schema, table):
        """`getColumns`: the driver asks for tables with their schemas."""
        wanted = CommandGetTables(
            db_schema_filter_pattern=schema,
            table_name_filter_pattern=table,
            include_schema=True,
        )
        (row,) = self.metadata(wanted).to_pylist()
        return pa.ipc.read_schema(pa.py_buffer(row["table_schema"]))

    # What all that is made of

    def info(self, command):
        descriptor = fl.FlightDescriptor.for_command(pack(command))
        return self.flight.get_flight_info(descriptor, self.options)

    def stream(self, info):
        """The one stream of an answer, from this connection: it names no other."""
        (endpoint,) = info.endpoints
        assert all(
            location.uri.startswith(b"arrow-flight-reuse-connection:")
            for location in endpoint.locations
        )
        return self.flight.do_get(endpoint.ticket, self.options)

    def put(self, command, rows):
        """Send rows, or none; return the bytes of the answer."""
        descriptor = fl.FlightDescriptor.for_command(pack(command))
        schema = NOTHING if rows is None else rows.schema
        writer, answers = self.flight.do_put(descriptor, schema, self.options)
        with writer:
            if rows is not None:
                writer.write_batch(rows)
            writer.done_writing()
            answer = answers.read()
        return None if answer is None else answer.to_pybytes()

    def _packed(self, name, request):
        results = self.flight.do_action(fl.Action(name, pack(request)), self.options)
        bodies = [result.body.to_pybytes() for result in results]
        return unpack(bodies[0]) if bodies else None

    def _bare(self, name, request, answer):
        action = fl.Action(name, request.SerializeToString())
        (result,) = self.flight.do_action(action, self.options)
        return answer.FromString(result.body.to_pybytes())


class Statement:
    """A prepared statement; `update` and `query` are chosen by `is_select`."""

    def __init__(self, driver, prepared):
        self._driver = driver
        self._handle = prepared.prepared_statement_handle
        self.columns = _schema(prepared.dataset_schema)
        self.parameters = _schema(prepared.parameter_schema)

    @property
    def is_select(self):
        return len(self.columns) > 0

    def bound(self, values):
        """The values, of the types that the server announced for them."""
        fields = zip(values, self.parameters, strict=True)
        columns = [pa.array([value], field.type) for value, field in fields]
        return pa.RecordBatch.from_arrays(columns, schema=self.parameters)

    def execute(self, *values):
        command = CommandPreparedStatementQuery(prepared_statement_handle=self._handle)
        if values:
            answer = self._driver.put(command, self.bound(values))
            if answer:
                result = DoPutPreparedStatementResult.FromString(answer)
                self._handle = result.prepared_statement_handle or self._handle
                command = CommandPreparedStatementQuery(
                    prepared_statement_handle=self._handle
                )
        return self._driver.info(command)

    def query(self, *values):
        return self._driver.stream(self.execute(*values)).read_all()

    def update(self, *values):
        command = CommandPreparedStatementUpdate(prepared_statement_handle=self._handle)
        rows = self.bound(values) if values else None
        answer = self._driver.put(command, rows)
        return DoPutUpdateResult.FromString(answer).record_count

    def close(self):
        request = ActionClosePreparedStatementRequest(
            prepared_statement_handle=self._handle
        )
        self._driver._packed("ClosePreparedStatement", request)


def _schema(serialized):
    return pa.ipc.read_schema(pa.py_buffer(serialized)) if serialized else NOTHING


@pytest.fixture(scope="module")
def server(nursery, tmp_path_factory):
    from tests.integration.servers import Servers

    servers = Servers(tmp_path_factory.mktemp("jdbc"), nursery.fork)
    server = servers(tmp_path_factory.mktemp("workspace"))
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE things (id BIGINT PRIMARY KEY COMMENT 'its number', "
            "name VARCHAR, price DECIMAL(10, 2), made TIMESTAMP, v REAL[3])"
        )
        cursor.execute("CREATE VIEW cheap AS SELECT * FROM things WHERE price < 5")
    yield server
    servers.close()


@pytest.fixture
def driver(server):
    driver = Driver(
        server.location, user="admin", password=server.token, catalog="thanosql"
    )
    yield driver
    driver.close()


def test_all_of_a_session_as_dbeaver_has_it(driver):
    # The driver answers DatabaseMetaData from one answer; DBeaver asks it for these.
    facts = driver.sql_info()
    assert facts[QUOTE] == '"'
    assert facts[READ_ONLY] is False
    assert facts[TRANSACTIONS] == 0
    assert set(range(4)) | set(range(500, 570)) <= set(facts)

    # The navigator opens: catalog, schemas, kinds of tables, tables.
    catalogs = driver.metadata(CommandGetCatalogs()).column("catalog_name")
    assert catalogs.to_pylist() == ["thanosql"]
    schemas = driver.metadata(CommandGetDbSchemas(catalog="thanosql"))
    assert {"public", "thanosql"} <= set(schemas.column("db_schema_name").to_pylist())
    kinds = driver.metadata(CommandGetTableTypes()).column("table_type").to_pylist()
    assert {"TABLE", "VIEW"} <= set(kinds)
    public = {"catalog": "thanosql", "db_schema_filter_pattern": "public"}
    tables = driver.tables(**public, table_name_filter_pattern="%")
    assert tables == [("public", "cheap"), ("public", "things")]
    views = driver.tables(**public, table_types=["VIEW"])
    assert views == [("public", "cheap")]

    # A table opens: columns, keys.
    columns = driver.columns("public", "things")
    assert columns.names == ["id", "name", "price", "made", "v"]
    assert not columns.field("id").nullable
    facts = {
        key.decode().rpartition(":")[2]: value.decode()
        for key, value in columns.field("price").metadata.items()
    }
    assert (facts["TABLE_NAME"], facts["DB_SCHEMA_NAME"]) == ("things", "public")
    assert (facts["PRECISION"], facts["SCALE"]) == ("10", "2")
    remarks = columns.field("id").metadata[b"ARROW:FLIGHT:SQL:REMARKS"]
    assert remarks == b"its number"
    wanted = {"catalog": "thanosql", "db_schema": "public", "table": "things"}
    (key,) = driver.metadata(CommandGetPrimaryKeys(**wanted)).to_pylist()
    assert (key["column_name"], key["key_sequence"]) == ("id", 1)
    assert driver.metadata(CommandGetExportedKeys(**wanted)).num_rows == 0
    assert driver.metadata(CommandGetImportedKeys(**wanted)).num_rows == 0
    both = {
        f"{side}_{name}": value
        for side in ("pk", "fk")
        for name, value in wanted.items()
    }
    assert driver.metadata(CommandGetCrossReference(**both)).num_rows == 0
    types = driver.metadata(CommandGetXdbcTypeInfo()).column("type_name").to_pylist()
    assert {"BIGINT", "VARCHAR", "DECIMAL", "TIMESTAMP"} <= set(types)

    # A row is added in the grid, found again, changed, and taken away.
    insert = 'INSERT INTO "public"."things" (id, name, price) VALUES (?, ?, ?)'
    statement = driver.prepare(insert)
    assert not statement.is_select
    assert [str(field.type) for field in statement.parameters][:2] == [
        "int64",
        "string",
    ]
    for row in ((1, "lamp", None), (2, "bell", None)):
        assert statement.update(*row) == 1
    statement.close()
    found = driver.query("SELECT name FROM things WHERE id = ?", 2)
    assert found.to_pylist() == [{"name": "bell"}]
    assert driver.update("UPDATE things SET name = ? WHERE id = ?", "gong", 2) == 1
    assert driver.update("DELETE FROM things WHERE id = ?", 2) == 1
    statement = driver.prepare('SELECT x.* FROM "thanosql"."public"."things" AS x')
    assert statement.is_select
    assert statement.query().column("name").to_pylist() == ["lamp"]
    assert statement.query().num_rows == 1  # the grid is refreshed
    statement.close()


def test_definitions_are_updates_without_a_count(driver):
    statement = driver.prepare("CREATE TABLE made (a INT)")
    assert not statement.is_select
    assert statement.update() in (-1, 0)
    statement.close()
    assert ("public", "made") in driver.tables()
    driver.update("DROP TABLE made")
    assert ("public", "made") not in driver.tables()


def test_a_mistake_is_the_sentence_and_the_session_goes_on(driver):
    with pytest.raises(pa.ArrowKeyError, match="there is no table 'thing'") as caught:
        driver.prepare("SELECT * FROM thing")
    assert "Traceback" not in str(caught.value)
    assert driver.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_result_that_is_closed_early_stops_the_query(driver, server):
    statement = driver.prepare("SELECT value FROM generate_series(1, 1000000000000)")
    reader = driver.stream(statement.execute())
    assert reader.read_chunk().data.num_rows  # the first rows of the grid
    reader.cancel()
    statement.close()
    spent = [_cpu_seconds(server.pid)]

    def rests():
        spent.append(_cpu_seconds(server.pid))
        return spent[-1] - spent[-2] < 0.005

    wait_until(rests, "the server to rest")
    assert driver.query("SELECT 2 AS two").to_pylist() == [{"two": 2}]


def _cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_token_instead_of_a_password(server):
    driver = Driver(server.location, token=server.token)
    assert driver.query("SELECT 3 AS three").to_pylist() == [{"three": 3}]
    driver.close()


def test_a_wrong_password_or_token_is_refused_at_the_handshake(server):
    with pytest.raises(fl.FlightUnauthenticatedError):
        Driver(server.location, user="admin", password="wrong")
    with pytest.raises(fl.FlightUnauthenticatedError):
        Driver(server.location, token="wrong")


def test_another_catalog_is_refused(server):
    with pytest.raises(ConnectionError, match="cannot set catalog = shop"):
        Driver(server.location, user="admin", password=server.token, catalog="shop")


def test_two_connections_do_not_share_statements_or_sessions(server):
    first, second = (
        Driver(server.location, token=server.token, catalog="thanosql")
        for _ in range(2)
    )
    statement = first.prepare("SELECT 4 AS four")
    second.close()
    assert statement.query().to_pylist() == [{"four": 4}]
    statement.close()
    first.close()
