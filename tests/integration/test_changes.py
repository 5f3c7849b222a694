"""Statements that make and fill tables, and who sees what they did."""

from __future__ import annotations

import numpy as np
import pytest

import thanosql


def test_a_folder_becomes_a_table_with_embeddings(cursor):
    cursor.execute("CREATE TABLE p USING m FROM 'tutorial_data/mnist_data/test'")
    assert cursor.rowcount == 30
    cursor.execute("SELECT image_path, filename, m_simclr FROM p")
    made = cursor.fetch_arrow_table()
    assert made.column("m_simclr").null_count == 0
    cursor.execute("CONVERT USING m AS SELECT image_path, filename FROM test")
    converted = cursor.fetch_arrow_table().sort_by("image_path")
    assert converted.column("filename") == made.column("filename")
    for one, other in zip(
        made.column("m_simclr").to_pylist(),
        converted.column("m_simclr").to_pylist(),
        strict=True,
    ):
        assert np.allclose(one, other, atol=1e-5)


def test_a_query_becomes_a_table(cursor):
    cursor.execute(
        "CREATE TABLE eights AS SELECT * FROM (CONVERT USING m AS "
        "SELECT * FROM test WHERE label = 8)"
    )
    assert cursor.rowcount == 3
    labels = cursor.execute("SELECT DISTINCT label FROM eights").fetchall()
    assert labels == [(8,)]
    cursor.execute("CREATE TABLE IF NOT EXISTS eights AS SELECT 1 AS a")
    assert cursor.rowcount == 0
    cursor.execute("CREATE OR REPLACE TABLE eights AS SELECT 1 AS a")
    assert cursor.execute("SELECT * FROM eights").fetchall() == [(1,)]


def test_rows_are_inserted_with_parameters_and_many_at_once(cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a, 'one' AS b")
    cursor.execute("INSERT INTO t VALUES (?, ?)", [2, "two"])
    assert cursor.rowcount == 1
    cursor.executemany("INSERT INTO t (b, a) VALUES (?, ?)", [("x", 3), (None, 4)])
    assert cursor.rowcount == 2
    cursor.execute("INSERT INTO t SELECT a + 10, b FROM t WHERE a < 3")
    assert cursor.rowcount == 2
    rows = cursor.execute("SELECT * FROM t ORDER BY a").fetchall()
    assert rows == [
        (1, "one"),
        (2, "two"),
        (3, "x"),
        (4, None),
        (11, "one"),
        (12, "two"),
    ]


def test_a_convert_replaces_its_column_and_keeps_the_others(cursor):
    convert = "CONVERT USING m OPTIONS (table_name='test') AS SELECT * FROM test"
    first = cursor.execute(convert).fetch_arrow_table()
    second = cursor.execute(convert).fetch_arrow_table()
    assert first == second
    assert cursor.execute("SELECT * FROM test").fetch_arrow_table() == second


def test_a_convert_makes_a_table_of_another_name(cursor):
    cursor.execute(
        "CONVERT USING m OPTIONS (table_name='other', result_col='vec') AS "
        "SELECT filename, image_path FROM test WHERE label < 5"
    )
    made = cursor.fetch_arrow_table()
    assert made.schema.names == ["filename", "image_path", "vec"]
    assert made.num_rows == 15
    assert cursor.execute("SELECT * FROM other").fetch_arrow_table() == made
    names = cursor.execute("SELECT * FROM test").fetch_arrow_table().schema.names
    assert names == ["image_path", "filename", "label"]


def test_a_new_table_shows_at_once_on_other_connections(workspace, cursor):
    with thanosql.connect(workspace) as other, other.cursor() as watching:
        watching.execute("LIST TABLE")
        assert watching.fetchall() == [("test",), ("train",)]
        cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert watching.execute("SELECT a FROM t").fetchall() == [(1,)]
        assert ("t",) in watching.execute("LIST TABLE").fetchall()
        cursor.execute("INSERT INTO t VALUES (2)")
        assert watching.execute("SELECT sum(a) FROM t").fetchall() == [(3,)]
        cursor.execute("DROP TABLE t")
        with pytest.raises(thanosql.ProgrammingError, match="there is no table 't'"):
            watching.execute("SELECT a FROM t")


def test_a_folder_with_unreadable_pictures_is_one_warning(workspace, cursor):
    """Nine thousand files come in two batches; the count is of them all."""
    folder = workspace / "many"
    folder.mkdir()
    for number in range(9000):
        (folder / f"{number:04}.jpg").touch()
    cursor.execute("CREATE TABLE many USING m FROM 'many'")
    assert cursor.rowcount == 9000
    (warning,) = cursor.warnings
    assert warning.startswith("9000 of 9000 pictures could not be read and have no")
    nulls = "SELECT count(*) FROM many WHERE m_simclr IS NULL"
    assert cursor.execute(nulls).fetchall() == [(9000,)]
