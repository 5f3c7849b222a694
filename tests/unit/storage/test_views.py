from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from thanosql_server.errors import DuplicateObject, InternalError, UndefinedTable
from thanosql_server.storage.views import View

ONE = View("SELECT 1 AS a")


@pytest.fixture
def views(workspace):
    return workspace.views


def test_a_view_comes_back_as_it_was_kept(views, tables):
    text = "SELECT '가''x' AS \"a b\" -- end\n"
    for name in ("v", "V", "보기"):
        views.create(name, View(text, ("a", "b")), tables, overwrite=False)
    assert views.names() == ["V", "v", "보기"]
    assert views.open("보기") == View(text, ("a", "b"))
    views.drop("v")
    assert not views.exists("v")
    assert views.exists("V")


def test_tables_and_views_share_their_names(views, tables, numbers):
    tables.create("t", numbers(3))
    views.create("v", ONE, tables, overwrite=False)
    with pytest.raises(DuplicateObject, match="there is a table 't'"):
        views.create("t", ONE, tables, overwrite=True)
    with pytest.raises(DuplicateObject, match="there is a view 'v'"):
        tables.create("v", numbers(3), overwrite=True)
    with pytest.raises(DuplicateObject, match="there is a view 'v'"):
        tables.define("v", pa.schema([("a", pa.int64())]))
    with pytest.raises(DuplicateObject, match="there is a view 'v'"):
        tables.rename("t", "v")
    with pytest.raises(DuplicateObject, match="view 'v' already exists"):
        views.create("v", ONE, tables, overwrite=False)
    views.create("v", View("SELECT 2"), tables, overwrite=True)
    assert views.open("v").query == "SELECT 2"
    assert tables.names() == ["t"]


def test_what_is_not_there_or_damaged_is_said(views, tables, tmp_path):
    with pytest.raises(UndefinedTable, match="there is no view 'v'"):
        views.open("v")
    with pytest.raises(UndefinedTable, match="there is no view 'v'"):
        views.drop("v")
    views.create("v", ONE, tables, overwrite=False)
    (file,) = (tmp_path / "workspace" / ".thanosql" / "views").iterdir()
    file.write_text('{"query": ')
    with pytest.raises(InternalError, match="file of view 'v' is damaged"):
        views.open("v")
    views.drop("v")


def test_of_many_at_once_one_gets_the_name(views, tables):
    outcomes = []

    def make(number):
        try:
            if number % 2:
                views.create("n", ONE, tables, overwrite=False)
            else:
                tables.define("n", pa.schema([("a", pa.int64())]))
            outcomes.append("made")
        except DuplicateObject:
            outcomes.append("refused")

    threads = [threading.Thread(target=make, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["refused"] * 7
    assert views.exists("n") != tables.exists("n")
