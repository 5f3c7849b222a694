"""Several files as the rows of one table: columns, types, memory."""

from __future__ import annotations

import tracemalloc
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.excel import write_xlsx
from tests.needs import NEEDS_CALAMINE
from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData, InvalidValue
from thanosql_server.storage import csv_files
from thanosql_server.storage.globs import Found
from thanosql_server.storage.several_files import read_files
from thanosql_server.storage.source_file import SourceFile


def read(folder, contents, *, control=None, encoding="utf-8", **options):
    """Write files, texts or tables, and return their rows."""
    found = []
    for name, content in contents.items():
        path = folder / name
        if isinstance(content, str):
            path.write_text(content, encoding=encoding)
        elif path.suffix == ".parquet":
            pq.write_table(content, path)
        else:
            with pa.ipc.new_file(str(path), content.schema) as writer:
                writer.write_table(content)
        found.append(Found(path, name))
    like = SourceFile(*found[0], encoding, control)
    return read_files(found, like, **options)


@pytest.mark.parametrize(
    ("first", "second", "kind", "values"),
    [
        ("1", "2", pa.int64(), [1, 2]),
        ("1", "2.5", pa.float64(), [1.0, 2.5]),
        ("2.5", "1", pa.float64(), [2.5, 1.0]),
        ("1", "007", pa.string(), ["1", "007"]),
        ("true", "2", pa.string(), ["true", "2"]),
        ('""', "1", pa.int64(), [None, 1]),
        ('""', '""', pa.string(), [None, None]),
        ("2024-05-01", '""', pa.date32(), [date(2024, 5, 1), None]),
    ],
)
def test_types_of_csv_are_those_of_one_long_file(tmp_path, first, second, kind, values):
    rows = read(tmp_path, {"a.csv": f"x\n{first}\n", "b.csv": f"x\n{second}\n"})
    assert rows.schema.field("x").type == kind
    assert rows.read_all().column("x").to_pylist() == values
    whole = read(tmp_path, {"c.csv": f"x\n{first}\n{second}\n"})
    assert whole.read_all().column("x").to_pylist() == values


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        ("1", "2.5", [1.0, 2.5]),
        ("1", '"a"', ["1", "a"]),
        ("{}", "1", ["{}", "1"]),
        ("null", "[1]", [None, [1]]),
        ('{"a": 1}', '{"b": "x"}', [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
    ],
)
def test_types_of_json_hold_the_values_of_all_files(tmp_path, first, second, values):
    lines = {"a.jsonl": f'{{"x": {first}}}\n', "b.jsonl": f'{{"x": {second}}}\n'}
    assert read(tmp_path, lines).read_all().column("x").to_pylist() == values


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_types_of_typed_files_are_widened(tmp_path, suffix):
    one = pa.table({"n": pa.array([1], pa.int16()), "s": ["x"], "z": pa.nulls(1)})
    two = pa.table({"z": [1.5], "s": pa.array(["y"]).dictionary_encode(), "n": [2**40]})
    rows = read(tmp_path, {f"a.{suffix}": one, f"b.{suffix}": two}).read_all()
    assert rows.schema.types == [pa.int64(), pa.string(), pa.float64()]
    assert rows.to_pydict() == {"n": [1, 2**40], "s": ["x", "y"], "z": [None, 1.5]}


def test_types_that_nothing_holds(tmp_path):
    tables = {"a.parquet": pa.table({"n": [1]}), "b.parquet": pa.table({"n": ["x"]})}
    with pytest.raises(InvalidData) as raised:
        read(tmp_path, tables)
    assert raised.value.message == (
        "'b.parquet': column 'n' is string here and int64 in the files before"
    )


def test_a_value_that_the_common_type_would_round(tmp_path):
    whole = pa.table({"n": [2**53 + 1]})
    tables = {"a.parquet": pa.table({"n": [0.5]}), "b.parquet": whole}
    with pytest.raises(InvalidData, match=r"'b\.parquet': column 'n' has a value"):
        read(tmp_path, tables).read_all()


def test_a_column_that_is_lacking(tmp_path):
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False), ("s", pa.string())])
    one = pa.table({"n": [1], "s": ["x"]}, schema=schema)
    tables = {"a.parquet": one, "b.parquet": pa.table({"s": ["y"], "t": [True]})}
    with pytest.raises(InvalidData, match=r"'b\.parquet' lacks column 'n', which 'a"):
        read(tmp_path, tables)
    rows = read(tmp_path, tables, union_by_name=True, name_column="file").read_all()
    assert rows.to_pydict() == {
        "n": [1, None],
        "s": ["x", "y"],
        "t": [None, True],
        "file": ["a.parquet", "b.parquet"],
    }
    assert rows.schema.field("n").nullable


def test_an_encoding_is_that_of_all_files(tmp_path):
    files = {"a.csv": "x\n한국\n", "b.csv": "x\n어\n"}
    rows = read(tmp_path, files, encoding="cp949").read_all()
    assert rows.column("x").to_pylist() == ["한국", "어"]


def test_an_encoding_that_there_is_not(tmp_path):
    like = SourceFile(tmp_path / "a.csv", "a.csv", "klingon")
    with pytest.raises(InvalidValue, match="no text encoding named 'klingon'"):
        read_files([Found(like.path, like.shown)], like)


def test_a_file_that_changes_between_the_passes(tmp_path):
    rows = read(tmp_path, {"a.csv": "x\n1\n", "b.csv": "x\n1\n"})
    (tmp_path / "b.csv").write_text("y\n1\n")
    with pytest.raises(InvalidData, match=r"'b\.csv': the file changed while it was"):
        rows.read_all()


def test_a_cancelled_statement_stops_between_files(tmp_path):
    control = Control()
    files = {f"{n}.parquet": pa.table({"n": [n]}) for n in range(3)}
    rows = read(tmp_path, files, control=control)
    rows.read_next_batch()
    control.cancel()
    with pytest.raises(Cancelled):
        rows.read_next_batch()


def test_memory_does_not_grow_with_the_number_of_files(tmp_path, monkeypatch):
    """Of 40 files of 1 MB, at no time more than 15 MB are held."""
    monkeypatch.setattr(csv_files, "_LONGEST_ROW", 1 << 18)
    text = "x" * 1000
    before = pa.total_allocated_bytes()
    highest = 0
    tracemalloc.start()
    content = "a,b\n" + f"1,{text}\n" * 1000
    count = 0
    for batch in read(tmp_path, {f"{n}.csv": content for n in range(40)}):
        count += batch.num_rows
        highest = max(highest, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert highest + python < 15e6


@NEEDS_CALAMINE
def test_sheets_of_several_files(tmp_path):
    found = []
    for name, rows in {
        "a": [["n", "s"], [1, "x"]],
        "b": [["s", "n"], [7, 2.5]],
    }.items():
        write_xlsx(tmp_path / f"{name}.xlsx", {"sheet": rows})
        found.append(Found(tmp_path / f"{name}.xlsx", f"{name}.xlsx"))
    table = read_files(found, SourceFile(*found[0])).read_all()
    assert table.to_pydict() == {"n": [1.0, 2.5], "s": ["x", "7"]}
