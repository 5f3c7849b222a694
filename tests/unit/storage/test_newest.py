"""The newest version of a table is found, whoever made it and whatever was removed."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import lance
import pytest

from thanosql_server.errors import UndefinedTable
from thanosql_server.storage.history import History
from thanosql_server.storage.newest import NEWEST, Newest, is_there, removing_versions


@pytest.fixture
def folder(tables, numbers):
    tables.create("t", numbers(3))
    return tables.folder_of("t")


def append(folder, times=1):
    """Commit as another process would."""
    for _ in range(times):
        dataset = lance.dataset(folder)
        lance.write_dataset(dataset.to_table().slice(0, 1), dataset, mode="append")


def listings(monkeypatch):
    """Note which folders are listed from now on."""
    seen = []
    listed = Newest._listed

    def noted(self, folder):
        seen.append(folder.name)
        return listed(self, folder)

    monkeypatch.setattr(Newest, "_listed", noted)
    return seen


@pytest.mark.parametrize("commits", [0, 1, 5, 100])
def test_commits_of_others_are_seen(folder, commits):
    newest = Newest()
    assert newest.open(folder).version == 1
    append(folder, commits)
    assert newest.open(folder).version == 1 + commits
    assert newest.open(folder).count_rows() == 3 + commits


def test_the_folder_is_not_listed_again(folder, monkeypatch):
    newest = Newest()
    seen = listings(monkeypatch)
    newest.open(folder)
    assert seen == ["t.lance"]
    for _ in range(3):
        append(folder)
        newest.open(folder)
    added = lance.fragment.write_fragments(
        newest.open(folder).to_table(), newest.open(folder), mode="append"
    )
    operation = lance.LanceOperation.Append(added)
    made = newest.commit(folder, newest.open(folder), operation)
    assert newest.open(folder) is made
    assert seen == ["t.lance"]


@pytest.mark.parametrize("known", [1, 3])
def test_versions_that_others_removed_mislead_nobody(folder, known):
    newest = Newest()
    append(folder, known - 1)
    assert newest.open(folder).version == known
    append(folder, 3)
    with removing_versions(folder):
        # Lance removes in no order: the one known is there still, the next is not.
        os.remove(next(p for p in manifests(folder) if version(p) == known + 1))
        assert newest.open(folder).version == known + 3
    assert newest.open(folder).version == known + 3
    append(folder)
    assert newest.open(folder).version == known + 4


def manifests(folder):
    return list((folder / "_versions").glob("*.manifest"))


def version(path):
    return (1 << 64) - 1 - int(path.stem)


def test_a_vacuum_by_another_is_noticed(folder, tables):
    newest = Newest()
    newest.open(folder)
    append(folder, 4)
    History(tables).vacuum("t", timedelta(0))
    assert len(manifests(folder)) == 1
    assert newest.open(folder).version == 5
    assert is_there(folder, 5)
    assert not is_there(folder, 4)


def test_a_killed_removal_makes_it_slow_not_wrong(folder, monkeypatch):
    newest = Newest()
    newest.open(folder)
    os.utime(folder, ns=(0, 0))  # as the killed process left it
    seen = listings(monkeypatch)
    append(folder)
    assert newest.open(folder).version == 2
    assert newest.open(folder).version == 2
    assert len(seen) == 2
    with removing_versions(folder):
        pass
    newest.open(folder)
    seen.clear()
    assert newest.open(folder).version == 2
    assert seen == []


def test_a_table_of_the_same_name_is_another(tables, numbers):
    tables.create("t", numbers(3))
    for start in range(5):
        tables.append("t", numbers(1, start))
    assert tables.open("t").version == 6
    tables.drop("t")
    with pytest.raises(UndefinedTable):
        tables.open("t")
    tables.create("t", numbers(7))
    assert tables.open("t").version == 1
    assert tables.open("t").count_rows() == 7


def test_a_folder_put_in_the_place_of_another_is_noticed(folder, tables, numbers):
    tables.create("u", numbers(9))
    append(tables.folder_of("u"), 2)
    NEWEST.open(folder)
    shutil.rmtree(folder)
    tables.folder_of("u").rename(folder)
    assert NEWEST.open(folder).count_rows() == 11


def test_only_so_many_tables_stay_open(tables, numbers, monkeypatch):
    monkeypatch.setattr("thanosql_server.storage.newest.MOST_OPEN", 2)
    newest = Newest()
    for name in "abc":
        tables.create(name, numbers(1))
        newest.open(tables.folder_of(name))
    assert [newest.is_known(tables.folder_of(name)) for name in "abc"] == [
        False,
        True,
        True,
    ]
