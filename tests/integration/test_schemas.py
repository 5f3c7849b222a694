"""Schemas of one's own, and keys that are declared."""

import pytest

import thanosql


@pytest.fixture
def cursor(tmp_path):
    with thanosql.connect(str(tmp_path)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA s")
        cursor.execute('CREATE SCHEMA "S.ä"')
        cursor.execute("CREATE TABLE t (a INT)")
        cursor.execute("INSERT INTO t VALUES (0)")
        yield cursor


def rows(cursor, sql):
    return cursor.execute(sql).fetchall()


@pytest.mark.parametrize("schema", ["s", '"S.ä"', "thanosql.s"])
def test_tables_of_one_name_live_in_several_schemas(cursor, schema):
    table = f"{schema}.t"
    cursor.execute(f"CREATE TABLE {table} (a INT DEFAULT 7, b TEXT)")
    assert cursor.execute(f"INSERT INTO {table} VALUES (1, 'x'), (2, 'y')").rowcount
    cursor.executemany(f"INSERT INTO {table} (b) VALUES (?)", [("z",), ("z",)])
    assert cursor.execute(f"UPDATE {table} SET a = 8 WHERE b = 'z'").rowcount == 2
    assert cursor.execute(f"DELETE FROM {table} WHERE a = 1").rowcount == 1
    cursor.execute(f"ALTER TABLE {table} RENAME COLUMN b TO c")
    cursor.execute(f"COMMENT ON TABLE {table} IS 'mine'")
    cursor.execute(f"CREATE VIEW {schema}.v AS SELECT c FROM {table} WHERE a > 2")
    assert rows(cursor, f"SELECT * FROM {schema}.v") == [("z",), ("z",)]
    assert rows(cursor, "SELECT * FROM t") == [(0,)]
    assert rows(cursor, "SELECT comment FROM thanosql.tables ORDER BY 1") == [
        ("mine",),
        (None,),
    ]
    cursor.execute(f"ALTER TABLE {table} RENAME TO u")
    assert rows(cursor, f"SELECT count(*) FROM {schema}.u") == [(3,)]
    with pytest.raises(thanosql.ProgrammingError, match="there is no table 't'"):
        cursor.execute(f"INSERT INTO {table} VALUES (1, 'x')")


def test_columns_may_be_named_with_their_schema(cursor):
    cursor.execute("CREATE TABLE s.t AS SELECT 1 AS a, 'x' AS b")
    assert rows(cursor, "SELECT s.t.b FROM s.t WHERE s.t.a = 1") == [("x",)]
    assert cursor.execute("UPDATE s.t SET b = 'y' WHERE s.t.a = 1").rowcount == 1
    assert cursor.execute("DELETE FROM s.t WHERE s.t.b = 'y'").rowcount == 1


def test_two_tables_of_one_name_are_told_apart(cursor):
    cursor.execute("CREATE TABLE s.t AS SELECT 5 AS a")
    cursor.execute("INSERT INTO t VALUES (5)")
    with pytest.raises(thanosql.ProgrammingError, match="two tables are called 't'"):
        cursor.execute("UPDATE t SET a = 9 FROM s.t WHERE s.t.a = t.a")
    cursor.execute("UPDATE t AS one SET a = 9 FROM s.t WHERE s.t.a = one.a")
    assert cursor.rowcount == 1
    assert rows(cursor, "SELECT a FROM t ORDER BY a") == [(0,), (9,)]


def test_a_schema_is_dropped_with_what_reads_it(cursor):
    cursor.execute("CREATE TABLE s.t (a INT)")
    cursor.execute("CREATE VIEW v AS SELECT a FROM s.t")
    with pytest.raises(thanosql.ProgrammingError, match="schema 's' holds 't'; DROP"):
        cursor.execute("DROP SCHEMA s")
    cursor.execute("DROP SCHEMA s CASCADE")
    with pytest.raises(thanosql.ProgrammingError, match="there is no schema 's'"):
        cursor.execute("CREATE TABLE s.t (a INT)")
    assert rows(cursor, "SELECT view_name FROM thanosql.views") == []
    assert rows(cursor, "SELECT a FROM t") == [(0,)]
    cursor.execute("CREATE SCHEMA s")
    assert rows(cursor, "SELECT * FROM thanosql.tables WHERE table_schema = 's'") == []


def test_schemas_are_there_for_the_next_server(tmp_path):
    with thanosql.connect(str(tmp_path)) as connection:
        connection.cursor().execute("CREATE SCHEMA s")
        connection.cursor().execute("CREATE TABLE s.t AS SELECT 1 AS a")
    with thanosql.connect(str(tmp_path)) as connection:
        cursor = connection.cursor()
        assert rows(cursor, "SELECT a FROM s.t") == [(1,)]
        names = rows(cursor, "SELECT schema_name FROM information_schema.schemata")
        assert sorted(names) == [("public",), ("s",), ("thanosql",)]


def test_keys_are_kept_as_facts(cursor):
    cursor.execute(
        "CREATE TABLE s.k (a INT PRIMARY KEY, b INT UNIQUE, c INT REFERENCES s.k, "
        "d INT, CONSTRAINT two FOREIGN KEY (b, c) REFERENCES u (x, y) "
        "ON DELETE CASCADE, UNIQUE (c, d))"
    )
    cursor.execute("INSERT INTO s.k VALUES (1, 1, 1, 1), (1, 1, 2, 2)")  # not enforced
    listed = (
        "SELECT constraint_name, constraint_type, column_name, referenced_schema, "
        "referenced_table, referenced_column, delete_rule "
        "FROM thanosql.constraints ORDER BY constraint_name, ordinal_position"
    )
    assert rows(cursor, listed) == [
        ("k_b_key", "UNIQUE", "b", None, None, None, None),
        ("k_c_d_key", "UNIQUE", "c", None, None, None, None),
        ("k_c_d_key", "UNIQUE", "d", None, None, None, None),
        ("k_c_fkey", "FOREIGN KEY", "c", "s", "k", "a", "NO ACTION"),
        ("k_pkey", "PRIMARY KEY", "a", None, None, None, None),
        ("two", "FOREIGN KEY", "b", "public", "u", "x", "CASCADE"),
        ("two", "FOREIGN KEY", "c", "public", "u", "y", "CASCADE"),
    ]
    cursor.execute("ALTER TABLE s.k RENAME COLUMN b TO bb")
    cursor.execute("ALTER TABLE s.k DROP COLUMN d")
    left = {(row[0], row[2]) for row in rows(cursor, listed)}
    assert left == {
        ("k_b_key", "bb"),
        ("k_c_fkey", "c"),
        ("k_pkey", "a"),
        ("two", "bb"),
        ("two", "c"),
    }


def test_joins_on_constants(cursor):
    cursor.execute("CREATE TABLE s.t AS SELECT 1 AS a")
    for condition, found in [("true", [(0, 1)]), ("false", [(0, None)])]:
        query = f"SELECT x.a, y.a FROM t AS x LEFT JOIN s.t AS y ON {condition}"
        assert rows(cursor, query) == found
