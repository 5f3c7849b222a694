from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql_server.errors import InvalidValue, PermissionDenied, UndefinedFile
from thanosql_server.storage.paths import PathPolicy


@pytest.fixture
def places(tmp_path):
    for name in ("workspace", "allowed", "mounted", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text("a\n1\n")
    return tmp_path


@pytest.fixture
def policy(places):
    mounts = (("/data", places / "mounted"),)
    return PathPolicy(places / "workspace", (places / "allowed",), mounts)


def test_relative_paths_start_in_the_workspace(policy, places):
    assert policy.resolve("a/b.csv") == (places / "workspace" / "a" / "b.csv").resolve()
    assert policy.resolve("a/../b.csv") == (places / "workspace" / "b.csv").resolve()
    assert policy.resolve(".") == (places / "workspace").resolve()


def test_absolute_paths_lie_under_an_allowed_folder(policy, places):
    allowed = str(places / "allowed" / "x.csv")
    assert policy.resolve(allowed) == (places / "allowed" / "x.csv").resolve()
    inside = str(places / "workspace" / "x.csv")
    assert policy.resolve(inside) == (places / "workspace" / "x.csv").resolve()
    assert policy.resolve("../allowed/x.csv") == policy.resolve(allowed)


def test_mounted_prefixes_have_a_home_elsewhere(policy, places):
    assert policy.resolve("/data/a/b") == (places / "mounted" / "a" / "b").resolve()
    assert policy.resolve("/data") == (places / "mounted").resolve()
    with pytest.raises(PermissionDenied):
        policy.resolve("/database/a")


def test_the_longest_mounted_prefix_wins(places):
    mounts = (("/data", places / "mounted"), ("/data/x", places / "allowed"))
    policy = PathPolicy(places / "workspace", (), mounts)
    assert policy.resolve("/data/x/y") == (places / "allowed" / "y").resolve()
    assert policy.resolve("/data/y") == (places / "mounted" / "y").resolve()


@pytest.mark.parametrize(
    "text",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "../secret/x.csv",
        "a/../../secret/x.csv",
        "/data/../secret/x.csv",
        "../workspace-2/x",
        "/",
        "..",
    ],
)
def test_nothing_leads_out(policy, text):
    with pytest.raises(PermissionDenied, match="outside the folders") as caught:
        policy.resolve(text)
    assert caught.value.message.startswith(f"'{text}' is outside")
    assert "--allow-path" in caught.value.message


def test_links_are_followed_before_the_check(policy, places):
    os.symlink(places / "secret", places / "workspace" / "out")
    os.symlink(places / "allowed", places / "workspace" / "in")
    os.symlink("loop", places / "workspace" / "loop")
    with pytest.raises(PermissionDenied):
        policy.resolve("out/x.csv")
    with pytest.raises(PermissionDenied):
        policy.resolve("in/../secret/x.csv")
    assert policy.existing_file("in/x.csv") == (places / "allowed/x.csv").resolve()
    with pytest.raises(UndefinedFile, match="there is no file 'loop'"):
        policy.existing_file("loop")


def test_our_own_folder_is_refused_however_it_is_reached(policy, places):
    ours = places / "workspace" / ".thanosql"
    ours.mkdir()
    os.symlink(ours, places / "workspace" / "link")
    for text in (".thanosql", ".thanosql/tables/t.lance", "link/tables", str(ours)):
        with pytest.raises(PermissionDenied):
            policy.resolve(text)
    everything = PathPolicy(places / "workspace", (places,), (("/all", places),))
    with pytest.raises(PermissionDenied):
        everything.resolve("/all/workspace/.thanosql/tables")


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800"])
def test_texts_that_are_no_paths(policy, text):
    with pytest.raises(InvalidValue, match="path"):
        policy.resolve(text)


def test_missing_files_are_named_as_the_user_wrote_them(policy, places):
    with pytest.raises(UndefinedFile) as caught:
        policy.existing_file("y/x.csv")
    assert caught.value.message == (
        "there is no file 'y/x.csv'; relative paths start in the server's workspace"
    )
    with pytest.raises(UndefinedFile, match=r"'/data/xx.csv'; did you mean 'x.csv'\?"):
        policy.existing_file("/data/xx.csv")
    with pytest.raises(UndefinedFile, match="there is no folder 'nowhere'"):
        policy.existing_folder("nowhere")
    with pytest.raises(UndefinedFile, match="there is no file 'aaa"):
        policy.existing_file("a" * 5000)


def test_files_and_folders_are_told_apart(policy, places):
    assert policy.existing_folder(".") == (places / "workspace").resolve()
    with pytest.raises(UndefinedFile, match=r"'\.' is a folder; a file is needed"):
        policy.existing_file(".")
    with pytest.raises(UndefinedFile, match=r"'x\.csv' is a file; a folder is needed"):
        policy.existing_folder("x.csv")


def test_pipes_are_no_files(policy, places):
    os.mkfifo(places / "workspace" / "pipe")
    with pytest.raises(UndefinedFile):
        policy.existing_file("pipe")


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from(["..", ".", "a", "/", "data", "~", "x\\y"])))
def test_every_text_is_inside_or_refused(tmp_path_factory, parts):
    workspace = tmp_path_factory.getbasetemp() / "workspace"
    policy = PathPolicy(workspace, (), (("/data", workspace / "data"),))
    try:
        path = policy.resolve("/".join(parts))
    except (PermissionDenied, InvalidValue):
        return
    assert path.is_relative_to(workspace.resolve())
