"""Which files a pattern means."""

from __future__ import annotations

import pytest

from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    InvalidValue,
    PermissionDenied,
    ResourceExhausted,
    UndefinedFile,
)
from thanosql_server.storage import globs
from thanosql_server.storage.globs import is_glob, matches, matching_files, split
from thanosql_server.storage.paths import PathPolicy

FILES = ("a.csv", "b.csv", ".c.csv", "s/a.csv", "s/t/b.csv", "s/.h/x.csv", "s/t/b.tsv")

MEANT = {
    "*.csv": ["a.csv", "b.csv"],
    "[!a].csv": ["b.csv"],
    ".*.csv": [".c.csv"],
    "*/*.csv": ["s/a.csv"],
    "s/**/*.csv": ["s/a.csv", "s/t/b.csv"],
    "s/**": ["s/a.csv", "s/t/b.csv", "s/t/b.tsv"],
    "**/b.*": ["b.csv", "s/t/b.csv", "s/t/b.tsv"],
    "./s/?.csv": ["s/a.csv"],
    "s/.h/*": ["s/.h/x.csv"],
}


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("pattern", MEANT)
def test_what_a_pattern_means(workspace, pattern):
    found = matching_files(pattern, PathPolicy(workspace))
    assert [one.shown for one in found] == MEANT[pattern]
    assert [one.path.read_text() for one in found] == MEANT[pattern]


@pytest.mark.parametrize("pattern", MEANT)
def test_names_of_a_list_match_as_files_do(pattern):
    base, parts = split(pattern)
    start = () if base == "." else tuple(base.split("/"))
    found = [
        name
        for name in FILES
        if tuple(name.split("/")[: len(start)]) == start
        and matches(parts, tuple(name.split("/")[len(start) :]))
    ]
    assert sorted(found) == MEANT[pattern]


def test_paths_are_shown_as_they_are_written(workspace):
    policy = PathPolicy(workspace, mounts=(("/data", workspace / "s"),))
    found = matching_files("/data/**/*.csv", policy)
    assert [one.shown for one in found] == ["/data/a.csv", "/data/t/b.csv"]


def test_links_are_followed_within_the_folders_only(workspace, tmp_path):
    (workspace / "s" / "round").symlink_to("..")
    policy = PathPolicy(workspace)
    shown = [one.shown for one in matching_files("s/**/a.csv", policy)]
    assert shown == ["s/a.csv", "s/round/a.csv"]
    (tmp_path / "x.csv").write_text("secret")
    (workspace / "z.csv").symlink_to(tmp_path / "x.csv")
    with pytest.raises(PermissionDenied, match=r"'z\.csv' is outside"):
        matching_files("*.csv", policy)
    (workspace / "out").symlink_to(tmp_path)
    with pytest.raises(PermissionDenied, match="'out' is outside"):
        matching_files("o*/x.csv", policy)


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("*.tsv", UndefinedFile),
        ("none/*.csv", UndefinedFile),
        ("a.csv/*", UndefinedFile),
        ("../*", PermissionDenied),
        (".thanosql/*", PermissionDenied),
        ("**/**/*.csv", InvalidValue),
        ("*/../*.csv", InvalidValue),
    ],
)
def test_what_a_pattern_cannot_mean(workspace, pattern, error):
    with pytest.raises(error) as raised:
        matching_files(pattern, PathPolicy(workspace))
    assert str(workspace) not in str(raised.value)


def test_a_limit_of_files_and_a_cancel(workspace, monkeypatch):
    monkeypatch.setattr(globs, "MOST_FILES", 2)
    with pytest.raises(ResourceExhausted, match="more than the 2 files"):
        matching_files("**/*.?sv", PathPolicy(workspace))
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        matching_files("*.csv", PathPolicy(workspace), control)


def test_what_is_no_pattern():
    assert not is_glob("sales/may (1).csv")
    assert is_glob("sales/may[1].csv")
