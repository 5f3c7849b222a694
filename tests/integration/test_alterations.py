"""ALTER TABLE through the driver."""

from __future__ import annotations

import pytest

import thanosql


@pytest.fixture
def cursor(empty_cursor):
    empty_cursor.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, s TEXT DEFAULT '5' COMMENT 'c', x DOUBLE)"
    )
    empty_cursor.execute("INSERT INTO t VALUES (1, '10', 1.7), (2, DEFAULT, NULL)")
    return empty_cursor


@pytest.fixture
def alter(cursor):
    return lambda change: cursor.execute(f"ALTER TABLE t {change}")


@pytest.fixture
def rows(cursor):
    return lambda what="*": cursor.execute(f"SELECT {what} FROM t").fetchall()


def test_a_new_column_has_nulls_or_its_default(alter, rows, cursor):
    alter("ADD COLUMN n BIGINT")
    alter("ADD d TEXT NOT NULL DEFAULT 'x' || 'y' COMMENT 'new'")
    alter("ADD IF NOT EXISTS n TEXT")
    alter("ADD COLUMN v VECTOR(2) DEFAULT [1, 2]")
    assert rows() == [
        (1, "10", 1.7, None, "xy", [1.0, 2.0]),
        (2, "5", None, None, "xy", [1.0, 2.0]),
    ]
    cursor.execute("INSERT INTO t (id) VALUES (3)")
    assert rows()[2] == (3, "5", None, None, "xy", [1.0, 2.0])
    with pytest.raises(thanosql.IntegrityError):
        cursor.execute("INSERT INTO t (id, d) VALUES (4, NULL)")


def test_a_column_that_allows_no_nulls_comes_into_an_empty_table(alter, cursor, rows):
    cursor.execute("DELETE FROM t")
    alter("ADD n INT NOT NULL")
    cursor.execute("INSERT INTO t (id, n) VALUES (1, 1)")
    with pytest.raises(thanosql.IntegrityError):
        cursor.execute("INSERT INTO t (id) VALUES (2)")
    assert rows("id, n") == [(1, 1)]


def test_a_dropped_column_may_come_again(alter, rows):
    alter("DROP COLUMN s")
    alter("DROP IF EXISTS s")
    alter("ADD s INT DEFAULT 7")
    assert rows() == [(1, 1.7, 7), (2, None, 7)]


def test_a_renamed_column_keeps_what_is_declared(alter, rows, cursor):
    alter('RENAME COLUMN S TO "The s"')
    cursor.execute("INSERT INTO t (id) VALUES (3)")
    assert rows('"The s"') == [("10",), ("5",), ("5",)]
    cursor.execute("SELECT column_default, comment FROM thanosql.columns "
                   "WHERE column_name = 'The s'")  # fmt: skip
    assert cursor.fetchall() == [("'5'", "c")]


def test_values_are_cast_to_a_new_type_or_computed(alter, rows, cursor):
    alter("ALTER s TYPE INT")
    assert rows("s + 1") == [(11,), (6,)]
    alter("ALTER COLUMN s SET DATA TYPE TEXT USING 'v' || s || id")
    alter("ALTER x TYPE SMALLINT USING x + (SELECT max(id) FROM t)")
    assert rows() == [(1, "v101", 3), (2, "v52", None)]
    cursor.execute("INSERT INTO t (id) VALUES (3)")
    assert rows()[2] == (3, "5", None)
    cursor.execute("SELECT comment FROM thanosql.columns WHERE column_name = 's'")
    assert cursor.fetchall() == [("c",)]


def test_a_default_must_fit_a_new_type(alter, cursor):
    alter("ALTER s SET DEFAULT 'five'")
    with pytest.raises(thanosql.ProgrammingError, match="DROP DEFAULT first"):
        alter("ALTER s TYPE INT")
    alter("ALTER s DROP DEFAULT")
    alter("ALTER s TYPE INT")


def test_nulls_are_refused_from_then_on(alter, rows, cursor):
    with pytest.raises(thanosql.IntegrityError, match="holds NULLs"):
        alter("ALTER x SET NOT NULL")
    cursor.execute("UPDATE t SET x = 5 WHERE x IS NULL")
    alter("ALTER x SET NOT NULL")
    with pytest.raises(thanosql.IntegrityError, match="is NOT NULL"):
        cursor.execute("INSERT INTO t (id) VALUES (3)")
    alter("ALTER x DROP NOT NULL")
    cursor.execute("INSERT INTO t (id) VALUES (3)")
    assert rows("x") == [(1.7,), (5.0,), (None,)]
    with pytest.raises(thanosql.ProgrammingError, match="belongs to the key"):
        alter("ALTER id DROP NOT NULL")


def test_a_default_concerns_rows_to_come(alter, rows, cursor):
    alter("ALTER COLUMN x SET DEFAULT 3 + 4")
    cursor.execute("INSERT INTO t (id) VALUES (3)")
    alter("ALTER COLUMN x DROP DEFAULT")
    cursor.execute("INSERT INTO t (id) VALUES (4)")
    assert rows("x") == [(1.7,), (None,), (7.0,), (None,)]


def test_a_table_takes_another_name(alter, cursor):
    alter("RENAME TO u")
    cursor.execute("INSERT INTO u (id) VALUES (3)")
    assert cursor.execute("SELECT count(*) FROM u").fetchall() == [(3,)]
    with pytest.raises(thanosql.ProgrammingError, match="there is no table 't'"):
        cursor.execute("SELECT * FROM t")
    cursor.execute("ALTER TABLE IF EXISTS t RENAME TO v")
    cursor.execute("CREATE TABLE t (a INT)")
    assert cursor.execute("LIST TABLE").fetchall() == [("t",), ("u",)]


def test_each_change_is_one_version(tmp_path, alter):
    from thanosql_server.config import Config
    from thanosql_server.storage.workspace import Workspace

    workspace = Workspace.open(Config(tmp_path))
    for change in (
        "ADD a INT",
        "ADD b INT NOT NULL DEFAULT 5",
        "ALTER b TYPE TEXT",
        "RENAME b TO c",
        "ALTER c SET DEFAULT 'x'",
        "ALTER c DROP NOT NULL",
        "DROP c",
    ):
        before = workspace.tables.open("t").version
        alter(change)
        assert workspace.tables.open("t").version == before + 1, change
    workspace.close()


def test_an_embedding_can_be_dropped_and_renamed(searchable_connection):
    with searchable_connection.cursor() as cursor:
        cursor.execute("CREATE TABLE emb AS SELECT image_path, label FROM test")
        convert = "CONVERT USING m OPTIONS (table_name='emb') AS SELECT * FROM emb"
        cursor.execute(convert)
        cursor.execute("ALTER TABLE emb RENAME m_simclr TO look")
        cursor.execute("SELECT count(look) FROM emb")
        assert cursor.fetchall() == [(30,)]
        cursor.execute("ALTER TABLE emb DROP look")
        cursor.execute(convert)
        cursor.execute("SELECT * FROM emb")
        names = [one[0] for one in cursor.description]
        assert names == ["image_path", "label", "m_simclr"]
