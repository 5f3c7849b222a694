"""Rows deleted and values replaced in place, alone and beside other writers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from thanosql_server.errors import (
    Cancelled,
    Conflict,
    InternalError,
    InvalidData,
    NotNullViolation,
    UndefinedTable,
)
from thanosql_server.storage.scan import ROW_ID

ITEM = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])
COLUMNS = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("text", pa.string()),
        pa.field("vector", pa.list_(pa.float32(), 3)),
        pa.field("item", ITEM),
    ]
)


def rows(start, count):
    return pa.table(
        {
            "id": range(start, start + count),
            "text": [f"t{i}" for i in range(start, start + count)],
            "vector": [[float(i)] * 3 for i in range(start, start + count)],
            "item": [{"a": i, "b": [str(i)]} for i in range(start, start + count)],
        },
        schema=COLUMNS,
    )


@pytest.fixture
def several(tables):
    """A table `t` of three fragments with 1,000 rows each, the ids 0 to 2,999."""
    tables.create("t", rows(0, 1000).to_reader())
    for start in (1000, 2000):
        tables.append("t", rows(start, 1000).to_reader())
    return tables


def where(table, condition, columns=()):
    """Yield ids and columns of the rows for which `condition(id)` is true."""
    for batch in table.scan(["id", *columns], row_ids=True):
        keep = pa.array([bool(condition(i)) for i in batch["id"].to_pylist()])
        yield batch.filter(keep).select([*columns, ROW_ID])


def read(tables, name="t"):
    batches = list(tables.open(name).scan())
    return pa.Table.from_batches(batches, tables.open(name).schema)


def test_deleted_rows_are_gone_and_the_others_stay_in_order(several):
    table = several.open("t")
    assert table.delete(where(table, lambda i: i % 3 == 0)) == 1000
    left = [i for i in range(3000) if i % 3]
    assert read(several)["id"].to_pylist() == left
    assert several.open("t").version == table.version + 1
    assert table.count_rows() == 3000  # a snapshot


def test_a_row_named_twice_is_deleted_once(several):
    table = several.open("t")
    twice = [*where(table, lambda i: i == 5), *where(table, lambda i: i == 5)]
    assert table.delete(iter(twice)) == 1


def test_nothing_to_change_makes_no_version(several):
    table = several.open("t")
    assert table.delete(where(table, lambda i: False)) == 0
    assert table.update(["text"], where(table, lambda i: False, ["text"])) == 0
    assert several.open("t").version == table.version


def test_whole_fragments_and_tables_can_be_deleted(several):
    table = several.open("t")
    assert table.delete(where(table, lambda i: i < 1001)) == 1001
    assert read(several)["id"].to_pylist() == list(range(1001, 3000))
    table = several.open("t")
    assert table.delete(where(table, lambda i: True)) == 1999
    assert read(several).num_rows == 0
    several.append("t", rows(7, 2).to_reader())
    assert read(several).equals(rows(7, 2))


def test_values_of_every_layout_are_replaced_where_they_are(several):
    table = several.open("t")
    table.delete(where(table, lambda i: i % 10 == 4))
    table = several.open("t")
    before = read(several).to_pylist()
    new = rows(5000, 3000)
    chosen = list(where(table, lambda i: i % 7 == 0))
    ids = pa.concat_arrays([batch[ROW_ID] for batch in chosen])
    values = new.slice(0, len(ids)).combine_chunks().append_column(ROW_ID, ids)
    names = ["text", "vector", "item"]
    assert table.update(names, iter(values.select([*names, ROW_ID]).to_batches(50)))
    fresh = iter(new.to_pylist())
    expected = [
        {**next(fresh), "id": row["id"]} if row["id"] % 7 == 0 else row
        for row in before
    ]
    assert read(several).to_pylist() == expected


def test_a_second_update_changes_what_the_first_left(several):
    for _ in range(3):
        table = several.open("t")
        chosen = where(table, lambda i: i % 2 == 0, ["text"])
        longer = (
            batch.set_column(0, "text", pc.binary_join_element_wise(batch[0], "x", ""))
            for batch in chosen
        )
        assert table.update(["text"], longer) == 1500
    texts = read(several)["text"].to_pylist()
    assert texts == [f"t{i}" + "xxx" * (i % 2 == 0) for i in range(3000)]


def test_of_several_values_for_a_row_the_first_counts(several):
    table = several.open("t")
    (row,) = (b[ROW_ID] for b in where(table, lambda i: i == 3) if b.num_rows)
    batches = [
        pa.record_batch([pa.array(["one", "two"]), pa.concat_arrays([row, row])],
                        names=["text", ROW_ID]),
        pa.record_batch([pa.array(["three"]), row], names=["text", ROW_ID]),
    ]  # fmt: skip
    assert table.update(["text"], iter(batches)) == 1
    assert read(several)["text"][3].as_py() == "one"


@pytest.mark.parametrize("rows_", [[5, 4], [3_000_000]])
def test_rows_out_of_order_or_not_there_are_a_fault_of_ours(several, rows_):
    batch = pa.record_batch(
        [pa.array(["x"] * len(rows_)), pa.array(rows_, pa.uint64())],
        names=["text", ROW_ID],
    )
    with pytest.raises(InternalError):
        several.open("t").update(["text"], iter([batch]))
    assert read(several).equals(rows(0, 3000))


def test_values_that_do_not_fit_change_nothing(several):
    table = several.open("t")
    wrong = (
        batch.rename_columns(["id", ROW_ID])
        for batch in where(table, lambda i: i > 2500, ["text"])
    )
    with pytest.raises(InvalidData, match="column 'id'"):
        table.update(["id"], wrong)
    assert read(several).equals(rows(0, 3000))


def test_a_failing_query_changes_nothing(several):
    table = several.open("t")

    def failing():
        yield from where(table, lambda i: i < 1500, ["text"])
        raise Cancelled("stop")

    with pytest.raises(Cancelled, match="stop"):
        table.update(["text"], failing())
    with pytest.raises(Cancelled, match="stop"):
        table.delete(batch.select([ROW_ID]) for batch in failing())
    assert read(several).equals(rows(0, 3000))
    assert several.open("t").version == table.version


def change(table, kind, condition):
    if kind == "delete":
        return table.delete(where(table, condition))
    new = (
        batch.set_column(0, "text", pa.array(["new"] * batch.num_rows))
        for batch in where(table, condition, ["text"])
    )
    return table.update(["text"], new)


@pytest.mark.parametrize("second", ["delete", "update"])
@pytest.mark.parametrize("first", ["delete", "update"])
def test_of_two_changes_beside_each_other_one_is_refused(several, first, second):
    one, other = several.open("t"), several.open("t")
    change(one, first, lambda i: i == 10)
    with pytest.raises(Conflict, match="run the statement again"):
        change(other, second, lambda i: i == 20)
    assert change(several.open("t"), second, lambda i: i == 20) == 1


@pytest.mark.parametrize("second", ["delete", "update"])
def test_changes_in_different_places_and_new_rows_go_together(several, second):
    one, other = several.open("t"), several.open("t")
    change(one, "update", lambda i: i == 10)
    several.append("t", rows(3000, 5).to_reader())
    change(other, second, lambda i: i == 2500)
    result = read(several)
    assert result.num_rows == 3005 - (second == "delete")
    assert result["text"].to_pylist().count("new") == 1 + (second == "update")


def test_a_replaced_or_dropped_table_is_not_changed(several):
    table = several.open("t")
    several.create("t", rows(0, 10).to_reader(), overwrite=True)
    with pytest.raises(Conflict):
        change(table, "update", lambda i: i == 1)
    table = several.open("t")
    several.drop("t")
    with pytest.raises((Conflict, UndefinedTable)):
        change(table, "delete", lambda i: i == 1)


def test_truncate_empties_the_table_and_keeps_its_columns(several):
    table = several.open("t")
    table.truncate()
    assert read(several).equals(rows(0, 0))
    version = several.open("t").version
    several.open("t").truncate()
    assert several.open("t").version == version


def test_random_changes_agree_with_a_list(tables):
    random = np.random.default_rng(1)
    kept = rows(0, 500)
    tables.create("t", kept.to_reader())
    model = {i: f"t{i}" for i in range(500)}
    following = 500
    for turn in range(30):
        table = tables.open("t")
        chosen = {i for i in model if random.random() < 0.2}
        if turn % 3 == 0:
            assert table.delete(where(table, chosen.__contains__)) == len(chosen)
            model = {i: text for i, text in model.items() if i not in chosen}
        elif turn % 3 == 1:
            new = (
                batch.set_column(0, "text", pa.array([f"{turn}"] * batch.num_rows))
                for batch in where(table, chosen.__contains__, ["text"])
            )
            assert table.update(["text"], new) == len(chosen)
            model.update(dict.fromkeys(chosen, f"{turn}"))
        else:
            tables.append("t", rows(following, 100).to_reader())
            model.update({i: f"t{i}" for i in range(following, following + 100)})
            following += 100
        result = read(tables)
        assert result["id"].to_pylist() == list(model)
        assert result["text"].to_pylist() == list(model.values())


def test_a_null_is_refused_where_none_is_allowed(tables):
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False)])
    tables.define("n", schema)
    tables.append("n", pa.table({"id": [1, 2]}).to_reader())
    table = tables.open("n")
    nulls = pa.record_batch(
        [pa.array([None], pa.int64()), pa.array([0], pa.uint64())], names=["id", ROW_ID]
    )
    with pytest.raises(NotNullViolation, match="column 'id' is NOT NULL"):
        table.update(["id"], iter([nulls]))
    with pytest.raises(NotNullViolation, match="column 'id' is NOT NULL"):
        tables.append("n", pa.table({"id": pa.array([3, None])}).to_reader())
    assert read(tables, "n")["id"].to_pylist() == [1, 2]
