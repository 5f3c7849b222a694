"""Generated columns in storage: what is declared, and rows that wait."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from thanosql_server.storage import alterations
from thanosql_server.storage.facts import (
    GENERATED,
    MARK,
    fact,
    with_facts,
    without_facts,
)
from thanosql_server.storage.generated import (
    Generated,
    declared,
    generated_columns,
    invalidated,
    marked,
    with_origins,
)
from thanosql_server.storage.scan import ROW_ID

VECTOR = pa.list_(pa.float32(), 2)


def columns():
    source = marked(pa.field("path", pa.string()))
    made = declared(pa.field("e", VECTOR), "embed_image", "m", source)
    return [pa.field("id", pa.int64()), source, made]


@pytest.fixture
def table(tables):
    """The table t with three rows, each with its path."""
    tables.define("t", pa.schema(columns()))
    rows = pa.table({"id": [1, 2, 3], "path": ["a", "b", "c"]})
    tables.append("t", rows.to_reader())
    return tables.open("t")


def fill(table, numbers):
    """Give rows the embedding [n, n] and the origin n."""
    ids = pa.concat_arrays([b.column(0) for b in table.scan([], row_ids=True)])
    rows = pa.RecordBatch.from_arrays(
        [
            ids.take([n - 1 for n in numbers]),
            pa.array([[n, n] for n in numbers], VECTOR),
            pa.array(numbers, pa.uint64()),
        ],
        [ROW_ID, "e", "_thanosql_origin_e"],
    )
    table.update(["e", "_thanosql_origin_e"], iter([rows]))


def values(table):
    """Return id, embedding and origin of each row."""
    batches = table.scan(["id", "e", "_thanosql_origin_e"])
    return [tuple(row.values()) for b in batches for row in b.to_pylist()]


def test_what_is_declared_is_read_back():
    schema = pa.schema(columns())
    assert generated_columns(schema) == [Generated("e", "embed_image", "m", "path", 2)]
    assert with_origins(schema).names == ["id", "path", "e", "_thanosql_origin_e"]
    assert generated_columns(without_facts(schema)) == []
    assert not any(fact(one, MARK) for one in without_facts(schema))


def test_a_mark_is_kept_and_is_of_one_column():
    once = marked(pa.field("path", pa.string()))
    assert marked(once).equals(once, check_metadata=True)
    other = marked(pa.field("path", pa.string()))
    assert fact(other, MARK) != fact(once, MARK)


def test_without_its_input_a_column_is_like_any_other():
    schema = pa.schema(columns())
    assert generated_columns(schema.remove(1)) == []
    plain = with_facts(schema.field("e"), {GENERATED: None})
    assert generated_columns(schema.set(2, plain)) == []


def test_rows_that_come_wait(table, tables):
    assert table.schema.names == ["id", "path", "e"]
    assert values(table) == [(1, None, None), (2, None, None), (3, None, None)]
    fill(table, [1, 3])
    assert values(tables.open("t")) == [
        (1, [1.0, 1.0], 1),
        (2, None, None),
        (3, [3.0, 3.0], 3),
    ]


def test_a_changed_input_takes_the_embedding_away_in_the_same_commit(table, tables):
    fill(table, [1, 2, 3])
    before = tables.open("t")
    found = before.scan([], pc.field("id") == 2, row_ids=True)
    ids = pa.concat_arrays([batch.column(0) for batch in found])
    new = pa.RecordBatch.from_arrays([ids, pa.array(["x"])], [ROW_ID, "path"])
    assert before.update(["path"], iter([new])) == 1
    after = tables.open("t")
    assert after.version == before.version + 1
    assert values(after) == [
        (1, [1.0, 1.0], 1),
        (2, None, None),
        (3, [3.0, 3.0], 3),
    ]


def test_a_change_beside_it_leaves_the_embedding(table, tables):
    fill(table, [1, 2, 3])
    before = tables.open("t")
    ids = pa.concat_arrays([b.column(0) for b in before.scan([], row_ids=True)])
    new = pa.RecordBatch.from_arrays([ids, pa.array([7, 8, 9])], [ROW_ID, "id"])
    before.update(["id"], iter([new]))
    assert [row[2] for row in values(tables.open("t"))] == [1, 2, 3]


def test_an_embedding_given_without_its_origin_waits():
    schema = with_origins(pa.schema(columns()))
    batch = pa.RecordBatch.from_arrays([pa.array([0])], [ROW_ID])
    names, batches = invalidated(schema, ["e"], iter([batch]))
    assert names == ["e", "_thanosql_origin_e"]
    assert next(iter(batches)).column("_thanosql_origin_e").to_pylist() == [None]
    assert invalidated(schema, ["id"], iter(()))[0] == ["id"]
    both = ["e", "_thanosql_origin_e"]
    assert invalidated(schema, both, iter(()))[0] == both


def test_a_column_is_added_to_rows_without_writing_a_file(tables):
    rows = pa.table({"id": [1, 2], "path": ["a", "b"]})
    tables.create("t", rows.to_reader())
    table = tables.open("t")
    source = marked(table.schema.field("path"))
    made = declared(pa.field("e", VECTOR), "embed_image", "m", source)
    table.alter(lambda d: alterations.add_generated_column(d, made, source))
    table = tables.open("t")
    assert [one.input for one in generated_columns(table.schema)] == ["path"]
    assert values(table) == [(1, None, None), (2, None, None)]
    fill(table, [2])
    table = tables.open("t")
    assert values(table) == [(1, None, None), (2, [2.0, 2.0], 2)]
    # A second one from the same input finds its mark.
    source = marked(table.schema.field("path"))
    other = declared(pa.field("f", VECTOR), "embed_image", "m", source)
    table.alter(lambda d: alterations.add_generated_column(d, other, source))
    found = generated_columns(tables.open("t").schema)
    assert [(one.column, one.input) for one in found] == [("e", "path"), ("f", "path")]


def test_renamed_and_dropped_columns_take_what_is_hidden_along(table, tables):
    fill(table, [1])
    tables.open("t").alter(lambda d: alterations.rename_column(d, "path", "p"))
    tables.open("t").alter(lambda d: alterations.rename_column(d, "e", "f"))
    found = tables.open("t")
    assert generated_columns(found.schema) == [
        Generated("f", "embed_image", "m", "p", 2)
    ]
    assert found.origins("f") == "_thanosql_origin_f"
    found.alter(lambda d: alterations.drop_column(d, "p", ["f"]))
    found = tables.open("t")
    assert found.schema.names == ["id"]
    assert found.origins("f") is None
