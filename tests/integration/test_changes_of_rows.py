"""DELETE, UPDATE and TRUNCATE through the driver, alone and many at once."""

from __future__ import annotations

import threading

import pytest

import thanosql


@pytest.fixture
def cursor(empty_cursor):
    empty_cursor.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a', 1.5), (2, 'b', 2.5), "
        "(3, 'c', NULL), (4, NULL, 4.5)) AS v(id, name, x)"
    )
    return empty_cursor


@pytest.fixture
def rows(cursor):
    return lambda: cursor.execute("SELECT * FROM t").fetchall()


@pytest.fixture
def run(cursor):
    """Return a function that runs a statement and returns how many rows it changed."""
    return lambda sql, parameters=(): cursor.execute(sql, parameters).rowcount


def test_values_may_be_any_expression_over_the_old_row(run, rows):
    assert run("UPDATE t SET x = x * 2, name = upper(name) || id WHERE id <= 2") == 2
    assert rows() == [(1, "A1", 3.0), (2, "B2", 5.0), (3, "c", None), (4, None, 4.5)]


def test_all_values_are_computed_from_the_row_as_it_was(run, rows):
    assert run("UPDATE t SET id = id + 1, x = id") == 4
    assert rows() == [(2, "a", 1.0), (3, "b", 2.0), (4, "c", 3.0), (5, None, 4.0)]


def test_conditions_and_values_may_hold_subqueries_over_the_table(run, rows):
    sql = (
        "UPDATE t AS z SET id = z.id + (SELECT max(id) FROM t) "
        "WHERE z.id IN (SELECT id FROM t WHERE x IS NOT NULL) AND z.id > 2"
    )
    assert run(sql) == 1
    assert [id for id, _, _ in rows()] == [1, 2, 3, 8]
    assert run("DELETE FROM t WHERE id = (SELECT max(id) FROM t)") == 1
    assert [id for id, _, _ in rows()] == [1, 2, 3]


def test_parameters_take_the_type_of_their_column(run, rows, cursor):
    assert run("UPDATE t SET id = ?, x = ? WHERE name = ?", ["7", 3, "a"]) == 1
    assert rows()[0] == (7, "a", 3.0)
    cursor.executemany("DELETE FROM t WHERE id = ?", [(7,), (2,), (99,)])
    assert cursor.rowcount == 2
    assert [id for id, _, _ in rows()] == [3, 4]


def test_rows_of_other_tables_give_conditions_and_values(run, rows):
    sql = (
        "UPDATE t SET x = u.k FROM (VALUES (1, 10), (3, 30), (3, 30)) AS u(i, k) "
        "WHERE u.i = t.id"
    )
    assert run(sql) == 2
    assert [x for _, _, x in rows()] == [10.0, 2.5, 30.0, 4.5]
    assert run("DELETE FROM t USING (VALUES (1), (1), (9)) u(k) WHERE id = u.k") == 1


def test_no_value_is_null_and_a_value_of_nothing_changes_nothing(run, rows):
    assert run("UPDATE t SET name = NULL, x = DEFAULT WHERE id < 3") == 2
    assert rows() == [(1, None, None), (2, None, None), (3, "c", None), (4, None, 4.5)]
    assert run("UPDATE t SET id = 0 WHERE NULL") == 0
    assert run("DELETE FROM t WHERE name = 'nobody'") == 0


def test_names_are_looked_up_as_in_queries(run, rows):
    run('CREATE TABLE q AS SELECT 1 AS "Image_Path", 2 AS "order by"')
    assert run('UPDATE q SET image_path = q."order by", "order by" = 5') == 1
    assert run("UPDATE public.t SET ID = 9 WHERE t.id = 1") == 1
    assert rows()[0][0] == 9


def test_all_rows_go_without_a_condition(run, rows):
    assert run("DELETE FROM t") == 4
    assert rows() == []
    run("INSERT INTO t VALUES (1, 'x', 2)")
    assert run("TRUNCATE TABLE t") == -1
    assert rows() == []


def test_a_value_may_come_from_a_window_over_the_rows_concerned(run, rows):
    assert run("UPDATE t SET x = row_number() OVER (ORDER BY id DESC)") == 4
    assert [x for _, _, x in rows()] == [4.0, 3.0, 2.0, 1.0]


def test_rows_found_by_a_search_are_changed(cursor, searchable_connection):
    with searchable_connection.cursor() as cursor:
        cursor.execute("CREATE TABLE found AS SELECT * FROM many")
        search = (
            "(SELECT id FROM (SEARCH IMAGE "
            "image='tutorial_data/mnist_data/test/923.jpg' USING m AS "
            "SELECT * FROM found) ORDER BY m_simclr_similarity1 DESC LIMIT 3)"
        )
        best = cursor.execute(f"SELECT * FROM {search}").fetchall()
        cursor.execute(f"UPDATE found SET label = -1 WHERE id IN {search}")
        assert cursor.rowcount == 3
        marked = cursor.execute("SELECT id FROM found WHERE label = -1").fetchall()
        assert sorted(marked) == sorted(best)
        cursor.execute(f"DELETE FROM found WHERE id IN {search}")
        assert cursor.rowcount == 3
        left = cursor.execute("SELECT count(*) FROM found WHERE label = -1").fetchall()
        assert left == [(0,)]


def test_an_embedding_stays_when_the_path_is_changed(searchable_connection):
    with searchable_connection.cursor() as cursor:
        cursor.execute("CREATE TABLE moved AS SELECT * FROM test")
        sql = "SELECT m_simclr FROM moved"
        before = cursor.execute(sql).fetch_arrow_table()
        cursor.execute("UPDATE moved SET image_path = 'elsewhere.jpg'")
        assert cursor.execute(sql).fetch_arrow_table() == before


def test_a_described_statement_knows_the_types_of_its_parameters(tmp_path, cursor):
    from thanosql_server.config import Config
    from thanosql_server.engine.engine import Engine

    engine = Engine(Config(tmp_path))
    plan = engine.plan("UPDATE t SET x = ?, name = ?, id = ? + 1 WHERE id = ?")
    types = [str(field.type) for field in plan.parameters]
    assert types == ["double", "string", "int64", "int64"]
    engine.close()


def test_a_snapshot_being_read_is_not_disturbed(tmp_path, cursor):
    cursor.execute("CREATE TABLE big AS SELECT * FROM generate_series(1, 200000) s(x)")
    with thanosql.connect(tmp_path) as other, other.cursor() as reading:
        reading.execute("SELECT x FROM big")
        first = reading.fetchmany(10)
        cursor.execute("DELETE FROM big")
        cursor.execute("SELECT count(*) FROM big")
        assert cursor.fetchall() == [(0,)]
        assert len(first) + len(reading.fetchall()) == 200000


def test_writers_at_once_keep_the_sum(tmp_path, cursor):
    """Four connections of two servers move amounts; all succeed or say 40001."""
    cursor.execute("CREATE TABLE bank AS SELECT i, 100 AS amount FROM "
                   "generate_series(0, 9) s(i)")  # fmt: skip
    refused = []

    def move(number):
        with thanosql.connect(tmp_path) as connection, connection.cursor() as mine:
            for turn in range(6):
                a, b = (number * 3 + turn) % 10, (number + turn * 7 + 1) % 10
                sql = (
                    "UPDATE bank SET amount = amount + (i = ?)::int - (i = ?)::int "
                    "WHERE i IN (?, ?)"
                )
                try:
                    mine.execute(sql, [a, b, a, b])
                except thanosql.OperationalError as error:
                    refused.append(error.sqlstate)

    threads = [threading.Thread(target=move, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cursor.execute("SELECT sum(amount), count(*) FROM bank")
    assert cursor.fetchall() == [(1000, 10)]
    assert set(refused) <= {"40001"}
