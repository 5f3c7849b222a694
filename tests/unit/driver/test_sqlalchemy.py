import pytest

sa = pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")


@pytest.fixture
def engine(tmp_path):
    engine = sa.create_engine(f"thanosql:///{tmp_path}")
    with engine.begin() as connection:
        for statement in (
            'CREATE TABLE pictures (n BIGINT, "Word" TEXT, m_simclr VECTOR(2))',
            "INSERT INTO pictures VALUES (1, 'a', [0.5, 1.0]), (2, NULL, NULL)",
            "CREATE VIEW first AS SELECT n FROM pictures WHERE n = 1",
        ):
            connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


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
    assert types == {"n": "BIGINT", "Word": "TEXT", "m_simclr": "VECTOR(2)"}


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
        ("BIGINT", "BIGINT"),
        ("SMALLINT UNSIGNED", "INTEGER"),
        ("VARCHAR", "VARCHAR"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"),
        ("DECIMAL(10, 2)", "DECIMAL(10, 2)"),
        ("REAL[512]", "VECTOR(512)"),
        ("REAL[]", "REAL[]"),
        ("INTEGER[][]", "INTEGER[][]"),
        ("DOUBLE", "DOUBLE"),
        ("VARBINARY", "BYTEA"),
        ("INTERVAL", "INTERVAL"),
    ],
)
def test_the_drivers_names_of_types_are_known(name, type_):
    from sqlalchemy_thanosql.types import sqlalchemy_type

    dialect = sa.dialects.registry.load("thanosql")()
    assert sqlalchemy_type(name).compile(dialect) == type_


def test_lengths_and_media_are_known_by_what_was_declared():
    from sqlalchemy_thanosql.types import Image, sqlalchemy_type

    text = sqlalchemy_type("VARCHAR", None, "CHARACTER VARYING(20)")
    assert isinstance(text, sa.VARCHAR)
    assert text.length == 20
    assert isinstance(sqlalchemy_type("VARCHAR", None, "CHAR(3)"), sa.CHAR)
    assert isinstance(sqlalchemy_type("VARCHAR", "image", "IMAGE"), Image)


def test_what_is_not_kept_is_left_out_with_a_warning(engine):
    from sqlalchemy_thanosql import NotEnforced

    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer, index=True),
        sa.CheckConstraint("a > 1", name="positive"),
    )
    with pytest.warns(NotEnforced, match="keeps no CHECK; positive is left out"):
        table.create(engine)
    with engine.begin() as connection:
        first = connection.execute(table.insert().values(a=1))
        connection.execute(table.insert(), [{"a": 1}, {"a": 2}])
        keys = connection.execute(sa.select(table.c.id)).scalars().all()
    assert first.rowcount == 1
    assert first.inserted_primary_key[0] in keys
    assert len(set(keys)) == 3
    (column,) = (c for c in sa.inspect(engine).get_columns("t") if c["name"] == "id")
    assert column["autoincrement"]
    assert column["default"] is None
    # SQLAlchemy's own tests want the statement to reach the server, which refuses it;
    # 1.4 refuses it itself.
    refused = (sa.exc.CompileError, sa.exc.NotSupportedError)
    with pytest.raises(refused, match=r"(?i)returning"), engine.begin() as one:
        one.execute(table.insert().returning(table.c.id).values(a=1))


@pytest.mark.parametrize("escape", ["/", "\\", "#"])
def test_patterns_take_any_escape_character(engine, escape):
    values = ["10%", "100", "a/_b", "a//b", "a\\%b", "a#_b", "abb"]
    rows = sa.values(sa.column("v", sa.String), name="rows").data(
        [(v,) for v in values]
    )
    with engine.connect() as connection:
        for part in ("0%", "/_", "//", "\\%", "#_", "bb"):
            query = sa.select(rows.c.v).where(
                rows.c.v.contains(part, autoescape=True, escape=escape)
            )
            found = connection.execute(query).scalars().all()
            assert found == [value for value in values if part in value], part


def test_a_closed_connection_is_a_lost_one(engine):
    with engine.connect() as connection:
        connection.connection.dbapi_connection.close()
        with pytest.raises(sa.exc.InterfaceError, match="closed") as raised:
            connection.exec_driver_sql("SELECT 1")
        assert raised.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        assert connection.get_isolation_level() == "AUTOCOMMIT"
