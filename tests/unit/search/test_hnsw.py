"""hnswlib behind one file: what it does wrong when used as it is."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.needs import NEEDS_HNSWLIB
from thanosql_server.errors import NotSupported, ResourceExhausted
from thanosql_server.search.hnsw import Graph, bytes_of, require_hnswlib
from thanosql_server.search.measures import COSINE, DISTANCE, INNER

pytestmark = NEEDS_HNSWLIB

DIM = 6


def unit(rows, seed=0):
    matrix = np.random.default_rng(seed).standard_normal((rows, DIM))
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype("f4")


def graph_of(vectors, measure=COSINE, m=16, capacity=None):
    capacity = len(vectors) if capacity is None else capacity
    graph = Graph.new(DIM, measure, m, 200, capacity)
    graph.add(vectors, 2)
    return graph


@pytest.mark.parametrize("measure", [COSINE, DISTANCE, INNER])
def test_scores_are_those_of_the_measure(measure):
    vectors, queries = unit(300), unit(4, seed=1)
    labels, scores = graph_of(vectors, measure).nearest(queries, 300)
    assert labels.shape == scores.shape == (4, 300)
    for query, found, given in zip(queries, labels, scores, strict=True):
        right, _ = measure.compare(vectors[found.astype(int)], query)
        np.testing.assert_allclose(given, right, atol=2e-6)
        nearer = np.diff(given) if measure.nearest_is_least else -np.diff(given)
        assert (nearer >= -1e-6).all()


def test_more_rows_than_there_are_give_all_rows():
    graph = graph_of(unit(20))
    labels, _ = graph.nearest(unit(1, seed=1), 5000)
    assert sorted(labels[0].tolist()) == list(range(20))
    empty = graph_of(unit(0))
    labels, scores = empty.nearest(unit(2), 10)
    assert labels.shape == scores.shape == (2, 0)


def test_a_graph_in_pieces_gives_what_it_reaches():
    # As many alike as links lead nowhere else.
    same = np.repeat(unit(5), 400, axis=0)[np.random.default_rng(0).permutation(2000)]
    graph = graph_of(same)
    found = graph.nearest(unit(1, seed=3), 2000, least=1)
    assert found is not None
    assert 1 <= found[0].shape[1] < 2000
    assert graph.nearest(unit(1, seed=3), 2000, least=2000) is None
    assert len(graph.nearest(unit(1, seed=3), 10)[0][0]) == 10


def test_one_search_does_not_change_what_another_keeps_in_sight():
    vectors = unit(3000)
    graph, queries = graph_of(vectors), unit(200, seed=1)

    def first(number):
        query = queries[number % 200][None]
        ef = (20, 400, 3000)[number % 3]
        return number, ef, graph.first(query, 10, ef)[0]

    with ThreadPoolExecutor(8) as pool:
        for number, ef, labels in pool.map(first, range(1200)):
            right = np.argsort(-(vectors @ queries[number % 200]))[:10]
            hits = len(set(labels.tolist()) & set(right.tolist()))
            assert hits >= (10 if ef == 3000 else 5)


def test_a_graph_is_saved_loaded_and_added_to(tmp_path):
    vectors = unit(600)
    path = tmp_path / "über 1"
    graph_of(vectors[:500]).save(path)
    graph = Graph.load(path, DIM, COSINE, 16, capacity=600)
    assert len(graph) == 500
    graph.add(vectors[500:], 2)
    labels, _ = graph.nearest(vectors, 1)
    assert (labels[:, 0] == np.arange(600)).mean() > 0.99
    assert graph.bytes == bytes_of(600, DIM, 16)


def test_a_full_disk_is_noticed():
    with pytest.raises((ResourceExhausted, OSError)):
        graph_of(unit(5000)).save(__import__("pathlib").Path("/dev/full"))


def test_more_memory_than_there_is_is_a_sentence():
    with pytest.raises(ResourceExhausted, match="an index of 1,000,000,000,000 vect"):
        Graph.new(DIM, COSINE, 16, 200, 10**12)


def test_without_hnswlib_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(NotSupported, match=r"pip install 'thanosql-flight\[hnsw\]'"):
        require_hnswlib()


def test_hnswlib_is_imported_when_it_is_used():
    code = (
        "import sys, thanosql_server.engine.engine as _;"
        "sys.exit(any(name in sys.modules for name in ('hnswlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
