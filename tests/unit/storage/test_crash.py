"""Processes are killed (SIGKILL) in the middle of a change; nothing has changed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thanosql_server.config import Config
from thanosql_server.errors import Conflict
from thanosql_server.storage.workspace import Workspace

CHILD = Path(__file__).with_name("child.py")


class Writer:
    """A process that is in the middle of `action`."""

    def __init__(self, folder, action, steps=0):
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(folder), action, str(steps)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self.process.stdout.readline() != "ready\n":
            pytest.fail(self.process.communicate()[1])

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder(tmp_path, numbers):
    workspace = Workspace.open(Config(tmp_path))
    workspace.tables.create("t", numbers(3000))
    with workspace.models.create("m") as staged:
        (staged / "config.json").write_text('{"dim": 1}')
    workspace.close()
    return tmp_path


def require_as_before(folder):
    workspace = Workspace.open(Config(folder))
    try:
        assert workspace.tables.names() == ["t"]
        table = workspace.tables.open("t")
        assert table.version == 1
        assert table.schema.names == ["id", "text"]
        read = [i for batch in table.scan(["id"]) for i in batch["id"].to_pylist()]
        assert read == list(range(3000))
        assert workspace.models.names() == ["m"]
        model = workspace.models.open("m")
        assert (model.version, model.config) == (1, {"dim": 1})
        assert [p.name for p in model.folder.iterdir()] == ["config.json"]
    finally:
        workspace.close()
    assert list((folder / ".thanosql" / "trash").iterdir()) == []


CHANGES = [
    *((action, n) for action in ("create", "add_column", "model") for n in (1, 4, 7)),
    ("overwrite", 4),
    ("append", 4),
    ("replace_column", 4),
    *((action, n) for action in ("delete", "update") for n in (0, 4, 11)),
]


@pytest.mark.parametrize(("action", "steps"), CHANGES)
def test_killed_writer_leaves_everything_as_it_was(folder, action, steps):
    Writer(folder, action, steps).kill()
    require_as_before(folder)


@pytest.mark.parametrize("attempt", range(3))
def test_table_is_whole_whenever_its_writer_is_killed(tmp_path, attempt):
    writer = Writer(tmp_path, "forever")
    time.sleep(0.2 + attempt * 0.083)
    writer.kill()
    workspace = Workspace.open(Config(tmp_path))
    (batch,) = workspace.tables.open("t").scan()
    workspace.close()
    assert batch.num_rows == 3000
    assert len(set(batch["x"].to_pylist())) == 1


@pytest.mark.parametrize("seed", range(8))
def test_rows_are_changed_all_or_not_whenever_their_writer_is_killed(tmp_path, seed):
    """Every commit leaves 3,000 or 3,001 rows with one number, or with two beside."""
    writer = Writer(tmp_path, "changing")
    time.sleep(random.Random(seed).uniform(0.05, 0.6))
    writer.kill()
    workspace = Workspace.open(Config(tmp_path))
    batches = list(workspace.tables.open("t").scan())
    workspace.close()
    found = [number for batch in batches for number in batch["x"].to_pylist()]
    assert len(found) in (3000, 3001)
    assert len(set(found)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_columns_are_changed_all_or_not_whenever_their_writer_is_killed(tmp_path, seed):
    writer = Writer(tmp_path, "altering")
    time.sleep(random.Random(seed).uniform(0.05, 0.6))
    writer.kill()
    workspace = Workspace.open(Config(tmp_path))
    (name,) = set(workspace.tables.names()) - {"d"}
    table = workspace.tables.open(name)
    rows = [row for batch in table.scan() for row in batch.to_pylist()]
    workspace.close()
    assert table.schema.names in (["x"], ["x", "y"], ["x", "z"])
    assert [row["x"] for row in rows] == list(range(3000))
    assert len({tuple(list(row.values())[1:]) for row in rows}) == 1


def test_two_processes_that_change_the_same_rows_lose_nothing(folder):
    writers = [Writer(folder, "counting", 10) for _ in range(2)]
    for writer in writers:
        _, errors = writer.process.communicate(timeout=120)
        assert writer.process.returncode == 0, errors
    workspace = Workspace.open(Config(folder))
    batches = workspace.tables.open("t").scan(["id"])
    found = [number for batch in batches for number in batch["id"].to_pylist()]
    workspace.close()
    assert found == list(range(20, 3020))


def test_opening_leaves_the_work_of_living_processes_alone(folder):
    writer = Writer(folder, "model", 3)
    try:
        Workspace.open(Config(folder)).close()
        staged = list((folder / ".thanosql" / "trash").rglob("2.bin"))
        assert len(staged) == 1
    finally:
        writer.kill()
    require_as_before(folder)


def test_table_that_another_process_writes_cannot_be_dropped(folder):
    writer = Writer(folder, "append", 1)
    workspace = Workspace.open(Config(folder))
    with pytest.raises(Conflict, match="is writing to table 't'; try again"):
        workspace.tables.drop("t")
    writer.kill()
    workspace.tables.drop("t")
    assert workspace.tables.names() == []
    workspace.close()


def test_change_by_another_process_shows_when_opened_again(folder, numbers):
    first, second = (Workspace.open(Config(folder)) for _ in range(2))
    before = first.tables.open("t")
    second.tables.append("t", numbers(500, start=3000))
    assert before.count_rows() == 3000
    assert first.tables.open("t").count_rows() == 3500
    first.close()
    second.close()
