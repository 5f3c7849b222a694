import re

import pyarrow as pa
import pytest
from pyarrow import flight

from tests.unit.driver.tiny_server import NO_COLUMNS, TinyServer, completed
from thanosql_proto.any import unpack

sa = pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")
datafusion = pytest.importorskip("datafusion", reason="datafusion is not installed")

VECTORS = pa.array([[0.5, 1.0], None], pa.list_(pa.float32(), 2))


class SqlServer(TinyServer):
    """A tiny server that answers SQL, so that reflection has something to read."""

    def __init__(self):
        super().__init__()
        settings = datafusion.SessionConfig().with_information_schema(True)
        self._context = datafusion.SessionContext(settings)
        batch = pa.record_batch(
            [pa.array([1, 2]), pa.array(["a", None]), VECTORS],
            names=["n", "Word", "m_simclr"],
        )
        self._context.register_record_batches("pictures", [[batch]])
        self._context.sql("CREATE SCHEMA thanosql")
        self._context.sql(
            "CREATE TABLE thanosql.columns AS SELECT 'pictures' AS table_name, "
            "'n' AS column_name, 1 AS key_position"
        )
        self._context.sql("CREATE VIEW first AS SELECT n FROM pictures WHERE n = 1")

    def do_get(self, context, ticket):
        request = unpack(ticket.ticket)
        numbers = iter(range(1, 100))
        query = re.sub(r"\?", lambda _: f"${next(numbers)}", request.query)
        values = {}
        if request.parameters:
            table = pa.ipc.open_stream(request.parameters).read_all()
            values = {name: table[name][0] for name in table.column_names}
        try:
            frame = self._context.sql(query, param_values=values)
            table = pa.table(frame)
        except ValueError as ex:
            raise flight.FlightServerError(str(ex)[:200]) from None
        if not table.num_columns:
            return flight.GeneratorStream(NO_COLUMNS, iter([completed(NO_COLUMNS)]))
        stream = iter([*table.to_batches(), completed(table.schema)])
        return flight.GeneratorStream(table.schema, stream)


@pytest.fixture
def engine():
    server = SqlServer()
    engine = sa.create_engine(f"thanosql://127.0.0.1:{server.port}")
    yield engine
    engine.dispose()
    server.shutdown()


@pytest.fixture
def pictures(engine):
    return sa.Table("pictures", sa.MetaData(), autoload_with=engine)


def test_tables_views_and_schemas_are_listed(engine):
    inspector = sa.inspect(engine)
    assert inspector.get_table_names() == ["pictures"]
    assert inspector.get_view_names() == ["first"]
    assert inspector.get_schema_names() == ["public", "thanosql"]
    assert inspector.has_table("first")
    assert not inspector.has_table("second")


def test_columns_are_reflected_with_their_types(engine, pictures):
    types = {c.name: c.type.compile(engine.dialect) for c in pictures.columns}
    assert types == {"n": "BIGINT", "Word": "VARCHAR", "m_simclr": "REAL[]"}


def test_a_table_that_is_not_there_is_named(engine):
    with pytest.raises(sa.exc.NoSuchTableError, match="second"):
        sa.Table("second", sa.MetaData(), autoload_with=engine)


def test_a_query_binds_parameters_and_quotes_names(engine, pictures):
    query = (
        sa.select(pictures.c.n, pictures.c.Word, pictures.c.m_simclr)
        .where(pictures.c.Word == "a")
        .order_by(pictures.c.n.desc())
        .limit(5)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).fetchall()
    assert [tuple(row) for row in rows] == [(1, "a", [0.5, 1.0])]


def test_statements_without_rows_run(engine):
    with engine.begin() as connection:
        result = connection.execute(sa.text("CREATE VIEW v AS SELECT 1 AS a"))
        assert not result.returns_rows
    assert "v" in sa.inspect(engine).get_view_names()


def test_pandas_reads_sql(engine):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    with engine.connect() as connection:
        query = sa.text('SELECT n, "Word" FROM pictures WHERE n < :limit')
        frame = pandas.read_sql(query, connection, params={"limit": 2})
    assert frame.to_dict("list") == {"n": [1], "Word": ["a"]}


@pytest.mark.parametrize(
    "url",
    [
        "thanosql://me:a%2Fb@db:5/?tls=true",
        "thanosql:///srv/workspace",
        "thanosql:////srv/workspace",
        "thanosql:///./workspace",
    ],
)
def test_urls_reach_the_driver_as_they_are(url):
    dialect = sa.dialects.registry.load("thanosql")()
    assert dialect.create_connect_args(sa.engine.make_url(url)) == ([url], {})


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("Int64", "BIGINT"),
        ("Utf8View", "VARCHAR"),
        ("Timestamp(Nanosecond, None)", "TIMESTAMP"),
        ("Decimal128(10, 2)", "DECIMAL(10, 2)"),
        ("FixedSizeList(512 x Float32)", "REAL[]"),
        ("REAL[512]", "REAL[]"),
        ("DOUBLE", "DOUBLE"),
        ("BinaryView", "BYTEA"),
    ],
)
def test_type_names_of_arrow_and_sql_are_known(name, type_):
    from sqlalchemy_thanosql.types import sqlalchemy_type

    dialect = sa.dialects.registry.load("thanosql")()
    assert sqlalchemy_type(name).compile(dialect) == type_
