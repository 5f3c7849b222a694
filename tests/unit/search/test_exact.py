import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql_server.search.exact import Comparison, nearest


def similarities(column, query):
    return Comparison(lambda: query).scores(column)


def top_k(batches, column, row_id, query, k):
    return Comparison(lambda: query).nearest(batches, column, row_id, k)


DIM = 4


def unit(rows, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((rows, DIM)).astype("f4")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def column(vectors, missing=()):
    rows = [None if i in missing else list(v) for i, v in enumerate(vectors)]
    return pa.array(rows, pa.list_(pa.float32(), DIM))


def batches(vectors, missing=(), size=7):
    ids = pa.array(range(100, 100 + len(vectors)), pa.uint64())
    batch = pa.record_batch([column(vectors, missing), ids], names=["e", "id"])
    return [batch.slice(at, size) for at in range(0, len(vectors), size)]


def brute_force(vectors, query, k, missing=()):
    """A slow, obvious reference: sort all rows, the earlier first among equals."""
    exact = vectors.astype("f8") @ query.astype("f8")
    scores = exact.round(6)  # equal vectors are ties, whatever the last bit
    there = [i for i in range(len(vectors)) if i not in missing]
    ranked = sorted(there, key=lambda i: (-scores[i], i))
    return [100 + i for i in (ranked + sorted(missing))[:k]]


def test_similarity_is_the_cosine_of_unit_vectors():
    vectors, query = unit(20), unit(1, seed=1)[0]
    found = similarities(column(vectors), query).to_numpy()
    expected = [float(np.dot(v.astype("f8"), query.astype("f8"))) for v in vectors]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_vector_is_most_similar_to_itself_and_never_more_than_one():
    vectors = unit(50)
    for vector in vectors:
        scores = similarities(column(vectors), vector).to_numpy()
        assert scores.max() <= 1
        assert scores.argmax() == np.flatnonzero((vectors == vector).all(axis=1))[0]


def test_rows_without_a_vector_have_no_similarity():
    found = similarities(column(unit(3), missing={1}), unit(1)[0])
    assert found.is_null().to_pylist() == [False, True, False]


@settings(deadline=None, max_examples=150)
@given(
    rows=st.integers(0, 40),
    k=st.integers(0, 45),
    size=st.integers(1, 20),
    distinct=st.integers(1, 6),
    missing=st.sets(st.integers(0, 39), max_size=10),
)
def test_top_k_equals_brute_force(rows, k, size, distinct, missing):
    """With few distinct vectors most rows are ties, which go by row."""
    vectors = unit(distinct)[np.arange(rows) % distinct]
    missing = {i for i in missing if i < rows}
    query = unit(1, seed=9)[0]
    found = top_k(batches(vectors, missing, size), "e", "id", query, k)
    assert found == brute_force(vectors, query, k, missing)


def test_equal_vectors_have_equal_similarities_wherever_they_stand():
    vectors = np.repeat(unit(1), 101, axis=0)
    query = unit(1, seed=9)[0]
    whole = similarities(column(vectors), query)
    parts = [similarities(column(vectors[:n]), query) for n in range(1, 20)]
    assert len(whole.unique()) == 1
    assert {value for part in parts for value in part.to_pylist()} == {whole[0].as_py()}


def test_top_k_of_no_batches_is_empty():
    assert top_k([], "e", "id", unit(1)[0], 5) == []


def test_several_queries_find_what_each_finds_alone():
    vectors, queries = unit(60), unit(5, seed=3)
    together = nearest(batches(vectors, {3, 4}), "e", "id", queries, 9)
    for query, found in zip(queries, together, strict=True):
        (alone,) = nearest(batches(vectors, {3, 4}), "e", "id", query[None], 9)
        assert found.rows() == alone.rows()
        assert found.scores.tolist() == alone.scores.tolist()
        assert found.rows() == top_k(batches(vectors, {3, 4}), "e", "id", query, 9)
