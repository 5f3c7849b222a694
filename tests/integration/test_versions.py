"""Versions of tables through the driver: read, listed, restored, removed."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

import thanosql


@pytest.fixture
def cursor(empty_cursor):
    """Five versions of t: created, inserted, deleted, updated, altered."""
    empty_cursor.execute("CREATE TABLE t (id INT, s TEXT)")
    empty_cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    empty_cursor.execute("DELETE FROM t WHERE id = 1")
    empty_cursor.execute("UPDATE t SET s = 'z'")
    empty_cursor.execute("ALTER TABLE t ADD c INT DEFAULT 5")
    return empty_cursor


@pytest.fixture
def rows(cursor):
    return lambda sql, *values: cursor.execute(sql, *values).fetchall()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM t VERSION AS OF 1", []),
        ("SELECT * FROM t VERSION AS OF 2", [(1, "a"), (2, "b")]),
        ("SELECT t.s FROM public.t VERSION AS OF 3 WHERE t.id = 2", [("b",)]),
        ('SELECT "t".s FROM thanosql.public."t" VERSION AS OF 4', [("z",)]),
        ("SELECT o.s, t.s FROM t VERSION AS OF 2 o JOIN t USING (id)", [("b", "z")]),
        ("SELECT max(o.s) FROM t FOR VERSION AS OF 2 AS o", [("b",)]),
        (
            "SELECT count(*) FROM (SELECT id FROM t VERSION AS OF 2 EXCEPT "
            "SELECT id FROM t VERSION AS OF 3)",
            [(1,)],
        ),
        ("SELECT count(*) FROM t TIMESTAMP AS OF '2999-01-01'", [(1,)]),
    ],
)
def test_an_old_version_is_read(rows, text, expected):
    assert rows(text) == expected


def test_a_version_may_be_a_parameter(rows):
    assert rows("SELECT count(*) FROM t VERSION AS OF ? WHERE id > ?", [2, 0]) == [(2,)]
    now = datetime.now(timezone.utc)
    assert rows("SELECT s FROM t TIMESTAMP AS OF ?", [now]) == [("z",)]


def test_times_choose_the_version_that_was_newest_then(rows):
    times = dict(rows("SELECT version, committed_utc FROM thanosql.versions"))
    for version, columns in ((1, 2), (3, 2), (5, 3)):
        rows(f"SELECT * FROM t TIMESTAMP AS OF '{times[version].isoformat()}'")
        found = rows("SELECT * FROM t TIMESTAMP AS OF ?", [times[version]])
        assert len(found) == (version > 1)
        assert all(len(row) == columns for row in found)


def test_versions_are_listed_newest_first(cursor, rows):
    found = rows("SHOW VERSIONS t")
    assert [column[0] for column in cursor.description] == [
        "table_schema",
        "table_name",
        "version",
        "committed_utc",
        "operation",
        "rows",
        "bytes",
    ]
    assert [(row[1], row[2], row[4], row[5]) for row in found] == [
        ("t", 5, "alter", 1),
        ("t", 4, "update", 1),
        ("t", 3, "delete", 1),
        ("t", 2, "insert", 2),
        ("t", 1, "create", 0),
    ]
    assert all(row[6] > 0 for row in found[:-1])
    assert abs((datetime.now(timezone.utc) - found[0][3]).total_seconds()) < 300
    assert rows("SHOW VERSIONS FROM t")[0][:3] == ("public", "t", 5)


def test_a_restored_version_is_the_newest_and_nothing_is_lost(cursor, rows):
    rows_before = rows("SELECT * FROM t")
    cursor.execute("RESTORE TABLE t TO VERSION AS OF 2")
    assert rows("SELECT * FROM t") == [(1, "a"), (2, "b")]
    assert rows("SHOW VERSIONS t")[0][2:5:2] == (6, "restore")
    cursor.execute("INSERT INTO t VALUES (3, 'c')")
    cursor.execute("RESTORE t TO VERSION ?", [5])
    assert rows("SELECT * FROM t") == rows_before


def test_vacuum_removes_what_was_replaced(cursor, rows):
    cursor.execute("CREATE TABLE other AS SELECT 1 AS x")
    cursor.execute("VACUUM")
    assert cursor.notes == ["0 old versions and 0 bytes removed"]
    cursor.execute("VACUUM t RETAIN 0 HOURS")
    assert cursor.notes[0].startswith("4 old versions and ")
    assert [row[2] for row in rows("SHOW VERSIONS t")] == [5]
    assert rows("SELECT * FROM t") == [(2, "z", 5)]
    with pytest.raises(thanosql.DataError, match="no version 2; it has 5 to 5"):
        rows("SELECT * FROM t VERSION AS OF 2")


def test_views_and_changes_read_old_versions(cursor, rows):
    cursor.execute("CREATE VIEW v AS SELECT id FROM t VERSION AS OF 2")
    cursor.execute("INSERT INTO t (id, s) SELECT id, 'again' FROM v WHERE id = 1")
    cursor.execute("UPDATE t SET s = o.s FROM t VERSION AS OF 2 AS o WHERE o.id = t.id")
    assert sorted(rows("SELECT id, s FROM t")) == [(1, "a"), (2, "b")]


def test_a_column_may_still_be_called_version(rows):
    assert rows("SELECT version AS of FROM (SELECT 7 AS version) AS x") == [(7,)]
    assert rows("SELECT x.version FROM (VALUES (1)) AS x (version)") == [(1,)]


def test_a_search_of_an_old_version_sees_its_rows(cursor, rows):
    vectors = np.random.default_rng(0).standard_normal((2000, 8)).astype(np.float32)
    cursor.execute("CREATE TABLE p (id INT, v VECTOR(8))")
    values = [(key, vector.tolist()) for key, vector in enumerate(vectors)]
    cursor.executemany("INSERT INTO p VALUES (?, ?)", values)
    best = [float(number) for number in vectors[11]]
    order = f"ORDER BY inner_product(v, {best}) DESC LIMIT 3"
    scores = vectors @ vectors[11]
    nearest = [(int(key),) for key in np.argsort(-scores)[:4]]
    cursor.execute("DELETE FROM p WHERE id = ?", nearest[0])
    assert rows(f"SELECT id FROM p {order}") == nearest[1:]
    assert rows(f"SELECT id FROM p VERSION AS OF 2 {order}") == nearest[:3]
    plan = rows(f"EXPLAIN SELECT id FROM p VERSION AS OF 2 {order}")
    assert ("thanosql", "TopK exact int8 k=3") in plan
