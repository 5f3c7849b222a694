"""A plugin for pytest: pandas' own tests of SQL, with ThanoSQL as their database.

The tests are those of the pandas that is installed. Their lists of databases, which
they hold by reference, get ours in the place of others. `THANOSQL_URL` tells where.
"""

import csv
import os

import pytest

pytest.register_assert_rewrite("pandas.tests.io.test_sql")

from pandas.tests.io import test_sql  # noqa: E402

URL = os.environ["THANOSQL_URL"]
FORMS = ("engine", "conn", "str")
# The tests tell databases apart by the names of these fixtures. Ours is as PostgreSQL
# is: names in quotes, real booleans, dates and zones.
NAME = "thanosql_as_postgresql"

OTHERS = {
    "test_api_read_sql_duplicate_columns": "DataFusion wants names that differ",
    "test_delete_rows_is_atomic": "each statement commits itself",
    "test_temporary_table": "there are no temporary tables",
    "test_to_sql_save_index": "ordinary indexes are left out: scans need none",
    "test_transaction_rollback": "each statement commits itself",
}
"""Tests that need another database's feature, and why ThanoSQL has it not."""

INSPECTING = """
    test_create_table test_double_precision test_drop_table test_dtype
    test_get_schema_create_table test_notna_dtype
""".split()  # noqa: SIM905
"""Tests that inspect the database, which SQLAlchemy does not do with a URL."""

OTHERS |= {f"{name}[{NAME}_str]": "a URL cannot be inspected" for name in INSPECTING}

# The wheel lacks the file. The tests count its 150 rows, and the 8 flowers of one
# species that have a certain length; they look at the first row.
IRIS = [
    ("SepalLength", "SepalWidth", "PetalLength", "PetalWidth", "Name"),
    (5.1, 3.5, 1.4, 0.2, "Iris-setosa"),
    (5.1, 3.5, 1.4, 0.3, "Iris-setosa"),
    (5.1, 3.8, 1.5, 0.3, "Iris-setosa"),
    (5.1, 3.7, 1.5, 0.4, "Iris-setosa"),
    (5.1, 3.3, 1.7, 0.5, "Iris-setosa"),
    (5.1, 3.4, 1.5, 0.2, "Iris-setosa"),
    (5.1, 3.8, 1.9, 0.4, "Iris-setosa"),
    (5.1, 3.8, 1.6, 0.2, "Iris-setosa"),
    *[(7.0, 3.2, 4.7, 1.4, "Iris-versicolor")] * 142,
]


@pytest.fixture
def iris_path(tmp_path):
    path = tmp_path / "iris.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(IRIS)
    return path


@pytest.fixture
def thanosql_as_postgresql_engine():
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(URL, poolclass=sqlalchemy.pool.NullPool)
    yield engine
    for schema in sqlalchemy.inspect(engine).get_schema_names():
        if schema not in ("public", "thanosql"):
            with engine.begin() as connection:
                connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    for view in test_sql.get_all_views(engine):
        test_sql.drop_view(view, engine)
    for table in test_sql.get_all_tables(engine):
        test_sql.drop_table(table, engine)
    engine.dispose()


@pytest.fixture
def thanosql_as_postgresql_engine_iris(thanosql_as_postgresql_engine, iris_path):
    test_sql.create_and_load_iris(thanosql_as_postgresql_engine, iris_path)
    test_sql.create_and_load_iris_view(thanosql_as_postgresql_engine)
    return thanosql_as_postgresql_engine


@pytest.fixture
def thanosql_as_postgresql_engine_types(thanosql_as_postgresql_engine, types_data):
    test_sql.create_and_load_types(
        thanosql_as_postgresql_engine, types_data, "postgresql"
    )
    return thanosql_as_postgresql_engine


@pytest.fixture
def sql_strings():
    wanted = 'SELECT * FROM iris WHERE "Name"{} AND "SepalLength"{}'
    return {
        "read_parameters": {"postgresql": wanted.format("=?", "=?")},
        "read_named_parameters": {"postgresql": wanted.format("=:name", "=:length")},
        "read_no_parameters_with_percent": {
            "postgresql": "SELECT * FROM iris WHERE \"Name\" LIKE '%'"
        },
    }


def pytest_collection_modifyitems(items):
    for item in items:
        reason = OTHERS.get(item.name) or OTHERS.get(item.originalname)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _connected(kind):
    """Return fixtures for a connection to, and the URL of, the engine of a kind."""

    @pytest.fixture(name=f"{NAME}_conn{kind}")
    def conn(request):
        with request.getfixturevalue(f"{NAME}_engine{kind}").connect() as connection:
            yield connection

    @pytest.fixture(name=f"{NAME}_str{kind}")
    def url(request):
        request.getfixturevalue(f"{NAME}_engine{kind}")
        return URL

    return conn, url


conn_plain, url_plain = _connected("")
conn_iris, url_iris = _connected("_iris")
conn_types, url_types = _connected("_types")

# Nearer to the tests than those of pandas.
test_sql.iris_path, test_sql.sql_strings = iris_path, sql_strings

for _kind in ("", "_iris", "_types"):
    _ours = [f"{NAME}_{form}{_kind}" for form in FORMS]
    getattr(test_sql, f"all_connectable{_kind}")[:] = _ours
    getattr(test_sql, f"sqlalchemy_connectable{_kind}")[:] = _ours
    for _other in ("mysql", "postgresql", "sqlite", "adbc"):
        getattr(test_sql, f"{_other}_connectable{_kind}")[:] = []
