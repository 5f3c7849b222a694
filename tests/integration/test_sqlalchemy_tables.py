"""Tables made and changed by SQLAlchemy and pandas, on a real server."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pandas as pd
import pytest
import sqlalchemy as sa


@pytest.fixture
def engine(tmp_path):
    engine = sa.create_engine(f"thanosql:///{tmp_path}")
    yield engine
    engine.dispose()


def test_a_data_frame_goes_into_a_table_and_comes_back(engine):
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [1.5, None, 2.5],
            "s": ["a", None, "c"],
            "b": [True, False, True],
            "t": pd.to_datetime(["2024-01-01 01:02:03.123456"] * 3),
            "z": pd.to_datetime(["2024-01-01"] * 3).tz_localize("Asia/Seoul"),
        }
    )
    frame.to_sql("x", engine)
    back = pd.read_sql("SELECT * FROM x ORDER BY i", engine)
    assert list(back.columns) == ["index", *frame.columns]
    assert back["i"].tolist() == [1, 2, 3]
    assert back["f"].fillna(0).tolist() == [1.5, 0, 2.5]
    assert back["s"].fillna("").tolist() == ["a", "", "c"]
    assert back["b"].tolist() == [True, False, True]
    assert (back["t"] == frame["t"]).all()
    assert (back["z"] == frame["z"]).all()
    frame.to_sql("x", engine, if_exists="append")
    assert pd.read_sql("SELECT count(*) AS n FROM x", engine)["n"].tolist() == [6]
    frame.to_sql("x", engine, if_exists="replace", index=False)
    assert pd.read_sql_table("x", engine).shape == (3, 6)


def test_tables_are_made_changed_and_reflected(engine):
    metadata = sa.MetaData()
    table = sa.Table(
        "k",
        metadata,
        sa.Column("a", sa.Integer, primary_key=True),
        sa.Column("b", sa.String(20), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, server_default="q"),
        sa.Column("p", sa.Numeric(10, 2)),
        sa.Column("at", sa.DateTime(timezone=True)),
    )
    metadata.create_all(engine)
    now = datetime.datetime(2024, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
    rows = [
        {"a": 1, "b": "x", "name": "n", "p": Decimal("1.25"), "at": now},
        {"a": 2, "b": "y", "name": "m", "p": None, "at": None},
    ]
    with engine.begin() as connection:
        connection.execute(table.insert(), rows)
        connection.execute(table.insert().values(a=3, b="z"))
        update = table.update().where(table.c.a == 2).values(name="changed")
        assert connection.execute(update).rowcount == 1
        assert connection.execute(table.delete().where(table.c.a == 1)).rowcount == 1
        found = connection.execute(sa.select(table.c.a, table.c.name)).fetchall()
    assert found == [(2, "changed"), (3, "q")]
    inspector = sa.inspect(engine)
    assert inspector.get_pk_constraint("k")["constrained_columns"] == ["a", "b"]
    nullable = {one["name"]: one["nullable"] for one in inspector.get_columns("k")}
    assert nullable == {"a": False, "b": False, "name": False, "p": True, "at": True}
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW v AS SELECT a FROM k"))
    assert sa.inspect(engine).get_view_names() == ["v"]
    metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []


def test_polars_writes_and_reads(engine):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, None]})
    assert frame.write_database("x", engine, if_table_exists="replace") == 2
    assert frame.write_database("x", engine, if_table_exists="append") == 2
    back = polars.read_database("SELECT * FROM x ORDER BY a", engine)
    assert back.rows() == [
        (1, "x", 1.5),
        (1, "x", 1.5),
        (2, None, None),
        (2, None, None),
    ]


@pytest.mark.parametrize("method", [None, "multi"])
@pytest.mark.parametrize(("mode", "rows"), [("replace", 3), ("append", 6)])
def test_a_data_frame_meets_a_table_that_is_there(engine, method, mode, rows):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert frame.to_sql("x", engine, method=method) == 3
    with pytest.raises(ValueError, match="already exists"):
        frame.to_sql("x", engine, method=method)
    assert frame.to_sql("x", engine, method=method, if_exists=mode) == 3
    assert len(pd.read_sql_table("x", engine)) == rows


def test_schemas_keys_and_comments_are_reflected(engine):
    metadata = sa.MetaData(schema="s")
    one = sa.Table(
        "one", metadata, sa.Column("id", sa.BigInteger, primary_key=True), comment="1"
    )
    sa.Table(
        "two",
        metadata,
        sa.Column("a", sa.BigInteger, sa.ForeignKey(one.c.id, ondelete="CASCADE")),
        sa.Column("b", sa.CHAR(3), comment="three", unique=True),
    )
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("s"))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW s.v AS SELECT id FROM s.one"))
    inspector = sa.inspect(engine)
    assert inspector.get_schema_names() == ["public", "s", "thanosql"]
    assert inspector.get_table_names("s") == ["one", "two"]
    assert inspector.get_table_names() == []
    assert inspector.get_view_definition("v", "s") == "SELECT id FROM s.one"
    assert inspector.get_table_comment("one", "s") == {"text": "1"}
    found = sa.Table("two", sa.MetaData(), autoload_with=engine, schema="s")
    assert isinstance(found.c.b.type, sa.CHAR)
    assert (found.c.b.type.length, found.c.b.comment) == (3, "three")
    (key,) = found.c.a.foreign_keys
    assert (key.target_fullname, key.ondelete) == ("s.one.id", "CASCADE")
    (unique,) = inspector.get_unique_constraints("two", "s")
    assert unique["column_names"] == ["b"]
