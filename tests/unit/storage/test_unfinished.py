from __future__ import annotations

import os
import time
from contextlib import suppress

import numpy as np
import pytest

from thanosql_server.errors import Conflict
from thanosql_server.storage.scratch import KEPT_SECONDS
from thanosql_server.storage.unfinished import Unfinished

DIM = 5


def origins(*numbers):
    return np.array(numbers, np.uint64)


def vectors(*numbers):
    return np.array([[n] * DIM for n in numbers], np.float32)


@pytest.fixture
def unfinished(tmp_path):
    return Unfinished(tmp_path / "unfinished")


class Interrupted(Exception):
    pass


def interrupt(unfinished, *numbers, table="t"):
    """Save some embeddings of a statement that then fails."""
    with (
        suppress(Interrupted),
        unfinished.held(table, "column", "m", dim=DIM) as saved,
    ):
        if numbers:
            saved.append(origins(*numbers), vectors(*numbers))
        raise Interrupted


def file_of(tmp_path):
    [file] = (tmp_path / "unfinished").glob("*/embeddings")
    return file


def found(unfinished, *numbers, table="t"):
    """Return which of these are saved, by a statement that fails again."""
    there = []
    with (
        suppress(Interrupted),
        unfinished.held(table, "column", "m", dim=DIM) as saved,
    ):
        records = saved.find(origins(*numbers))
        there = [n for n, r in zip(numbers, records, strict=True) if r >= 0]
        read = saved.vectors(records[records >= 0])
        assert np.array_equal(read, vectors(*there).reshape(-1, DIM))
        raise Interrupted
    return there


def test_what_was_saved_is_found_by_the_next(unfinished, tmp_path):
    interrupt(unfinished, 7, 2**64 - 1, 3)
    interrupt(unfinished, 11)
    assert found(unfinished, 3, 4, 7, 8, 11, 2**64 - 1) == [3, 7, 11, 2**64 - 1]
    assert found(Unfinished(tmp_path / "unfinished"), 3, 4) == [3]


def test_records_of_this_statement_can_be_read_at_once(unfinished):
    with unfinished.held("t", dim=DIM) as saved:
        first = saved.append(origins(5, 6), vectors(5, 6))
        second = saved.append(origins(7), vectors(7))
        places = np.concatenate([second, first])
        assert np.array_equal(saved.vectors(places), vectors(7, 5, 6))
        assert len(saved) == 3
        saved.clear()
        assert len(saved) == 0
        assert saved.append(origins(8), vectors(8)).tolist() == [0]
        assert np.array_equal(saved.vectors(np.array([0])), vectors(8))


def test_it_goes_with_the_end_of_the_statement(unfinished, tmp_path):
    interrupt(unfinished, 1)
    with unfinished.held("t", "column", "m", dim=DIM):
        pass
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_nothing_is_left_of_a_statement_that_saved_nothing(unfinished, tmp_path):
    interrupt(unfinished)
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_other_statements_have_their_own(unfinished):
    interrupt(unfinished, 1)
    assert found(unfinished, 1, table="u") == []
    with unfinished.held("t", "column", "n", dim=DIM) as saved:
        assert saved.find(origins(1)).tolist() == [-1]
    with unfinished.held("t", "column", "m", dim=DIM + 1) as saved:
        assert saved.find(origins(1)).tolist() == [-1]


@pytest.mark.parametrize("lost", [1, 4, 13, 31])
def test_a_torn_end_is_ignored(unfinished, tmp_path, lost):
    interrupt(unfinished, 1, 2, 3)
    file = file_of(tmp_path)
    os.truncate(file, file.stat().st_size - lost)
    assert found(unfinished, 1, 2, 3) == [1, 2]
    interrupt(unfinished, 4)
    assert found(unfinished, 1, 2, 3, 4) == [1, 2, 4]


def test_nothing_behind_damage_is_believed(unfinished, tmp_path):
    interrupt(unfinished, *range(1, 10))
    file = file_of(tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert found(unfinished, *range(1, 10)) == [1, 2, 3, 4]


def test_zeros_of_a_crash_are_no_records(unfinished, tmp_path):
    interrupt(unfinished, 1)
    with file_of(tmp_path).open("ab") as file:
        file.write(bytes(1000))
    assert found(unfinished, 0, 1) == [1]


def test_two_statements_do_not_make_the_same(unfinished):
    with (
        unfinished.held("t", dim=DIM),
        pytest.raises(Conflict, match="another statement converts table 't' right now"),
        unfinished.held("t", dim=DIM),
    ):
        pytest.fail("both were let in")


def test_what_nobody_came_back_for_goes(unfinished, tmp_path):
    interrupt(unfinished, 1)
    interrupt(unfinished, 1, table="u")
    first, second = sorted((tmp_path / "unfinished").iterdir())
    old = time.time() - KEPT_SECONDS - 60
    os.utime(first, (old, old))
    Unfinished(tmp_path / "unfinished")
    assert list((tmp_path / "unfinished").iterdir()) == [second]
