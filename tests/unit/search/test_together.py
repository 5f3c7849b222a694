"""Comparisons computed together give what each gives alone, and nothing unwanted."""

import threading

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.search.exact import Comparison
from thanosql_server.search.measures import COSINE, DISTANCE, INNER, Measure
from thanosql_server.search.together import Together

DIM, ROWS = 24, 500


def column(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((rows, DIM)).astype("f4")
    matrix[::7] = 0
    matrix[3::50] = np.nan
    matrix[4::50] *= np.float32(1e30)
    mask = pa.array(np.arange(rows) % 11 == 5)
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), DIM, mask=mask)


def comparisons(count=3, measure=COSINE):
    random = np.random.default_rng(1)
    queries = [random.standard_normal(DIM).astype("f4") for _ in range(count)]
    return [Comparison(lambda query=query: query, measure) for query in queries]


@pytest.mark.parametrize("measure", [COSINE, DISTANCE, INNER], ids=lambda one: one.name)
def test_batch_by_batch_each_gets_what_it_gets_alone(measure):
    alone = comparisons(measure=measure)
    together = Together(alone)
    for seed, rows in enumerate((ROWS, 1, 0, 300, ROWS)):
        batch = column(rows, seed)
        for number in (0, 1, 2):
            assert together.scores(number, batch) == alone[number].scores(batch)
    slices = column().slice(100, 200), column().slice(101, 200)
    for part in slices:
        for number in (2, 0):
            assert together.scores(number, part) == alone[number].scores(part)


def counting(calls):
    """The cosine, which notes with how many vectors it is asked to compare."""

    class Counting(Measure):
        def compare_each(self, left, vectors):
            calls.append(len(vectors))
            return COSINE.compare_each(left, vectors)

    return Counting(COSINE.name, COSINE.dtype, False, COSINE.compare)


def test_what_was_wanted_together_is_computed_in_one_pass():
    calls = []
    together = Together(comparisons(4, counting(calls)))
    for seed in range(3):
        batch = column(seed=seed)
        for number in (0, 2, 3):
            together.scores(number, batch)
    assert calls == [1, 1, 1, 3, 3]


def test_what_nobody_wants_is_not_computed():
    calls = []
    together = Together(comparisons(4, counting(calls)))
    for seed in range(3):
        together.scores(1, column(seed=seed))
    assert calls == [1, 1, 1]


def test_threads_do_not_take_each_others_batches():
    alone = comparisons()
    together, wrong = Together(alone), []

    def work(seed):
        for round_ in range(20):
            batch = column(seed=seed * 100 + round_)
            found = [together.scores(number, batch) for number in range(3)]
            if found != [comparison.scores(batch) for comparison in alone]:
                wrong.append((seed, round_))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
