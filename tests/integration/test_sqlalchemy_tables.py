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
