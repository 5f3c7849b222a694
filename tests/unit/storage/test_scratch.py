from __future__ import annotations

import pytest

from thanosql_server.config import Config
from thanosql_server.storage.paths import PathPolicy
from thanosql_server.storage.scratch import Scratch
from thanosql_server.storage.workspace import Workspace


def test_folder_goes_when_it_is_closed(tmp_path):
    scratch = Scratch(tmp_path)
    scratch.new_path().write_text("half")
    scratch.close()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_folder_goes_with_its_owner(tmp_path):
    scratch = Scratch(tmp_path)
    scratch.new_path().mkdir()
    del scratch
    assert list(tmp_path.iterdir()) == []


def test_abandoned_folders_are_removed_and_living_ones_are_not(tmp_path):
    (tmp_path / "1-abandoned.lock").write_text("")
    (tmp_path / "1-abandoned" / "deep").mkdir(parents=True)
    living = Scratch(tmp_path)
    path = living.new_path()
    path.write_text("mine")
    other = Scratch(tmp_path)
    assert not (tmp_path / "1-abandoned").exists()
    assert not (tmp_path / "1-abandoned.lock").exists()
    assert path.read_text() == "mine"
    other.close()
    assert path.read_text() == "mine"
    living.close()


def test_paths_are_new_each_time(tmp_path):
    one, other = Scratch(tmp_path), Scratch(tmp_path)
    paths = {s.new_path() for s in (one, other) for _ in range(3)}
    assert len(paths) == 6
    one.close()
    other.close()


def test_discarded_things_are_gone(tmp_path):
    scratch = Scratch(tmp_path / "trash")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    scratch.discard(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    with pytest.raises(FileNotFoundError):
        scratch.discard(tmp_path / "folder")
    scratch.close()


def test_workspace_makes_its_folders_and_keeps_what_is_there(tmp_path):
    (tmp_path / "mine.csv").write_text("a\n1\n")
    workspace = Workspace.open(Config(tmp_path))
    assert {p.name for p in (tmp_path / ".thanosql").iterdir()} == {
        "tables",
        "models",
        "schemas",
        "spill",
        "trash",
        "views",
    }
    assert isinstance(workspace.paths, PathPolicy)
    assert workspace.paths.existing_file("mine.csv").read_text() == "a\n1\n"
    workspace.close()


def test_several_servers_share_one_workspace(tmp_path, numbers):
    one, other = (Workspace.open(Config(tmp_path)) for _ in range(2))
    one.tables.create("t", numbers(3))
    assert other.tables.open("t").count_rows() == 3
    one.close()
    other.tables.create("u", numbers(3))
    assert other.tables.names() == ["t", "u"]
    other.close()
