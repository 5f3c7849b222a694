from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.errors import (
    Cancelled,
    Conflict,
    InternalError,
    InvalidData,
    UndefinedColumn,
    UndefinedTable,
)
from thanosql_server.storage.columns import origin_field

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


# ---- Origins, and values of some rows only ----------------------------------


def numbered(rows=ROWS):
    return np.arange(1, rows + 1, dtype=np.uint64)


@pytest.fixture
def converted(tables, table):
    """The table with vectors and their origins; two fragments."""
    table.add_column(VECTOR, vectors(), origins=numbered())
    return tables.open("t")


def files(tmp_path):
    folder = tmp_path / "workspace" / ".thanosql" / "tables" / "t.lance" / "data"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def origins_in(table, column="vector"):
    hidden = table.origins(column)
    return [v for b in table.scan([hidden]) for v in b.column(0).to_pylist()]


def changed_at(*rows):
    changed = np.zeros(ROWS, np.bool_)
    changed[list(rows)] = True
    return changed


def test_origins_are_stored_in_the_same_commit_and_not_seen(tables, table, converted):
    assert converted.version == table.version + 1
    assert converted.schema.names == ["id", "text", "vector"]
    assert next(converted.scan()).schema.names == ["id", "text", "vector"]
    assert converted.take([0, 7]).schema.names == ["id", "text", "vector"]
    assert origins_in(converted) == list(range(1, ROWS + 1))
    assert converted.origins("text") is None


def test_only_fragments_with_changed_rows_get_a_file(tables, converted, tmp_path):
    before = files(tmp_path)
    new = pa.array([[-1.0] * 4, None], VECTOR.type)
    origins = numbered() + np.uint64(1)
    changed = changed_at(3001, 4999)
    converted.add_column(VECTOR, iter([new]), changed=changed, origins=origins)
    after = tables.open("t")
    assert after.version == converted.version + 1
    assert len(files(tmp_path)) == len(before) + 1
    expected = {i: vector(i) for i in range(ROWS)} | {3001: [-1.0] * 4, 4999: None}
    assert read(tables, "vector") == expected
    assert read(tables, "text")[3001] == "t3001"
    # The first fragment, of 3,000 rows, is as it was.
    stored = origins_in(after)
    assert stored == [*range(1, 3001), *range(3002, ROWS + 2)]
    assert after.schema.field("vector").metadata == VECTOR.metadata
    assert read(tables, "vector") == expected
    assert {r["id"] for b in converted.scan(["id"]) for r in b.to_pylist()}
    # A second time: the file of the first change is replaced as well.
    after.add_column(
        VECTOR, vectors(), changed=np.ones(ROWS, np.bool_), origins=numbered()
    )
    assert read(tables, "vector") == {i: vector(i) for i in range(ROWS)}
    assert origins_in(tables.open("t")) == list(range(1, ROWS + 1))


def test_rows_added_later_have_no_origin(tables, converted, numbers):
    tables.append("t", numbers(10, start=ROWS))
    after = tables.open("t")
    assert origins_in(after)[-11:] == [ROWS, *[None] * 10]
    changed = np.zeros(ROWS + 10, np.bool_)
    changed[-10:] = True
    new = iter([pa.array([[2.0] * 4] * 10, VECTOR.type)])
    after.add_column(VECTOR, new, changed=changed, origins=numbered(ROWS + 10))
    assert origins_in(tables.open("t")) == list(range(1, ROWS + 11))
    assert read(tables, "vector") == {
        i: vector(i) if i < ROWS else [2.0] * 4 for i in range(ROWS + 10)
    }
    tables.append("t", numbers(10, start=ROWS + 10))
    assert tables.open("t").count_rows() == ROWS + 20


def test_another_type_or_model_writes_the_table_anew(tables, converted):
    other = VECTOR.with_metadata({b"thanosql:model": b"n"})
    changed = changed_at(1)
    new = iter([pa.array([[9.0] * 4], VECTOR.type)])
    converted.add_column(other, new, changed=changed, origins=numbered())
    after = tables.open("t")
    assert after.schema.field("vector").metadata == other.metadata
    assert read(tables, "vector") == {i: vector(i) for i in range(ROWS)} | {
        1: [9.0] * 4
    }
    wider = pa.field("vector", pa.list_(pa.float32(), 2))
    new = iter([pa.array([[1.0, 2.0]] * ROWS, wider.type)])
    after.add_column(wider, new, origins=numbered())
    after = tables.open("t")
    assert after.schema.names == ["id", "text", "vector"]
    assert set(map(tuple, read(tables, "vector").values())) == {(1.0, 2.0)}
    assert origins_in(after) == list(range(1, ROWS + 1))


def test_values_without_origins_drop_those_that_are_there(tables, converted):
    converted.add_column(pa.field("other", pa.int64()), iter([pa.array(range(ROWS))]))
    tables.open("t").add_column(VECTOR, vectors())
    after = tables.open("t")
    assert after.origins("vector") is None
    assert after.schema.names == ["id", "text", "vector", "other"]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_wrong_number_of_changed_values_changes_nothing(
    tables, converted, rows, tmp_path
):
    before = files(tmp_path)
    new = iter([pa.array([[0.0] * 4] * rows, VECTOR.type)])
    with pytest.raises(InternalError, match="one value for each of the 2 rows"):
        converted.add_column(
            VECTOR, new, changed=changed_at(1, 4000), origins=numbered()
        )
    assert tables.open("t").version == converted.version
    assert files(tmp_path) == before


def test_failing_changed_values_raise_their_own_exception(tables, converted, tmp_path):
    before = files(tmp_path)

    def failing():
        yield pa.array([[0.0] * 4], VECTOR.type)
        raise RuntimeError("the network is gone")

    with pytest.raises(RuntimeError, match="the network is gone"):
        converted.add_column(
            VECTOR, failing(), changed=changed_at(1, 4000), origins=numbered()
        )
    assert tables.open("t").version == converted.version
    assert files(tmp_path) == before


def change_one(table, row, value, meanwhile=lambda: None):
    """Give one row a new vector; do something else just before."""

    def values():
        meanwhile()
        yield pa.array([[value] * 4], VECTOR.type)

    table.add_column(VECTOR, values(), changed=changed_at(row), origins=numbered())


@pytest.mark.parametrize("change", ["add_column", "overwrite", "same"])
def test_change_by_others_while_some_rows_change_is_a_conflict(
    tables, converted, numbers, change
):
    def meanwhile():
        if change == "add_column":
            other = iter([pa.array(range(ROWS))])
            converted.add_column(pa.field("other", pa.int64()), other)
        elif change == "same":
            change_one(converted, 2, 1.0)
        else:
            tables.create("t", numbers(ROWS), overwrite=True)

    with pytest.raises(Conflict, match="table 't' was changed by another statement"):
        change_one(converted, 1, 7.0, meanwhile)
    after = tables.open("t")
    assert after.version == converted.version + 1
    if change != "overwrite":
        assert read(tables, "vector")[1] == vector(1)


def test_other_rows_may_change_or_be_added_meanwhile(tables, converted, numbers):
    def meanwhile():
        change_one(converted, 4000, 1.0)
        tables.append("t", numbers(10, start=ROWS))

    change_one(converted, 1, 7.0, meanwhile)
    expected = {i: vector(i) for i in range(ROWS)} | {1: [7.0] * 4, 4000: [1.0] * 4}
    expected |= dict.fromkeys(range(ROWS, ROWS + 10))
    assert read(tables, "vector") == expected
    assert origins_in(tables.open("t")) == [*range(1, ROWS + 1), *[None] * 10]


@pytest.mark.parametrize("name", ["_thanosql_origin_vector", "_ThanoSQL_x"])
def test_names_of_hidden_columns_are_the_servers_own(tables, converted, name):
    rows = pa.table({"id": [1], name: [1]})
    with pytest.raises(InvalidData, match=f"named '{name}'; names that begin with"):
        tables.create("new", rows.to_reader())
    with pytest.raises(UndefinedColumn, match=f"the table has no column '{name}'"):
        tables.append("t", rows.to_reader())
    with pytest.raises(InvalidData, match="names that begin with '_thanosql_'"):
        converted.add_column(pa.field(name, pa.int64()), iter([]))


def test_a_table_may_be_made_with_origins(tables):
    schema = pa.schema([VECTOR, origin_field("vector")])
    columns = [pa.array([[1.0] * 4], VECTOR.type), pa.array([5], pa.uint64())]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    reader = pa.RecordBatchReader.from_batches(schema, [batch])
    assert tables.create("new", reader, origins_of="vector") == 1
    table = tables.open("new")
    assert (table.schema.names, origins_in(table)) == (["vector"], [5])
