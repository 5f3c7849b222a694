"""What a graph found is compared to the bit, or left as it is."""

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.search.exact import Found
from thanosql_server.search.measures import COSINE, DISTANCE
from thanosql_server.search.nearest import Search
from thanosql_server.search.placed_vectors import PlacedVectors
from thanosql_server.storage.scan import ROW_ID
from thanosql_server.storage.schemas import SchemaStore
from thanosql_server.storage.scratch import Scratch

DIM = 96


@pytest.fixture
def tables(tmp_path):
    return SchemaStore(tmp_path, Scratch(tmp_path / "trash")).public.tables


@pytest.fixture
def matrix():
    return np.random.default_rng(0).standard_normal((900, DIM)).astype("f4")


@pytest.fixture
def table(tables, matrix):
    """Three fragments."""
    for start in range(0, 900, 300):
        part = matrix[start : start + 300]
        flat = pa.array(part.ravel())
        rows = pa.table({"v": pa.FixedSizeListArray.from_arrays(flat, DIM)})
        if start:
            tables.append("t", rows.to_reader())
        else:
            tables.create("t", rows.to_reader())
    return tables.open("t")


def ids_of(table):
    return np.concatenate(
        [one[ROW_ID].to_numpy() for one in table.scan([], row_ids=True)]
    )


def by_graph(table, matrix, near, query):
    """What a graph returns: the right order, but for the last digits."""
    scores, _ = COSINE.compare(matrix[near], query)
    off = scores + np.float32(3e-7) * np.array([1, -1] * 5, np.float32)
    return Found(ids_of(table)[near], off, compared=False)


def test_scores_are_those_of_a_comparison(table, matrix):
    query = np.random.default_rng(1).standard_normal(DIM)
    scores, _ = COSINE.compare(matrix, query)
    near = np.argsort(-scores, kind="stable")[:10]
    placed, search = PlacedVectors(), Search(table, "v", query[None], 10)
    for _ in range(2):
        found = placed.compared(search, by_graph(table, matrix, near[::-1], query))
        assert found.compared
        assert found.ids.tolist() == ids_of(table)[near].tolist()
        assert found.scores.tobytes() == scores[near].tobytes()


def test_equal_scores_are_in_table_order(table, matrix):
    query = matrix[3].astype("f8")
    rows = np.array([5, 5, 3, 3, 3, 5, 5, 3, 5, 3])
    found = by_graph(table, matrix, rows, query)
    search = Search(table, "v", query[None], 10)
    ordered = PlacedVectors().compared(search, found)
    assert ordered.ids.tolist() == ids_of(table)[[3] * 5 + [5] * 5].tolist()


def test_other_vectors_than_the_graphs_are_noticed(table, matrix):
    query = np.random.default_rng(1).standard_normal(DIM)
    found = by_graph(table, matrix, np.arange(10), query)
    moved = Found(ids_of(table)[1:11], found.scores, compared=False)
    search = Search(table, "v", query[None], 10)
    assert PlacedVectors().compared(search, moved) is moved


def test_what_cannot_be_read_by_place_is_left_as_it_is(tables, table, matrix):
    query = np.random.default_rng(1).standard_normal(DIM)
    found = by_graph(table, matrix, np.arange(10), query)
    other = Search(table, "v", query[None], 10, measure=DISTANCE)
    assert PlacedVectors().compared(other, found) is found
    holes = pa.FixedSizeListArray.from_arrays(
        pa.array(matrix.ravel()), DIM, mask=pa.array([False] * 899 + [True])
    )
    tables.create("holes", pa.table({"v": holes}).to_reader())
    lacking = Search(tables.open("holes"), "v", query[None], 10)
    assert PlacedVectors().compared(lacking, found) is found
    placed, search = PlacedVectors(), Search(table, "v", query[None], 10)
    assert placed.compared(search, found).compared
    tables.drop("t")
    assert placed.compared(search, found) is found
