"""Vectors that cannot be compared, and other edges, on every way of a search."""

from __future__ import annotations

import math
import threading

import pytest

import thanosql
from thanosql_server.search import nearest

# Of ten rows five have a vector: NULL, zeros, NaN, infinity and a NULL inside have none
# that a cosine can compare; zeros have a distance.
ROWS = """SELECT v AS id, CASE v % 10
  WHEN 0 THEN NULL
  WHEN 1 THEN arrow_cast([0.0, 0.0, 0.0], 'FixedSizeList(3, Float32)')
  WHEN 2 THEN arrow_cast(['NaN'::double, 1.0, 1.0], 'FixedSizeList(3, Float32)')
  WHEN 3 THEN arrow_cast(['inf'::double, 1.0, 1.0], 'FixedSizeList(3, Float32)')
  WHEN 4 THEN arrow_cast([NULL, 1.0, 1.0], 'FixedSizeList(3, Float32)')
  ELSE arrow_cast([cos(v / 100.0), sin(v / 100.0), 0.1], 'FixedSizeList(3, Float32)')
END AS e FROM generate_series(0, {last}) AS g(v)"""
SIZES = {"compared": 299, "coded": 2999}
QUERY = "[1.0, 0.5, 0.1]"


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with (
        thanosql.connect(tmp_path_factory.mktemp("edges")) as connection,
        connection.cursor() as cursor,
    ):
        for name, last in SIZES.items():
            cursor.execute(f"CREATE TABLE {name} AS {ROWS.format(last=last)}")
        cursor.execute("CREATE TABLE empty AS SELECT * FROM coded WHERE id < 0")
        cursor.execute("CREATE TABLE without AS SELECT * FROM coded WHERE id % 10 < 5")
        yield connection


@pytest.fixture
def rows(connection):
    with connection.cursor() as cursor:
        yield lambda *given: cursor.execute(*given).fetchall()


def best(table, k, where="true", query=QUERY, function="cosine_similarity", way="DESC"):
    return (
        f"SELECT id, {function}(e, {query}) AS s FROM {table} WHERE {where} "
        f"ORDER BY s {way} LIMIT {k}"
    )


@pytest.mark.parametrize("table", SIZES)
@pytest.mark.parametrize("function", ["cosine_similarity", "inner_product"])
def test_a_similarity_is_never_nan_and_null_without_a_vector(table, function, rows):
    known = dict(rows(f"SELECT id, {function}(e, {QUERY}) AS s FROM {table}"))
    assert len(known) == SIZES[table] + 1
    compared = {5, 6, 7, 8, 9} | ({1} if function == "inner_product" else set())
    for row, s in known.items():
        assert (s is not None) == (row % 10 in compared)
        assert s is None or math.isfinite(s)
    every = rows(best(table, 10**6, function=function))
    assert dict(every) == known
    without = [row for row, s in every if s is None]
    assert without == sorted(without) == [row for row, _ in every[-len(without) :]]
    assert rows(best(table, 0, function=function)) == []


@pytest.mark.parametrize("table", SIZES)
@pytest.mark.parametrize(
    "where", ["id < 5", "id BETWEEN 20 AND 24 OR id IN (33, 34)", "id < 0"]
)
def test_k_rows_come_where_few_or_none_can_be_compared(table, where, rows):
    kept = rows(f"SELECT id FROM {table} WHERE {where}")
    found = rows(best(table, 12, where))
    assert found == [(row, None) for (row,) in kept[:12]]


@pytest.mark.parametrize("table", [*SIZES, "empty", "without"])
@pytest.mark.parametrize("query", [[0.0, 0.0, 0.0], [math.inf, 1.0, 1.0]])
def test_a_query_that_cannot_be_compared_has_no_similarity(table, query, rows):
    found = rows(best(table, 3, query="?"), (query,))
    first = [row for (row,) in rows(f"SELECT id FROM {table} LIMIT 3")]
    assert found == [(row, None) for row in first]


@pytest.mark.parametrize("table", [*SIZES, "empty"])
def test_a_query_of_another_length_is_refused(table, rows):
    with pytest.raises(thanosql.ProgrammingError, match="of one length") as caught:
        rows(best(table, 3, query="[1.0, 2.0]"))
    assert caught.value.sqlstate == "42000"


@pytest.mark.parametrize("table", SIZES)
def test_lengths_beyond_float32_are_compared(table, rows):
    huge = rows(best(table, 3, query="[1e308, 5e307, 1e307]"))
    small = rows(best(table, 3, query="[1e-308, 5e-309, 1e-309]"))
    plain = rows(best(table, 3))
    assert [row for row, _ in huge] == [row for row, _ in small]
    assert [s for _, s in huge] == pytest.approx([s for _, s in plain], abs=1e-6)


@pytest.mark.parametrize("table", [*SIZES, "empty", "without"])
def test_many_searches_leave_out_what_cannot_be_compared(table, rows):
    comparable = 0 if table in ("empty", "without") else (SIZES[table] + 1) // 2
    for k in (0, 4, 10**6):
        found = rows(
            f"SELECT query_id, id, similarity FROM search_many('{table}', 'e', NULL, "
            f"(SELECT * FROM coded WHERE id < 20), {k})"
        )
        assert len(found) == 10 * min(k, comparable)
        assert all(query % 10 > 4 and row % 10 > 4 for query, row, _ in found)
        assert all(-1 <= s <= 1 for _, _, s in found)


@pytest.mark.parametrize("change", ["REPLACE", "DELETE", "DROP"])
@pytest.mark.parametrize("many", [False, True])
def test_a_table_changed_while_it_is_searched(connection, monkeypatch, change, many):
    """A search sees one version throughout; a dropped table ends it."""
    with connection.cursor() as cursor, connection.cursor() as other:
        cursor.execute("CREATE OR REPLACE TABLE changing AS SELECT * FROM coded")
        sql = best("changing", 5)
        if many:
            sql = (
                "SELECT id, similarity FROM search_many('changing', 'e', NULL, "
                "(SELECT * FROM coded WHERE id = 7), 5)"
            )
        before = cursor.execute(sql).fetchall()
        searching, changed = threading.Event(), threading.Event()
        find = nearest.Nearest.find

        def late(self, search, control):
            searching.set()
            assert changed.wait(60)
            return find(self, search, control)

        monkeypatch.setattr(nearest.Nearest, "find", late)

        def work():
            searching.wait(60)
            statement = {
                "REPLACE": "CREATE OR REPLACE TABLE changing AS SELECT 1 AS id",
                "DELETE": "DELETE FROM changing WHERE id > 3",
                "DROP": "DROP TABLE changing",
            }[change]
            try:
                other.execute(statement)
            finally:
                changed.set()

        changer = threading.Thread(target=work)
        changer.start()
        try:
            if change == "DROP":
                with pytest.raises(thanosql.OperationalError, match="'changing'"):
                    cursor.execute(sql).fetchall()
            else:
                assert cursor.execute(sql).fetchall() == before
        finally:
            changer.join()
            cursor.execute("DROP TABLE IF EXISTS changing")
