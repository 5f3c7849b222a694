"""Views through the driver: always fresh, with clauses inside, named when broken."""

from __future__ import annotations

import pytest

import thanosql

QUERY = "tutorial_data/mnist_data/test/923.jpg"
SEARCH = f"SEARCH IMAGE images='{QUERY}' USING m AS SELECT * FROM "


@pytest.fixture
def cursor(empty_cursor):
    empty_cursor.execute("CREATE TABLE t (a INT, b TEXT)")
    empty_cursor.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    empty_cursor.execute("CREATE VIEW v AS SELECT a * 10 AS a10, b FROM t WHERE a > 1")
    return empty_cursor


@pytest.fixture
def rows(cursor):
    return lambda sql: cursor.execute(sql).fetchall()


def test_a_view_has_the_rows_of_now(cursor, rows):
    assert rows("SELECT * FROM v") == [(20, "y"), (30, "z")]
    cursor.execute("INSERT INTO t VALUES (4, 'q')")
    cursor.execute("DELETE FROM t WHERE a = 2")
    assert rows("SELECT a10 FROM public.v AS w WHERE w.b <> 'z'") == [(40,)]
    cursor.execute("CREATE OR REPLACE VIEW v AS SELECT b AS a10 FROM t")
    assert rows("SELECT * FROM v") == [("x",), ("z",), ("q",)]


def test_views_read_views_and_rename_their_columns(cursor, rows):
    cursor.execute('CREATE VIEW w (n, "M m") AS SELECT * FROM v')
    assert rows('SELECT N, "M m" FROM w WHERE n > 20') == [(30, "z")]
    assert rows("SELECT count(*) FROM w JOIN v ON w.n = v.a10") == [(2,)]
    cursor.execute("CREATE TABLE copied AS SELECT * FROM w")
    assert rows("SELECT sum(n) FROM copied") == [(50,)]
    cursor.execute("UPDATE t SET b = 'big' WHERE a * 10 IN (SELECT n FROM w)")
    assert cursor.rowcount == 2


def test_any_query_may_be_a_view(cursor, rows):
    cursor.execute(
        "CREATE VIEW k AS WITH c AS (SELECT a FROM t UNION ALL VALUES (9)) "
        "SELECT a, row_number() OVER (ORDER BY a DESC) AS r FROM c -- end"
    )
    assert rows("SELECT a FROM k WHERE r = 1") == [(9,)]
    cursor.execute("CREATE VIEW listed AS LIST MODEL")
    assert rows("SELECT * FROM listed") == []
    assert rows("LIST TABLE") == [("k",), ("listed",), ("t",), ("v",)]


def test_a_broken_view_is_named_and_can_be_mended(cursor, rows):
    cursor.execute("CREATE VIEW w AS SELECT * FROM v")
    cursor.execute("ALTER TABLE t RENAME a TO c")
    with pytest.raises(thanosql.ProgrammingError) as caught:
        rows("SELECT * FROM w")
    text = "view 'w' cannot be used: view 'v' cannot be used: there is no column 'a'"
    assert str(caught.value).startswith(text)
    assert caught.value.sqlstate == "42703"
    assert rows("SELECT count(*) FROM t") == [(3,)]
    assert ("t",) in rows("LIST TABLE")
    cursor.execute("CREATE OR REPLACE VIEW v AS SELECT c FROM t")
    assert rows("SELECT sum(c) FROM w") == [(6,)]
    cursor.execute("DROP TABLE t")
    with pytest.raises(thanosql.ProgrammingError, match="there is no table 't'"):
        rows("SELECT * FROM v")
    cursor.execute("CREATE TABLE t (c TEXT)")
    assert rows("SELECT * FROM w") == []


def test_circles_are_found_however_long(cursor):
    cursor.execute("CREATE VIEW a1 AS SELECT * FROM v")
    for number in range(2, 6):
        cursor.execute(f"CREATE VIEW a{number} AS SELECT * FROM a{number - 1}")
    with pytest.raises(thanosql.ProgrammingError, match="in a circle: v -> a5 -> a4"):
        cursor.execute("CREATE OR REPLACE VIEW v AS SELECT * FROM a5")


def test_too_many_views_on_one_another_are_refused(cursor, rows):
    cursor.execute("CREATE VIEW e0 AS SELECT 1 AS n")
    for number in range(1, 32):
        cursor.execute(f"CREATE VIEW e{number} AS SELECT * FROM e{number - 1}")
    assert rows("SELECT n FROM e31") == [(1,)]
    cursor.execute("CREATE OR REPLACE VIEW e0 AS SELECT * FROM v")
    with pytest.raises(thanosql.ProgrammingError, match="more than 32 views"):
        rows("SELECT * FROM e31")


def test_views_go_with_what_they_read_if_that_is_asked(cursor, rows):
    cursor.execute("CREATE VIEW w AS SELECT * FROM v")
    cursor.execute("CREATE VIEW other AS SELECT 1 AS a")
    cursor.execute("DROP VIEW v CASCADE")
    assert rows("LIST TABLE") == [("other",), ("t",)]
    cursor.execute("CREATE VIEW v AS SELECT * FROM t")
    cursor.execute("CREATE VIEW w AS SELECT * FROM v")
    cursor.execute("DROP TABLE t CASCADE")
    assert rows("LIST TABLE") == [("other",)]
    cursor.execute("DROP VIEW IF EXISTS v")
    cursor.execute("DROP VIEW other RESTRICT")


def test_views_are_listed_as_such(cursor, rows):
    sql = (
        "SELECT table_name, table_type FROM information_schema.tables "
        "WHERE table_schema = 'public' ORDER BY table_name"
    )
    assert rows(sql) == [("t", "BASE TABLE"), ("v", "VIEW")]
    assert rows("DESCRIBE v") == [("a10", "Int64", "YES"), ("b", "Utf8", "YES")]
    definition = "SELECT a * 10 AS a10, b FROM t WHERE a > 1"
    assert rows("SELECT * FROM thanosql.views") == [("public", "v", definition)]


def test_clauses_in_views_work_as_if_written_there(searchable_connection):
    with searchable_connection.cursor() as cursor:

        def rows(sql):
            return cursor.execute(sql).fetchall()

        cursor.execute(f"CREATE VIEW alike AS SELECT * FROM ({SEARCH} many)")
        cursor.execute("CREATE VIEW best AS SELECT id, m_simclr_similarity1 AS s FROM "
                       "alike ORDER BY s DESC LIMIT 5")  # fmt: skip
        direct = (
            f"SELECT id, m_simclr_similarity1 AS s FROM ({SEARCH} many) "
            "ORDER BY s DESC LIMIT 5"
        )
        assert rows("SELECT * FROM best") == rows(direct)
        two = f"SELECT count(*) FROM best JOIN ({direct}) AS d ON best.id = d.id"
        assert rows(two) == [(5,)]
        # A view of another's pictures, under a clause of its own.
        cursor.execute("CREATE VIEW paths AS SELECT image_path FROM test LIMIT 3")
        cursor.execute("CREATE VIEW embedded AS CONVERT USING m AS SELECT * FROM paths")
        assert rows("SELECT count(m_simclr) FROM embedded") == [(3,)]
        found = rows(f"SELECT * FROM ({SEARCH} embedded)")
        assert len(found) == 3
        for view in ("best", "alike", "embedded", "paths"):
            cursor.execute(f"DROP VIEW {view}")
