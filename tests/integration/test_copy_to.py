"""COPY ... TO writes files that COPY ... FROM and other programs read."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thanosql

COLUMNS = (
    "id INT, s TEXT, v VECTOR(2), b BYTEA, ts TIMESTAMP, d DECIMAL(10, 2), f DOUBLE, "
    "day DATE, yes BOOLEAN"
)
FULL = (
    "(1, 'a,\"b', [1.0, 2.0], X'00ff', '2026-01-01 10:00:00', 1.50, 2.5, "
    "'2026-01-02', true)"
)
EMPTY = f"(2{', NULL' * 8})"


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def cursor(workspace):
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t ({COLUMNS})")
        cursor.execute(f"INSERT INTO t VALUES {FULL}, {EMPTY}")
        yield cursor


@pytest.mark.parametrize("kind", ["parquet", "pqt", "arrow", "feather"])
def test_arrow_and_parquet_keep_every_type(cursor, kind):
    cursor.execute(f"COPY t TO 'out.{kind}'")
    assert cursor.rowcount == 2
    cursor.execute(f"COPY u FROM 'out.{kind}'")
    rows = cursor.execute("SELECT * FROM u").fetch_arrow_table()
    assert rows.equals(cursor.execute("SELECT * FROM t").fetch_arrow_table())


def test_a_csv_file_is_plain(cursor, workspace):
    cursor.execute("COPY t TO 'out.csv'")
    with (workspace / "out.csv").open(newline="") as file:
        header, first, second = csv.reader(file)
    assert header == ["id", "s", "v", "b", "ts", "d", "f", "day", "yes"]
    assert first[:4] == ["1", 'a,"b', "[1.0,2.0]", "AP8="]
    assert first[4].startswith("2026-01-01 10:00:00")
    assert first[5:] == ["1.50", "2.5", "2026-01-02", "true"]
    assert second == ["2"] + [""] * 8
    cursor.execute("COPY u FROM 'out.csv'")
    cursor.execute(
        "SELECT id, s, f, day, yes FROM u EXCEPT SELECT id, s, f, day, yes FROM t"
    )
    assert cursor.fetchall() == []


def test_tabs_separate_a_tsv_file(cursor, workspace):
    cursor.execute("COPY (SELECT id, s FROM t) TO 'out.tsv'")
    text = (workspace / "out.tsv").read_text()
    assert text == '"id"\t"s"\n1\t"a,""b"\n2\t\n'


@pytest.mark.parametrize("kind", ["json", "jsonl", "ndjson"])
def test_json_has_one_object_per_line(cursor, workspace, kind):
    cursor.execute(f"COPY (SELECT *, 'NaN'::DOUBLE AS n FROM t) TO 'out.{kind}'")
    text = (workspace / f"out.{kind}").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert rows[0] == {
        "id": 1,
        "s": 'a,"b',
        "v": [1.0, 2.0],
        "b": "AP8=",
        "ts": "2026-01-01T10:00:00",
        "d": "1.50",
        "f": 2.5,
        "day": "2026-01-02",
        "yes": True,
        "n": None,
    }
    assert rows[1] == dict.fromkeys(rows[0]) | {"id": 2}


def test_a_query_with_parameters_is_written(cursor, workspace):
    cursor.execute("COPY (SELECT id FROM t WHERE id > ?) TO ?", [1, "some.csv"])
    assert (cursor.rowcount, (workspace / "some.csv").read_text()) == (1, '"id"\n2\n')


def test_a_file_is_replaced_only_if_asked_for(cursor, workspace):
    cursor.execute("COPY t TO 'out.csv'")
    before = (workspace / "out.csv").read_bytes()
    with pytest.raises(thanosql.ProgrammingError, match="already; choose"):
        cursor.execute("COPY (SELECT 1 AS x) TO 'out.csv'")
    assert (workspace / "out.csv").read_bytes() == before
    cursor.execute("COPY (SELECT 1 AS x) TO 'out.csv' OPTIONS(overwrite=True)")
    assert (workspace / "out.csv").read_text() == '"x"\n1\n'
    cursor.execute("COPY t VERSION AS OF 1 OPTIONS(overwrite=True) TO 'out.csv'")
    assert len((workspace / "out.csv").read_text().splitlines()) == 1


def test_a_failing_query_leaves_no_file(cursor, workspace):
    with pytest.raises(thanosql.DataError, match="divide by zero"):
        cursor.execute("COPY (SELECT 1 / (id - 2) AS x FROM t) TO 'out.csv'")
    with pytest.raises(thanosql.DataError, match=r"out\.parquet' cannot be written"):
        cursor.execute("COPY (SELECT INTERVAL '1 day' AS x) TO 'out.parquet'")
    assert os.listdir(workspace) == [".thanosql"]


def test_a_cancelled_copy_leaves_no_file(cursor, workspace):
    """A million rows, several batches of them, and the leash pulled after the first."""
    pulled = threading.Event()

    def pull(progress):
        if progress.phase == "writing" and not pulled.is_set():
            pulled.set()
            cursor.cancel()

    cursor.execute("CREATE TABLE many AS SELECT value FROM range(3000000)")
    with pytest.raises(thanosql.OperationalError, match="cancelled"):
        cursor.execute(
            "COPY (SELECT a.value FROM many a JOIN many b USING (value) ORDER BY 1) "
            "TO 'out.csv'",
            progress=pull,
        )
    assert pulled.is_set()
    assert os.listdir(workspace) == [".thanosql"]


def test_many_rows_are_written_in_bounded_groups(cursor, workspace):
    cursor.execute("COPY (SELECT value FROM range(300000)) TO 'out.parquet'")
    file = pq.ParquetFile(workspace / "out.parquet")
    assert file.metadata.num_rows == 300_000
    assert all(
        file.metadata.row_group(n).num_rows < 150_000
        for n in range(file.metadata.num_row_groups)
    )
    assert file.read().column(0).to_pylist()[::99999] == [0, 99999, 199998, 299997]


def test_links_do_not_lead_out_of_the_workspace(cursor, workspace, tmp_path):
    (workspace / "link").symlink_to(tmp_path)
    with pytest.raises(thanosql.ProgrammingError, match="outside the server's"):
        cursor.execute("COPY t TO 'link/out.csv'")
    assert not (tmp_path / "out.csv").exists()


def test_arrow_streams_are_read(cursor, workspace):
    table = pa.table({"x": list(range(20000)), "y": ["a"] * 20000})
    with pa.ipc.new_stream(Path(workspace / "in.arrows"), table.schema) as writer:
        writer.write_table(table)
    cursor.execute("COPY u FROM 'in.arrows'")
    assert cursor.execute("SELECT sum(x), count(y) FROM u").fetchall() == [
        (sum(range(20000)), 20000)
    ]
    (workspace / "cut.arrow").write_bytes((workspace / "in.arrows").read_bytes()[:5000])
    with pytest.raises(thanosql.DataError, match=r"cut\.arrow': the Arrow file is dam"):
        cursor.execute("COPY w FROM 'cut.arrow'")
    (workspace / "no.arrow").write_text("something else")
    with pytest.raises(thanosql.DataError, match=r"no\.arrow': this is not an Arrow"):
        cursor.execute("COPY w FROM 'no.arrow'")
