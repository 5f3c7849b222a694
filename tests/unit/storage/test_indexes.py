"""Indexes on disk: whole or not at all, beside their tables, found by everybody."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest

from thanosql_server.errors import (
    Conflict,
    DuplicateObject,
    ResourceExhausted,
    UndefinedObject,
    UndefinedTable,
)
from thanosql_server.storage.index_files import DamagedIndex, facts_of
from thanosql_server.storage.index_records import Definition, Run, run_facts
from thanosql_server.storage.indexes import IndexStore
from thanosql_server.storage.schemas import SchemaStore
from thanosql_server.storage.scratch import Scratch


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.scratch = Scratch(folder / "trash")
        self.schemas = SchemaStore(folder, self.scratch)
        self.tables = self.schemas.public.tables
        self.store = IndexStore(self.schemas, self.scratch)

    def table(self, name="t"):
        if not self.tables.exists(name):
            self.tables.create(name, pa.table({"v": [1, 2, 3]}).to_reader())
        return self.tables.open(name)

    def create(self, name="i", table="t", text="one"):
        opened = self.table(table)
        self.store.create(opened, asked(name), lambda f: write(f, opened, text))
        return self.store.find(name)


def asked(name):
    return Definition(name, "v", 0, "cosine_similarity", 16, 200, "2026-01-01T00:00:00")


def write(folder, table, text):
    (folder / "graph").write_text(text)
    runs = [Run(one, 0, one.rows) for one in table.fragments("v")]
    facts = [run_facts(run) for run in runs]
    rows = sum(run.stop for run in runs)
    version = table.version
    return {"version": version, "dim": 2, "labels": rows, "rows": rows, "runs": facts}


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.scratch.close()


def test_an_index_is_made_found_and_dropped(place):
    index = place.create()
    assert index.table == "t"
    assert index.generation.rows == 3
    assert index.generation.runs[0].fragment == place.table().fragments("v")[0]
    assert index.generation.bytes == len("one")
    index.generation.check()
    assert place.store.of(place.table().place) == (index,) == tuple(place.store.all())
    place.store.drop(index)
    assert place.store.all() == []
    with pytest.raises(UndefinedObject, match="there is no index 'i'"):
        place.store.drop(index)


def test_names_are_taken_once_in_a_workspace(place):
    place.create("i", "t")
    place.create("Ungewöhnlich, 'oder'?", "u")
    with pytest.raises(DuplicateObject, match="index 'i' already exists"):
        place.create("i", "u")
    assert [one.definition.name for one in place.store.all()] == [
        "Ungewöhnlich, 'oder'?",
        "i",
    ]
    with pytest.raises(UndefinedObject, match="did you mean 'i'"):
        place.store.find("I")


def test_what_fails_leaves_nothing(place, tmp_path):
    def failing(folder):
        (folder / "graph").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        place.store.create(place.table(), asked("i"), failing)

    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(ResourceExhausted, match="cannot be written: No space left"):
        place.store.create(place.table(), asked("i"), full)
    assert place.store.all() == []
    assert list(tmp_path.glob("trash/*/*")) == []
    index = place.create()
    with pytest.raises(ZeroDivisionError):
        place.store.renew(index, index.definition, failing)
    assert place.store.find("i") == index


def test_a_table_dropped_meanwhile_has_no_index(place):
    table = place.table()

    def dropping(folder):
        place.tables.drop("t")
        return {"version": 1, "dim": 2, "labels": 0, "rows": 0, "runs": []}

    with pytest.raises(UndefinedTable, match="'t' was dropped or renamed"):
        place.store.create(table, asked("i"), dropping)
    assert place.store.all() == []


def test_a_new_generation_takes_the_place_of_the_old(place):
    index = place.create()
    with place.store.held(index):
        assert place.store.is_held(index)
        with pytest.raises(Conflict, match="is being renewed"), place.store.held(index):
            pass
        renamed = replace(index.definition, column="w")
        place.store.renew(index, renamed, lambda f: write(f, place.table(), "two"))
    assert not place.store.is_held(index)
    newer = place.store.find("i")
    assert newer.definition.column == "w"
    assert newer.generation.identity != index.generation.identity
    assert [path.name for path in newer.folder.glob("g*")] == ["g2"]
    with pytest.raises(DamagedIndex):
        index.generation.check()


def test_an_index_dropped_meanwhile_is_not_brought_back(place):
    index = place.create()

    def dropping(folder):
        place.store.drop(index)
        return write(folder, place.table(), "two")

    with pytest.raises(Conflict, match="index 'i' was dropped meanwhile"):
        place.store.renew(index, index.definition, dropping)
    assert place.store.all() == []


def test_an_index_goes_with_its_table(place):
    place.create()
    place.tables.rename("t", "u")
    assert place.store.find("i").table == "u"
    place.tables.drop("u")
    assert place.store.all() == []


def test_an_older_generation_that_was_left_counts_no_more(place):
    index = place.create()
    kept = place.folder / "kept"
    shutil.copytree(index.generation.folder, kept)
    place.store.renew(index, index.definition, lambda f: write(f, place.table(), "two"))
    kept.rename(index.folder / "g1")  # as a kill between the two steps leaves it
    again = IndexStore(place.schemas, place.scratch)
    assert again.find("i").generation.folder.name == "g2"


@pytest.mark.parametrize("damage", ["cut", "other", "format", "crc", "empty"])
def test_a_manifest_that_is_not_ours_is_not_read(place, damage):
    index = place.create()
    path = index.generation.folder / "manifest.json"
    sealed = json.loads(path.read_text())
    if damage == "cut":
        path.write_text(path.read_text()[:50])
    elif damage == "other":
        path.write_text('{"a": 1}')
    elif damage == "empty":
        path.write_text("")
    else:
        if damage == "format":
            sealed["body"]["format"] = 99
        else:
            sealed["body"]["facts"]["rows"] = 7
        path.write_text(json.dumps(sealed))
    with pytest.raises(DamagedIndex):
        facts_of(index.generation.folder)
    again = IndexStore(place.schemas, place.scratch)
    found = again.find("i")
    assert (found.definition, found.generation) == (index.definition, None)


def test_a_lost_definition_is_in_the_generation(place):
    index = place.create()
    (index.folder / "definition.json").unlink()
    again = IndexStore(place.schemas, place.scratch)
    assert again.find("i") == index
    for path in index.generation.folder.iterdir():
        path.unlink()
    again = IndexStore(place.schemas, place.scratch)
    assert again.all() == []
    place.store = again
    place.create()  # what is left does not keep the name
    assert again.find("i").generation.rows == 3


@pytest.mark.parametrize("change", ["cut", "byte", "gone"])
def test_a_file_that_is_not_what_was_written_is_found_out(place, change):
    generation = place.create().generation
    path = generation.folder / "graph"
    if change == "gone":
        path.unlink()
    else:
        path.write_text("on" if change == "cut" else "onE")
    with pytest.raises(DamagedIndex):
        generation.check()
