"""Looking after tables: those that changed, not those in use, and not too often."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from thanosql_server.errors import Cancelled
from thanosql_server.storage import compaction, upkeep
from thanosql_server.storage.upkeep import FEWEST_BUSY, FEWEST_QUIET, Looked, Upkeep


@pytest.fixture
def keeper(workspace):
    return Upkeep(workspace.schemas, lambda: None)


def add(tables, numbers, times):
    for start in range(times):
        tables.append("t", numbers(1, start))


def fragments(tables):
    return len(tables.open("t").fragments("id"))


def rest(tables, name="t"):
    """Let the last change be some time ago."""
    past = time.time() - 10
    os.utime(tables.folder_of(name) / "_versions", (past, past))


def test_a_busy_table_waits_for_more(tables, numbers, keeper):
    tables.create("t", numbers(1000))
    add(tables, numbers, FEWEST_BUSY - 1)
    looked = keeper.look()
    assert (looked.moved, fragments(tables)) == (False, FEWEST_BUSY)
    assert looked.again == upkeep.QUIET_SECONDS
    add(tables, numbers, 1)
    assert keeper.look().moved
    assert fragments(tables) == 2
    assert tables.open("t").count_rows() == 1000 + FEWEST_BUSY


def test_a_quiet_table_is_tidied_up(tables, numbers, keeper):
    tables.create("t", numbers(1000))
    add(tables, numbers, FEWEST_QUIET - 1)
    keeper.look()
    rest(tables)
    assert keeper.look() == Looked(moved=False, again=None)
    add(tables, numbers, 1)
    assert keeper.look().again is not None
    rest(tables)
    assert keeper.look().moved
    assert fragments(tables) == 2


def test_a_table_without_changes_is_not_opened_again(
    tables, numbers, keeper, monkeypatch
):
    tables.create("t", numbers(3))
    rest(tables)
    keeper.look()
    monkeypatch.setattr(upkeep, "compact", None)  # would fail if it were called
    assert keeper.look() == Looked(moved=False, again=None)


def test_rows_in_use_are_tried_again(tables, numbers, keeper, monkeypatch):
    monkeypatch.setattr(compaction, "TRIES", 1)
    tables.create("t", numbers(1000))
    add(tables, numbers, FEWEST_BUSY)
    with tables.rows_in_place("t"):
        assert keeper.look() == Looked(moved=False, again=upkeep.RETRY_SECONDS)
    assert keeper.look().moved


def test_a_damaged_table_does_not_keep_it_from_others(tables, numbers, keeper):
    tables.create("a", numbers(3))
    tables.create("t", numbers(1000))
    add(tables, numbers, FEWEST_BUSY)
    [manifest] = (tables.folder_of("a") / "_versions").glob("*.manifest")
    manifest.write_bytes(manifest.read_bytes()[:20])
    assert keeper.look().moved
    assert fragments(tables) == 2


def test_being_stopped_is_passed_on(workspace, tables, numbers):
    def stop():
        raise Cancelled("stop")

    tables.create("t", numbers(3))
    with pytest.raises(Cancelled):
        Upkeep(workspace.schemas, stop).look()


def test_old_versions_go_when_their_time_is_over(workspace, tables, numbers):
    keeper = Upkeep(workspace.schemas, lambda: None)
    tables.create("t", numbers(3))
    add(tables, numbers, 3)
    keeper.look()
    assert versions(tables) == 4
    tables.kept = timedelta(0)
    add(tables, numbers, 1)
    looked = keeper.look()
    assert looked.again is not None  # not at once again: it reads all versions
    assert versions(tables) == 5
    time.sleep(looked.again)
    keeper.look()
    assert versions(tables) == 1
    assert tables.open("t").count_rows() == 7


def versions(tables):
    return len(list((tables.folder_of("t") / "_versions").glob("*.manifest")))
