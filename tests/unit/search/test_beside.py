"""Rows beside a graph: whichever way they are screened, none that is near is lost."""

import numpy as np
import pytest

from thanosql_server.search import beside
from thanosql_server.search.beside import Beside
from thanosql_server.search.measures import COSINE, MEASURES

DIM = 24
ROWS = (10, 500, beside._FEWEST_CODED + 10)
"""Compared one by one, screened by float32 cosines, and by bytes."""


def rows(count, lengths=1.0, seed=0):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((count, DIM)) * lengths
    return np.arange(count, dtype=np.uint64) * 3, matrix.astype("f4")


@pytest.mark.parametrize("name", sorted(MEASURES))
@pytest.mark.parametrize("count", ROWS)
@pytest.mark.parametrize("worst", ["none", "tenth", "unreached"])
def test_the_nearest_are_among_those_found(name, count, worst):
    measure = MEASURES[name]
    ids, matrix = rows(count, np.geomspace(1e-3, 1e3, count)[:, None])
    there = Beside.of([(ids, matrix)], DIM, measure)
    for seed in range(5):
        query = np.random.default_rng(seed).standard_normal(DIM)
        scores, _ = measure.compare(matrix, query)
        ranks = scores if measure.nearest_is_least else -scores
        order = np.lexsort((ids, ranks))
        least = {
            "none": None,
            "tenth": float(scores[order[9]]),
            "unreached": float(scores[order[0]]) + (-1 if ranks is scores else 1),
        }[worst]
        found, own = there.best(query, 10, least)
        wanted = [] if worst == "unreached" else ids[order[:10]]
        assert set(wanted) <= set(found)
        known = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        assert [known[one] for one in found.tolist()] == own.tolist()


def test_few_rows_more_than_the_nearest_are_compared():
    ids, matrix = rows(2000)
    there = Beside.of([(ids, matrix)], DIM, COSINE)
    found, _ = there.best(matrix[5].astype("f8"), 10, 0.9999)
    assert found.tolist() == [ids[5]]


@pytest.mark.parametrize("length", [1e-30, 1e-14, 1e14, 1e30])
def test_lengths_that_float32_cannot_square_lose_nothing(length):
    ids, matrix = rows(300)
    matrix[7] *= np.float32(length)
    there = Beside.of([(ids, matrix)], DIM, COSINE)
    tiny = matrix[8] * np.float32(1e-30)
    for near, query in ((7, matrix[7]), (8, tiny), (8, matrix[8].astype("f8"))):
        found, scores = there.best(query, 1, 0.99)
        assert ids[near] in found
        assert scores.max() == pytest.approx(1, abs=1e-6)


def test_only_wanted_rows_are_returned():
    ids, matrix = rows(500)
    there = Beside.of([(ids, matrix)], DIM, COSINE)
    found, _ = there.best(matrix[0], 3, wanted=ids[[1, 2, 4]])
    assert found.tolist() == ids[[1, 2, 4]].tolist()
