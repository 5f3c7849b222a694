from __future__ import annotations

import pyarrow as pa
import pytest

from thanosql_server.errors import InvalidData

KEPT_AS_IT_IS = [
    pa.array([1, None], pa.uint64()),
    pa.array([True, None]),
    pa.array([1.5, None], pa.float16()),
    pa.array(["a", None]),
    pa.array(["a", None], pa.large_string()),
    pa.array([b"a", None], pa.large_binary()),
    pa.array([b"abcd", None], pa.binary(4)),
    pa.array([1, None], pa.decimal128(10, 2)),
    pa.array([1, None], pa.date32()),
    pa.array([1, None], pa.timestamp("ns", "Asia/Seoul")),
    pa.array([1, None], pa.time64("us")),
    pa.array([1, None], pa.duration("ms")),
    pa.array([[1.0, None], None], pa.list_(pa.float32(), 2)),
    pa.array([["a"], None], pa.list_(pa.string())),
    pa.array([[["a"]], None], pa.large_list(pa.list_(pa.string()))),
    pa.array([{"a": 1, "b": [2]}, None]),
    pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
]

CHANGED = [
    (pa.array(["a", None], pa.string_view()), pa.string()),
    (pa.array([b"a", None], pa.binary_view()), pa.binary()),
    (pa.array(["a", None]).dictionary_encode(), pa.string()),
    (pa.nulls(2), pa.string()),
    (pa.array([1, None], pa.decimal32(5, 2)), pa.decimal128(5, 2)),
    (pa.array([["a"], None], pa.list_(pa.string_view())), pa.list_(pa.string())),
    (pa.RunEndEncodedArray.from_arrays([1, 2], [5, None]), pa.int64()),
    (
        pa.array([{"a": "x"}, None], pa.struct([("a", pa.string_view())])),
        pa.struct([("a", pa.string())]),
    ),
    (
        pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([bytes(16), None], pa.binary(16))
        ),
        pa.binary(16),
    ),
]

REFUSED = [
    pa.array([None, None], pa.month_day_nano_interval()),
    pa.UnionArray.from_dense(
        pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [pa.array([1, 2])]
    ),
    pa.array([[], None], pa.list_(pa.float32(), 0)),
    pa.array([{}, None], pa.struct([])),
    pa.array([[1], None], pa.list_view(pa.int64())),
    pa.array([[None], None], pa.list_(pa.month_day_nano_interval())),
]


def stored(tables, array):
    tables.create("t", pa.table([array], names=["c"]).to_reader())
    (batch,) = tables.open("t").scan()
    assert tables.open("t").schema.field("c").type == batch["c"].type
    return batch["c"]


def typed(array):
    return str(array.type)


@pytest.mark.parametrize("array", KEPT_AS_IT_IS, ids=typed)
def test_types_that_come_back_as_they_are(tables, array):
    assert stored(tables, array).equals(array)


@pytest.mark.parametrize(("array", "kept"), CHANGED, ids=lambda value: str(value)[:20])
def test_layouts_of_memory_become_plain_ones(tables, array, kept):
    back = stored(tables, array)
    assert back.type == kept
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    assert back.to_pylist() == storage.to_pylist()


@pytest.mark.parametrize("array", REFUSED, ids=typed)
def test_types_that_cannot_be_stored_are_named(tables, array):
    with pytest.raises(InvalidData, match=r"column 'c' has the type .* CAST") as caught:
        stored(tables, array)
    assert str(array.type) in caught.value.message
    assert tables.names() == []


@pytest.mark.parametrize("name", ["", "a.b", "`a`", "_rowid", "_rowaddr", "_rowoffset"])
def test_column_names_that_lance_refuses(tables, name):
    with pytest.raises(InvalidData, match="cannot have a column named") as caught:
        tables.create("t", pa.table([[1]], names=[name]).to_reader())
    assert f"'{name}'" in caught.value.message


@pytest.mark.parametrize(
    "name", ["a b", '"q"', "한글", "A", "a\nb", "$x", "select", "a'"]
)
def test_other_column_names_are_just_names(tables, name):
    tables.create("t", pa.table([[1, 2]], names=[name]).to_reader())
    table = tables.open("t")
    assert [b.to_pydict() for b in table.scan([name])] == [{name: [1, 2]}]


def test_columns_may_differ_in_case_only(tables):
    tables.create("t", pa.table([[1], [2]], names=["a", "A"]).to_reader())
    (batch,) = tables.open("t").scan(["A"])
    assert batch.to_pydict() == {"A": [2]}


def test_same_name_twice_is_refused(tables):
    with pytest.raises(InvalidData, match="several columns named 'a'"):
        tables.create("t", pa.table([[1], [2]], names=["a", "a"]).to_reader())


def test_table_without_columns_is_refused(tables):
    with pytest.raises(InvalidData, match="at least one column"):
        tables.create("t", pa.table({}).to_reader())


def test_metadata_of_schema_and_fields_survives(tables):
    field = pa.field("c", pa.int64(), nullable=False, metadata={b"k": b"v"})
    schema = pa.schema([field], metadata={b"s": b"t"})
    tables.create("t", pa.table([[1]], schema=schema).to_reader())
    kept = tables.open("t").schema
    assert kept.metadata == {b"s": b"t"}
    assert kept.field("c").metadata == {b"k": b"v"}
    assert kept.field("c").nullable
