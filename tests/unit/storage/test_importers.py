from __future__ import annotations

import os
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData, InvalidValue
from thanosql_server.storage import csv_files
from thanosql_server.storage.importers import read_file


def test_parquet_comes_as_it_is(tmp_path, tables):
    table = pa.table({"a": [1, None, 3], "b": [[1.0], None, []]})
    for name in ("x.parquet", "x.PQT"):
        pq.write_table(table, tmp_path / name)
        assert read_file(tmp_path / name, name).read_all().equals(table)


def test_parquet_with_categories_can_be_stored(tmp_path, tables):
    categories = pa.array(["a", "b", None, "a"]).dictionary_encode()
    pq.write_table(pa.table({"c": categories}), tmp_path / "x.parquet")
    assert tables.create("t", read_file(tmp_path / "x.parquet", "x.parquet")) == 4
    (batch,) = tables.open("t").scan()
    assert batch.to_pydict() == {"c": ["a", "b", None, "a"]}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n"])
def test_file_that_is_no_parquet(tmp_path, content):
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InvalidData, match=r"'x\.parquet': this is not a Parquet file"):
        read_file(tmp_path / "x.parquet", "x.parquet")


def test_damaged_parquet_file(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    with pytest.raises(InvalidData, match=r"'x\.parquet': the Parquet file is damaged"):
        read_file(path, "x.parquet").read_all()


def test_cancelled_statement_stops_reading(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": list(range(20_000))}), path)
    control = Control()
    reader = read_file(path, "x.parquet", control=control)
    reader.read_next_batch()
    control.cancel()
    with pytest.raises(Cancelled):
        reader.read_next_batch()


@pytest.mark.parametrize("name", ["x.xls", "x", "x.csv.gz", ".csv"])
def test_unknown_kind_names_the_known_ones(tmp_path, name):
    (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(InvalidValue) as caught:
        read_file(tmp_path / name, f"my/{name}")
    known = "csv, tsv, parquet, pqt, arrow, arrows, feather, json, jsonl, ndjson"
    assert caught.value.message.startswith(
        f"'my/{name}' is of no known kind; files that can be read end in {known}"
    )


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_file_that_cannot_be_opened_is_told_without_its_path(tmp_path, kind):
    with pytest.raises(InvalidData, match="cannot be read: ") as caught:
        read_file(tmp_path / f"x.{kind}", f"x.{kind}")
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.json", "x.parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, name, monkeypatch):
    """Of a file of 60 MB, at no time more than 25 MB are held."""
    monkeypatch.setattr(csv_files, "_LONGEST_ROW", 1 << 18)
    path = tmp_path / name
    write_big(path)
    before = pa.total_allocated_bytes()
    highest = 0
    tracemalloc.start()
    reader = read_file(path, name)
    for _ in reader:
        highest = max(highest, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert os.path.getsize(path) > 60e6
    assert highest + python < 25e6


def write_big(path):
    text = "x" * 1000
    rows = 65_000
    if path.suffix == ".parquet":
        noise = (pa.array([os.urandom(1000) for _ in range(1000)]) for _ in range(65))
        with pq.ParquetWriter(path, pa.schema([("a", pa.binary())])) as writer:
            for some in noise:
                writer.write_table(pa.table({"a": some}))
        return
    with path.open("w") as out:
        if path.suffix == ".csv":
            out.writelines(["a,b\n", *([f"1,{text}\n"] * rows)])
        elif path.suffix == ".jsonl":
            out.writelines([f'{{"a": 1, "b": "{text}"}}\n'] * rows)
        else:
            out.write(f'[{{"a": 1, "b": "{text}"}}')
            out.writelines([f',{{"a": 1, "b": "{text}"}}'] * rows)
            out.write("]")
