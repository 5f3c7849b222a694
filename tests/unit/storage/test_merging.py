"""Which fragments are merged: few, in order, and each row not too often."""

from __future__ import annotations

import random

import pytest

from thanosql_server.storage.merging import FEWEST_GONE, MOST_ROWS, Size, runs_to_merge


def runs(*rows, fewest=2):
    return [list(run) for run in runs_to_merge([Size(n) for n in rows], fewest)]


def test_nothing_is_merged_where_there_is_nothing_to_gain():
    assert runs() == []
    assert runs(5) == []
    assert runs(1000, 1) == []
    assert runs(900_000, 900_000) == []


def test_small_neighbours_are_merged_and_a_large_fragment_is_left_alone():
    assert runs(1000, 1, 1, 1) == [[1, 2, 3]]
    assert runs(1, 1, 1, 1000) == [[0, 1, 2, 3]]
    assert runs(1, 1, 1, MOST_ROWS) == [[0, 1, 2]]
    assert runs(1, 1, MOST_ROWS, 1, 1) == [[0, 1], [3, 4]]


def test_a_run_has_as_many_fragments_as_asked():
    assert runs(1000, 1, 1, 1, fewest=4) == []
    assert runs(1000, 1, 1, 1, 1, fewest=4) == [[1, 2, 3, 4]]


def test_fragments_with_many_deleted_rows_are_written_anew():
    few, many = Size(100_000, FEWEST_GONE), Size(2 * FEWEST_GONE, FEWEST_GONE)
    tiny = Size(1, FEWEST_GONE - 1)
    assert runs_to_merge([few], 8) == []
    assert runs_to_merge([tiny], 8) == []
    assert [list(run) for run in runs_to_merge([many], 8)] == [[0]]


def test_a_table_that_rests_is_left_in_fewer():
    sizes = [Size(rows) for rows in (2000, 900, 200, 30, *[1] * 8)]
    assert [list(run) for run in runs_to_merge(sizes, 8)] == [[*range(4, 12)]]
    assert [list(run) for run in runs_to_merge(sizes, 8, 64)] == [[*range(12)]]
    dear = [Size(10_000), *[Size(1)] * 8]
    assert [list(run) for run in runs_to_merge(dear, 8, 64)] == [[*range(1, 9)]]


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_in_order_do_not_overlap_and_fit(seed):
    chance = random.Random(seed)
    sizes = [
        Size(chance.choice([1, 10, 1000, 600_000, MOST_ROWS]))
        for _ in range(chance.randrange(40))
    ]
    found = runs_to_merge(sizes, chance.choice([2, 5]))
    places = [place for run in found for place in run]
    assert places == sorted(set(places))
    for run in found:
        assert sum(sizes[place].rows for place in run) <= MOST_ROWS


def test_rows_added_one_by_one_are_written_a_few_times_each():
    sizes, written, most = [], 0, 0
    for _ in range(20_000):
        sizes.append(Size(1))
        most = max(most, len(sizes))
        for run in reversed(runs_to_merge(sizes, 32)):
            rows = sum(sizes[place].rows for place in run)
            written += rows
            sizes[run.start : run.stop] = [Size(rows)]
    assert sum(size.rows for size in sizes) == 20_000
    assert most < 64
    assert written / 20_000 < 12
