from __future__ import annotations

import pyarrow as pa
import pytest

from thanosql_server.errors import (
    Cancelled,
    Conflict,
    InternalError,
    InvalidData,
    UndefinedTable,
)

VECTOR = pa.field(
    "vector", pa.list_(pa.float32(), 4), metadata={b"thanosql:model": b"m"}
)
ROWS = 5000


@pytest.fixture
def table(tables, numbers):
    tables.create("t", numbers(3000))
    tables.append("t", numbers(2000, start=3000))
    return tables.open("t")


def vector(i):
    return None if i % 5 == 0 else [float(i)] * 4


def vectors(rows=ROWS, lengths=(7, 999, 1, 0, 2500)):
    start = 0
    while start < rows:
        for length in lengths:
            stop = min(start + length, rows)
            yield pa.array([vector(i) for i in range(start, stop)], VECTOR.type)
            start = stop


def read(tables, column):
    batches = tables.open("t").scan(["id", column])
    return {r["id"]: r[column] for batch in batches for r in batch.to_pylist()}


def test_column_is_added_in_one_commit(tables, table):
    table.add_column(VECTOR, vectors())
    after = tables.open("t")
    assert after.version == table.version + 1
    assert after.schema.names == ["id", "text", "vector"]
    assert after.schema.field("vector").type == VECTOR.type
    assert after.schema.field("vector").metadata == VECTOR.metadata
    assert read(tables, "vector") == {i: vector(i) for i in range(ROWS)}
    assert table.schema.names == ["id", "text"]


def test_existing_files_are_not_touched(tables, table, tmp_path):
    folder = tmp_path / "workspace" / ".thanosql" / "tables" / "t.lance" / "data"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    table.add_column(VECTOR, vectors())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(folder.iterdir())) == 2 * len(before)


def test_existing_column_is_replaced_in_its_place_in_one_commit(tables, table):
    field = pa.field("id2", pa.int64())
    table.add_column(field, iter([pa.array(range(ROWS))]))
    table = tables.open("t")
    replaced = VECTOR.with_name("text")
    table.add_column(replaced, vectors())
    after = tables.open("t")
    assert after.version == table.version + 1
    assert after.schema.names == ["id", "text", "id2"]
    assert after.schema.field("text").metadata == VECTOR.metadata
    assert read(tables, "text") == {i: vector(i) for i in range(ROWS)}
    assert read(tables, "id2") == {i: i for i in range(ROWS)}
    assert table.count_rows() == ROWS


@pytest.mark.parametrize("name", ["vector", "text"])
@pytest.mark.parametrize("rows", [0, 10, ROWS - 1, ROWS + 1])
def test_wrong_number_of_values_changes_nothing(tables, table, name, rows):
    with pytest.raises(InternalError, match=f"one value for each of the {ROWS} rows"):
        table.add_column(VECTOR.with_name(name), vectors(rows))
    assert tables.open("t").version == table.version


@pytest.mark.parametrize("name", ["vector", "text"])
def test_failing_values_change_nothing_and_raise_their_own_exception(
    tables, table, name
):
    stop = Cancelled("stop")

    def failing():
        yield from vectors(3000)
        raise stop

    with pytest.raises(Cancelled) as caught:
        table.add_column(VECTOR.with_name(name), failing())
    assert caught.value is stop
    assert tables.open("t").version == table.version


@pytest.mark.parametrize("name", ["vector", "text"])
@pytest.mark.parametrize("change", ["append", "add_column", "overwrite"])
def test_change_by_others_meanwhile_is_a_conflict(tables, table, numbers, name, change):
    def meanwhile():
        values = vectors()
        yield next(values)
        if change == "append":
            tables.append("t", numbers(10))
        elif change == "add_column":
            other = iter([pa.array(range(ROWS))])
            tables.open("t").add_column(pa.field("other", pa.int64()), other)
        else:
            tables.create("t", numbers(ROWS), overwrite=True)
        yield from values

    with pytest.raises(Conflict, match="table 't' was changed by another statement"):
        table.add_column(VECTOR.with_name(name), meanwhile())
    after = tables.open("t")
    assert after.version == table.version + 1
    assert "vector" not in after.schema.names
    assert after.schema.field("text").type == pa.string()


def test_old_snapshot_is_a_conflict(tables, table, numbers):
    tables.append("t", numbers(10))
    with pytest.raises(Conflict):
        table.add_column(VECTOR, vectors())


def test_dropped_table_gets_no_column(tables, table, numbers):
    tables.drop("t")
    with pytest.raises(UndefinedTable, match="table 't' was dropped"):
        table.add_column(VECTOR, vectors())
    tables.create("t", numbers(ROWS))
    with pytest.raises(Conflict):
        table.add_column(VECTOR, vectors())


def test_values_are_cast_or_refused(tables, table):
    field = pa.field("n", pa.float64())
    table.add_column(field, iter([pa.array(range(ROWS), pa.int32())]))
    assert read(tables, "n")[17] == 17.0
    with pytest.raises(InvalidData, match="does not fit into column 'm'"):
        tables.open("t").add_column(
            pa.field("m", pa.int64()), iter([pa.array(["x"] * ROWS)])
        )


def test_impossible_column_is_refused_before_any_value_is_asked(table):
    def untouchable():
        pytest.fail("a value was asked")
        yield

    with pytest.raises(
        InvalidData, match="cannot have a column named 'a.b'".replace(".", r"\.")
    ):
        table.add_column(pa.field("a.b", pa.int64()), untouchable())
