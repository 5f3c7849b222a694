"""INSERT ... ON CONFLICT through the driver, alone and many at once."""

from __future__ import annotations

import threading

import pytest

import thanosql


@pytest.fixture
def cursor(empty_cursor):
    empty_cursor.execute(
        "CREATE TABLE stock (id INT PRIMARY KEY, n BIGINT DEFAULT 7, name TEXT)"
    )
    empty_cursor.execute("INSERT INTO stock VALUES (1, 10, 'a'), (2, 20, 'b')")
    return empty_cursor


@pytest.fixture
def rows(cursor):
    return lambda: cursor.execute("SELECT * FROM stock").fetchall()


@pytest.fixture
def run(cursor):
    """Return a function that runs a statement and returns how many rows it changed."""
    return lambda sql, parameters=(): cursor.execute(sql, parameters).rowcount


@pytest.fixture
def refused(cursor):
    """Return a function that runs a statement and returns its SQLSTATE and sentence."""

    def error(sql, parameters=()):
        with pytest.raises(thanosql.Error) as raised:
            cursor.execute(sql, parameters)
        return raised.value.sqlstate, str(raised.value)

    return error


def test_rows_that_are_there_are_changed_in_place_and_others_added(run, rows):
    sql = (
        "INSERT INTO stock VALUES (3, 5, 'y'), (1, 5, 'x') "
        "ON CONFLICT (id) DO UPDATE SET n = stock.n + EXCLUDED.n, name = EXCLUDED.name"
    )
    assert run(sql) == 2
    assert rows() == [(1, 15, "x"), (2, 20, "b"), (3, 5, "y")]


def test_do_nothing_leaves_rows_that_are_there_and_counts_those_added(run, rows):
    sql = "INSERT INTO stock VALUES (9, 1, 'p'), (1, 0, 'q'), (9, 2, 'r'), (8, 3, 's')"
    assert run(f"{sql} ON CONFLICT (id) DO NOTHING") == 2
    assert rows() == [(1, 10, "a"), (2, 20, "b"), (9, 1, "p"), (8, 3, "s")]
    assert run(f"{sql} ON CONFLICT DO NOTHING") == 0
    assert run(f"{sql} ON CONFLICT ON CONSTRAINT stock_pkey DO NOTHING") == 0


def test_a_statement_that_changes_nothing_makes_no_version(run, cursor):
    def versions():
        return len(cursor.execute("SHOW VERSIONS stock").fetchall())

    before = versions()
    assert run("INSERT INTO stock VALUES (1, 0, '') ON CONFLICT DO NOTHING") == 0
    sql = (
        "INSERT INTO stock VALUES (1, 0, '') ON CONFLICT (id) DO UPDATE SET n = 1 "
        "WHERE false"
    )
    assert run(sql) == 0
    assert versions() == before
    sql = (
        "INSERT INTO stock VALUES (1, 0, ''), (5, 5, 'e') "
        "ON CONFLICT (id) DO UPDATE SET n = 1"
    )
    assert run(sql) == 2
    assert versions() == before + 1


def test_a_condition_chooses_which_rows_change_and_defaults_are_proposed(run, rows):
    sql = (
        "INSERT INTO stock AS s (id, name) VALUES (1, 'x'), (2, 'y'), (3, DEFAULT) "
        "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n, name = DEFAULT WHERE s.n > 15"
    )
    assert run(sql) == 2
    assert rows() == [(1, 10, "a"), (2, 7, None), (3, 7, None)]


def test_new_values_are_computed_only_for_rows_that_change(run, rows):
    run("INSERT INTO stock VALUES (4, 0, 'zero')")
    sql = (
        "INSERT INTO stock VALUES (1, 0, 'x'), (4, 0, 'x'), (5, 0, 'x') "
        "ON CONFLICT (id) DO UPDATE SET n = 100 / stock.n WHERE stock.n <> 0"
    )
    assert run(sql) == 2
    assert [n for _, n, _ in rows()] == [10, 20, 0, 0]


def test_parameters_have_the_types_of_their_columns(run, rows, cursor):
    sql = (
        "INSERT INTO stock (id, n) VALUES (?, ?) ON CONFLICT (id) DO UPDATE "
        "SET n = ?, name = ? WHERE stock.n < ?"
    )
    assert run(sql, ["1", 2.0, "33", 4, 11]) == 1
    assert run(sql, [7, None, 0, "", 0]) == 1
    assert rows() == [(1, 33, "4"), (2, 20, "b"), (7, None, None)]


def test_many_rows_of_parameters_are_one_commit(cursor, rows):
    before = len(cursor.execute("SHOW VERSIONS stock").fetchall())
    cursor.executemany(
        "INSERT INTO stock VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET n = EXCLUDED.n + 1, name = EXCLUDED.name",
        [(id, id, str(id)) for id in range(1, 2001)],
    )
    assert cursor.rowcount == 2000
    assert rows()[:3] == [(1, 2, "1"), (2, 3, "2"), (3, 3, "3")]
    assert len(cursor.execute("SHOW VERSIONS stock").fetchall()) == before + 1


def test_parameters_behind_the_rows_run_once_for_each(cursor, rows):
    cursor.executemany(
        "INSERT INTO stock VALUES (?, 0, '') ON CONFLICT (id) DO UPDATE SET n = ?",
        [(1, 5), (1, 6), (3, 1)],
    )
    assert [(id, n) for id, n, _ in rows()] == [(1, 6), (2, 20), (3, 0)]


def test_a_query_gives_the_rows_and_may_read_the_table_itself(run, rows):
    sql = (
        "INSERT INTO stock SELECT id + 1, n, upper(name) FROM stock "
        "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n * 100, name = EXCLUDED.name"
    )
    assert run(sql) == 2
    assert rows() == [(1, 10, "a"), (2, 1000, "A"), (3, 20, "B")]


@pytest.mark.parametrize("id", [1, 50])
def test_a_row_proposed_twice_is_refused_whole(refused, rows, id):
    before = rows()
    sql = (
        f"INSERT INTO stock VALUES (60, 0, ''), ({id}, 1, 'p'), ({id}, 2, 'q') "
        "ON CONFLICT (id) DO UPDATE SET n = 1"
    )
    state, sentence = refused(sql)
    assert state == "21000"
    assert f"the same key (id) = ({id})" in sentence
    assert rows() == before


def test_a_row_that_the_condition_left_alone_may_come_again(run, refused, rows):
    """As in PostgreSQL, where only a row that was changed cannot come again."""
    sql = (
        "INSERT INTO stock VALUES (1, 1, 'p'), (1, 2, 'q') "
        "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n WHERE EXCLUDED.name = "
    )
    assert run(sql + "'q'") == 1
    assert rows()[0] == (1, 2, "a")
    assert refused(sql + "'p'")[0] == "21000"


def test_keys_of_several_columns_in_any_order_and_nulls_are_no_keys(run, cursor):
    cursor.execute("CREATE TABLE pairs (a INT, b TEXT, n INT, UNIQUE (a, b))")
    sql = (
        "INSERT INTO pairs VALUES (1, 'x', 1), (1, 'y', 1), (NULL, 'x', 1) "
        "ON CONFLICT (b, a) DO UPDATE SET n = pairs.n + 1"
    )
    assert [run(sql), run(sql)] == [3, 3]
    found = cursor.execute("SELECT * FROM pairs ORDER BY a, b").fetchall()
    assert found == [(1, "x", 2), (1, "y", 2), (None, "x", 1), (None, "x", 1)]


def test_without_a_target_every_key_counts(run, cursor):
    cursor.execute("CREATE TABLE k (id INT PRIMARY KEY, name TEXT UNIQUE, n INT)")
    sql = "INSERT INTO k VALUES (1, 'a', 0), (2, 'a', 0), (2, 'b', 0), (3, 'b', 0)"
    assert run(f"{sql} ON CONFLICT DO NOTHING") == 2
    assert run("INSERT INTO k VALUES (9, 'b', 0) ON CONFLICT DO NOTHING") == 0
    found = cursor.execute("SELECT id, name FROM k").fetchall()
    assert found == [(1, "a"), (2, "b")]


def test_a_null_where_none_may_be_is_refused_even_for_a_row_that_is_there(refused, run):
    run("CREATE TABLE s (id INT PRIMARY KEY, n INT NOT NULL)")
    run("INSERT INTO s VALUES (1, 1)")
    sql = "INSERT INTO s VALUES ({}, NULL) ON CONFLICT (id) DO UPDATE SET n = 2"
    assert refused(sql.format(1))[0] == refused(sql.format(2))[0] == "23502"


def test_rows_of_several_fragments_and_of_many_batches(cursor, run):
    cursor.execute(
        "CREATE OR REPLACE TABLE stock (id INT PRIMARY KEY, n BIGINT, name TEXT)"
    )
    for start in range(0, 30_000, 10_000):
        run(
            f"INSERT INTO stock SELECT value, 0, 'x' FROM "
            f"range({start}, {start + 10_000})"
        )
    sql = (
        "INSERT INTO stock SELECT value * 7, value, 'y' FROM range(0, 20000) "
        "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n, name = EXCLUDED.name"
    )
    assert run(sql) == 20_000
    (facts,) = cursor.execute(
        "SELECT count(*), count(DISTINCT id), sum(n), "
        "count(*) FILTER (WHERE name = 'y' AND n * 7 = id) FROM stock"
    ).fetchall()
    met = len(range(0, 30_000, 7))
    assert facts == (50_000 - met, 50_000 - met, sum(range(20_000)), 20_000)


def test_writers_of_the_same_keys_add_each_once_and_lose_no_count(tmp_path):
    writers, turns, keys = 4, 6, 5
    with thanosql.connect(tmp_path / "workspace") as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE hits (page TEXT PRIMARY KEY, n BIGINT)")
        errors = []

        def write():
            try:
                with connection.cursor() as mine:
                    for turn in range(turns):
                        mine.execute(
                            "INSERT INTO hits VALUES (?, 1) "
                            "ON CONFLICT (page) DO UPDATE SET n = hits.n + 1",
                            [f"page {turn % keys}"],
                        )
            except thanosql.Error as error:
                errors.append(error)

        threads = [threading.Thread(target=write) for _ in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with connection.cursor() as cursor:
            found = cursor.execute("SELECT * FROM hits ORDER BY page").fetchall()
    assert [page for page, _ in found] == [f"page {n}" for n in range(keys)]
    assert sum(n for _, n in found) == writers * turns
