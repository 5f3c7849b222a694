"""influxdata's flightsql-dbapi and its SQLAlchemy dialect against a server of our own.

With pyarrow 18 and SQLAlchemy 1.4, as those who still use it have them. This file is
both halves: the script that makes the environment and starts the server, and the checks
that run in that environment.
"""

from __future__ import annotations

import subprocess
import sys
import traceback

PACKAGES = ("flightsql-dbapi==0.2.2", "pandas<3", "pyarrow>=18,<19", "sqlalchemy<2")


def main():
    """Run the checks in their environment."""
    from surroundings import environment, running_server, verdict

    python = environment("flightsql-dbapi", *PACKAGES)
    with running_server() as (location, token):
        port = location.rpartition(":")[2]
        done = subprocess.run(
            [python, __file__, port, token], capture_output=True, text=True
        )
    print(done.stdout, done.stderr, sep="\n")
    passed = done.stdout.count("ok ")
    if passed + done.stdout.count("failed ") < len(CHECKS):
        sys.exit("the checks did not run to their end")
    verdict("flightsql-dbapi-failures", len(CHECKS) - passed, 0)


# ---- The checks; they run with the packages above


def select(client, engine):
    table = _table(client, client.execute("SELECT 1 AS a, 'x' AS b"))
    assert table.to_pylist() == [{"a": 1, "b": "x"}]
    assert _rows(engine, "SELECT count(*) FROM people") == [(2,)]


def update(client, engine):
    assert client.execute_update("UPDATE people SET name = 'x' WHERE id = 2") == 1
    assert _rows(engine, "SELECT name FROM people WHERE id = 2") == [("x",)]
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO people VALUES (3, 'y')")
    assert client.execute_update("DELETE FROM people WHERE id = 3") == 1


def parameters(client, engine):
    import flightsql

    cursor = flightsql.connect(client).cursor()
    cursor.execute("SELECT name FROM people WHERE id = ? OR name = ?", (1, "nobody"))
    assert cursor.fetchall() == [["ada"]]
    cursor.execute("SELECT ? AS a, ? AS b, ? AS c", (1.5, True, "é"))
    assert cursor.fetchall() == [[1.5, True, "é"]]


def prepared_updates(client, engine):
    from sqlalchemy import text

    with engine.begin() as connection:
        for row in ({"id": 8, "name": "a"}, {"id": 9, "name": "b"}):
            connection.execute(text("INSERT INTO people VALUES (:id, :name)"), row)
    assert client.execute_update("DELETE FROM people WHERE id >= 8") == 2


def tables(client, engine):
    from sqlalchemy import inspect

    listed = _table(client, client.get_tables(table_types=["TABLE"]))
    assert listed["table_name"].to_pylist() == ["people"]
    assert inspect(engine).get_table_names("public") == ["people"]
    assert inspect(engine).has_table("people", "public")
    assert inspect(engine).get_schema_names() == ["public", "thanosql"]


def columns(client, engine):
    from sqlalchemy import inspect, types

    found = inspect(engine).get_columns("people", "public")
    assert [column["name"] for column in found] == ["id", "name"]
    assert isinstance(found[0]["type"], types.Integer)
    assert isinstance(found[1]["type"], types.String)


def keys(client, engine):
    from sqlalchemy import inspect

    key = inspect(engine).get_pk_constraint("people", "public")
    assert key["constrained_columns"] == ["id"]


def reflected(client, engine):
    import sqlalchemy

    metadata = sqlalchemy.MetaData()
    people = sqlalchemy.Table("people", metadata, schema="public", autoload_with=engine)
    with engine.connect() as connection:
        query = sqlalchemy.select(people.c.name).where(people.c.id == 1)
        assert connection.execute(query).fetchall() == [("ada",)]


def errors(client, engine):
    import pyarrow

    text = ""
    try:
        client.execute("SELECT * FROM nothing")
    except (pyarrow.ArrowException, KeyError) as error:
        text = str(error)
    assert "there is no table 'nothing'" in text
    assert "Traceback" not in text


CHECKS = (
    select,
    update,
    parameters,
    prepared_updates,
    tables,
    columns,
    keys,
    reflected,
    errors,
)


def _table(client, info):
    return client.do_get(info.endpoints[0].ticket).read_all()


def _rows(engine, sql):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def _check(port, token):
    import flightsql
    import flightsql.sqlalchemy
    import sqlalchemy

    client = flightsql.FlightSQLClient(
        host="127.0.0.1", port=int(port), insecure=True, token=token
    )
    features = "feature-sqlalchemy-prepared-statements=on&"
    features += "feature-sqlalchemy-primary-keys=on"
    engine = sqlalchemy.create_engine(
        f"datafusion+flightsql://127.0.0.1:{port}?insecure=1&token={token}&{features}"
    )
    client.execute_update("CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT)")
    client.execute_update("INSERT INTO people VALUES (1, 'ada'), (2, NULL)")
    for check in CHECKS:
        try:
            check(client, engine)
        except Exception:
            print(f"failed {check.__name__}:\n{traceback.format_exc()}")
        else:
            print(f"ok {check.__name__}")


if __name__ == "__main__":
    _check(*sys.argv[1:]) if sys.argv[1:] else main()
