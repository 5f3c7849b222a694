from __future__ import annotations

import os

import pytest

from thanosql_server.errors import InvalidData
from thanosql_server.storage.importers import IMAGE_EXTENSIONS, list_images
from thanosql_server.storage.paths import PathPolicy


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "workspace" / "pictures"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def policy(tmp_path):
    return PathPolicy(tmp_path / "workspace")


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def listed(folder, policy, shown="pictures", extensions=None):
    return list_images(folder, shown, extensions, policy).read_all().to_pylist()


def paths(folder, policy, **options):
    return [row["image_path"] for row in listed(folder, policy, **options)]


def test_rows_have_path_name_and_label(folder, policy):
    put(folder, "b.jpg", "cat/a.png", "dog/small/c.gif")
    assert listed(folder, policy) == [
        {"image_path": "pictures/b.jpg", "filename": "b.jpg", "label": None},
        {"image_path": "pictures/cat/a.png", "filename": "a.png", "label": "cat"},
        {
            "image_path": "pictures/dog/small/c.gif",
            "filename": "c.gif",
            "label": "small",
        },
    ]


@pytest.mark.parametrize(
    ("shown", "path"),
    [
        ("pictures", "pictures/a.jpg"),
        ("pictures/", "pictures/a.jpg"),
        ("/data/pictures", "/data/pictures/a.jpg"),
        (".", "./a.jpg"),
    ],
)
def test_paths_begin_as_the_user_wrote_the_folder(folder, policy, shown, path):
    put(folder, "a.jpg")
    assert paths(folder, policy, shown=shown) == [path]


def test_extensions_count_in_any_case(folder, policy):
    put(folder, *(f"a.{e}" for e in IMAGE_EXTENSIONS), "A.JPG", "b.txt", "c", "jpg")
    assert len(listed(folder, policy)) == len(IMAGE_EXTENSIONS) + 1
    assert paths(folder, policy, extensions=(".TXT",)) == ["pictures/b.txt"]


def test_folders_without_pictures_are_told(folder, policy):
    put(folder, "a.txt", "deep/.hidden.jpg")
    with pytest.raises(InvalidData, match=r"no pictures in 'pictures'; .* jpg, jpeg,"):
        listed(folder, policy)


def test_hidden_files_and_folders_are_left_out(folder, policy):
    put(folder, "a.jpg", "._a.jpg", ".ipynb_checkpoints/a.jpg")
    assert paths(folder, policy) == ["pictures/a.jpg"]


def test_folders_named_like_pictures_are_folders(folder, policy):
    put(folder, "x.jpg/a.jpg")
    assert paths(folder, policy) == ["pictures/x.jpg/a.jpg"]


def test_links_are_followed_inside_the_allowed_folders_only(folder, policy, tmp_path):
    put(folder, "a.jpg")
    put(tmp_path / "secret", "s.jpg")
    put(tmp_path / "workspace" / "more", "m.jpg")
    put(tmp_path / "workspace" / ".thanosql", "t.jpg")
    os.symlink(tmp_path / "secret", folder / "out")
    os.symlink(tmp_path / "secret" / "s.jpg", folder / "s.jpg")
    os.symlink(tmp_path / "workspace" / "more", folder / "in")
    os.symlink(tmp_path / "workspace" / ".thanosql", folder / "ours")
    os.symlink("nowhere", folder / "dangling.jpg")
    assert paths(folder, policy) == ["pictures/a.jpg", "pictures/in/m.jpg"]


def test_links_in_circles_end(folder, policy):
    put(folder, "a/b.jpg")
    os.symlink(folder, folder / "a" / "again")
    os.symlink("self", folder / "self")
    assert paths(folder, policy) == ["pictures/a/b.jpg"]


def test_file_names_that_are_no_text_are_left_out(folder, policy):
    put(folder, "a.jpg")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    assert paths(folder, policy) == ["pictures/a.jpg"]


def test_many_pictures_come_in_batches_and_in_order(folder, policy):
    for number in range(9000):
        (folder / f"{number:05}.jpg").touch()
    reader = list_images(folder, "p", None, policy)
    sizes = [batch.num_rows for batch in reader]
    assert sizes == [8192, 808]
    assert paths(folder, policy, shown="p") == [f"p/{n:05}.jpg" for n in range(9000)]


def test_folder_that_cannot_be_listed_is_told_without_its_place(folder, policy):
    with pytest.raises(InvalidData) as caught:
        listed(folder / "missing", policy, shown="missing")
    assert caught.value.message == (
        "the folder 'missing' cannot be listed: No such file or directory"
    )
