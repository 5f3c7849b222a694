from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time

import pytest

from tests.unit.storage.hub_place import FILES, write_files
from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    Conflict,
    DuplicateObject,
    HubUnreachable,
    InvalidData,
    PermissionDenied,
    ResourceExhausted,
    UndefinedFile,
)
from thanosql_server.storage.hub_writer import write_manifest
from thanosql_server.storage.scratch import KEPT_SECONDS


def test_a_data_set_arrives_from_a_folder(place):
    place.get("letters")
    assert place.content("letters") == FILES
    assert place.left_over() == []


def test_a_data_set_arrives_from_a_server_with_progress(remote):
    remote.get("letters")
    assert remote.content("letters") == FILES
    progress = remote.control.progress
    assert (progress.phase, progress.done, progress.total) == ("fetching", 7, 7)


def test_names_are_found_in_any_case(place):
    place.get("LETTERS")
    assert place.content("letters") == FILES


def test_a_data_set_that_is_there_is_kept_unless_told_otherwise(place):
    own = {"mine.txt": b"mine"}
    write_files(place.root / "thanosql-dataset" / "letters", own)
    with pytest.raises(DuplicateObject, match="is at 'thanosql-dataset/letters'"):
        place.get("letters")
    assert place.content("letters") == own
    place.get("letters", overwrite=True)
    assert place.content("letters") == FILES


def test_a_link_is_replaced_and_what_it_leads_to_stays(place):
    precious = place.root / "precious"
    write_files(precious, {"mine.txt": b"mine"})
    (place.root / "thanosql-dataset").mkdir()
    (place.root / "thanosql-dataset" / "letters").symlink_to(precious)
    place.get("letters", overwrite=True)
    assert place.content("letters") == FILES
    assert (precious / "mine.txt").read_bytes() == b"mine"


def test_nothing_is_written_outside_the_workspace(place, tmp_path):
    (tmp_path / "outside").mkdir()
    (place.root / "thanosql-dataset").symlink_to(tmp_path / "outside")
    with pytest.raises(PermissionDenied):
        place.get("letters")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.fixture
def unfinished(remote, server):
    """A place where the download of `letters` was cancelled after its file a.csv."""
    server.behaviour.silent.add("datasets/letters/pictures/1.jpg")
    client = threading.Thread(target=_until_cancelled, args=[remote])
    client.start()
    while not list(remote.downloads.glob("*/files/a.csv")):
        time.sleep(0.005)
    remote.control.cancel()
    client.join()
    remote.control = Control()
    server.behaviour.silent.clear()
    return remote


def _until_cancelled(place):
    with pytest.raises(Cancelled):
        place.get("letters")


def test_a_failed_download_names_file_and_reason(remote, server):
    server.behaviour.status["datasets/letters/pictures/1.jpg"] = [500] * 2
    with pytest.raises(HubUnreachable) as caught:
        remote.get("letters")
    assert str(caught.value) == (
        "'pictures/1.jpg' of data set 'letters' cannot be fetched from the hub "
        f"{server.address}: it answers with status 500 after 0 of 3 bytes"
    )
    assert not (remote.root / "thanosql-dataset").exists()


def test_an_unfinished_download_leaves_nothing_and_goes_on_later(unfinished, server):
    assert not (unfinished.root / "thanosql-dataset").exists()
    unfinished.get("letters")
    assert unfinished.content("letters") == FILES
    assert server.behaviour.asked("datasets/letters/a.csv") == [None]


def test_a_download_that_was_broken_off_goes_on_after_a_restart(
    remote, server, open_place
):
    server.behaviour.breaks["datasets/letters/a.csv"] = [2, 0, 0]
    with pytest.raises(HubUnreachable, match="after 2 of 4 bytes"):
        remote.get("letters")
    again = open_place(server.address)
    again.get("letters")
    assert again.content("letters") == FILES
    assert server.behaviour.asked("datasets/letters/a.csv")[-1] == "bytes=2-"


def test_a_damaged_file_of_an_earlier_download_is_fetched_again(unfinished):
    [kept] = unfinished.downloads.rglob("a.csv")
    kept.write_bytes(b"a\n2\n")
    unfinished.get("letters")
    assert unfinished.content("letters") == FILES


def test_equal_files_are_two(place, hub):
    write_files(hub / "datasets" / "twins", {f"{i}.txt": b"same" for i in range(50)})
    write_manifest(hub)
    place.get("twins")
    assert len(place.content("twins")) == 50


def test_a_lie_about_the_hash_changes_nothing(remote, server):
    remote.get("letters")
    server.behaviour.content["datasets/letters/a.csv"] = b"a\n2\n"
    with pytest.raises(InvalidData, match=r"'a\.csv' from the hub .* SHA-256"):
        remote.get("letters", overwrite=True)
    assert remote.content("letters") == FILES


def test_a_missing_file_is_named(remote, hub):
    (hub / "datasets" / "letters" / "a.csv").unlink()
    with pytest.raises(UndefinedFile, match=r"has no 'a\.csv' of data set 'letters'"):
        remote.get("letters")


def test_a_cancel_leaves_nothing(remote, server):
    server.behaviour.silent.add("datasets/letters/a.csv")
    threading.Timer(0.1, remote.control.cancel).start()
    with pytest.raises(Cancelled):
        remote.get("letters")
    assert not (remote.root / "thanosql-dataset").exists()


def test_the_same_is_fetched_by_one_statement_at_a_time(remote, server, open_place):
    server.behaviour.silent.add("datasets/letters/a.csv")
    first = threading.Thread(target=_until_cancelled, args=[remote])
    first.start()
    while not server.behaviour.asked("datasets/letters/a.csv"):
        time.sleep(0.005)
    with pytest.raises(Conflict, match="another statement fetches data set 'letters'"):
        open_place(server.address).get("letters")
    remote.control.cancel()
    first.join()


def test_more_than_the_disk_holds_is_refused_before_it_begins(remote, server, hub):
    manifest = hub / "hub.toml"
    huge = manifest.read_text().replace("size = 4 ", f"size = {1 << 60} ")
    manifest.write_text(huge)
    with pytest.raises(ResourceExhausted, match="data set 'letters' has 10995"):
        remote.get("letters")
    assert server.behaviour.asked("datasets/letters/a.csv") == []


def test_a_path_that_leads_elsewhere_writes_nothing(place, hub, tmp_path):
    manifest = hub / "hub.toml"
    manifest.write_text(manifest.read_text().replace('"a.csv"', '"../../../a.csv"'))
    with pytest.raises(InvalidData, match="unusable path"):
        place.get("letters")
    assert not list(tmp_path.rglob("a.csv"))[1:]


def test_a_model_arrives_under_its_new_name(remote):
    remote.get_model("encoder", "mine")
    model = remote.models.open("mine")
    assert model.config == {"family": "SimCLR", "dim": 4}
    assert (model.folder / "weights.safetensors").read_bytes() == b"weights"
    assert remote.left_over() == []


def test_a_model_that_is_there_is_kept_unless_told_otherwise(remote, server):
    remote.get_model("encoder")
    asked = len(server.behaviour.requests)
    with pytest.raises(DuplicateObject, match="model 'encoder' already exists"):
        remote.get_model("encoder")
    assert len(server.behaviour.requests) == asked + 1  # hub.toml alone
    remote.get_model("encoder", overwrite=True)
    assert remote.models.open("encoder").version == 2


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (b'{"family": "CLIP"}', "announced as SimCLR, but its config.json says CLIP"),
        (b"{}", "names no family"),
        (b"[]", "names no family"),
        (b"\xff", "names no family"),
        (b"[" * 100_000, "names no family"),
    ],
)
def test_a_model_that_is_not_what_it_seems_changes_nothing(
    place, hub, config, sentence
):
    write_files(hub / "models" / "other", {"config.json": config})
    digest = hashlib.sha256(config).hexdigest()
    with (hub / "hub.toml").open("a") as manifest:
        manifest.write(
            '[models.other]\nfamily = "SimCLR"\nfiles = [{path = "config.json", '
            f'sha256 = "{digest}", size = {len(config)}}}]\n'
        )
    with pytest.raises(InvalidData, match=sentence):
        place.get_model("other")
    assert place.models.names() == []
    assert place.left_over() == []


def test_old_downloads_are_removed_at_the_start(open_place, hub):
    first = open_place(str(hub))
    for name, age in (("old", KEPT_SECONDS + 60), ("new", 60)):
        folder = first.downloads / name
        folder.mkdir(parents=True)
        moment = folder.stat().st_mtime - age
        os.utime(folder, (moment, moment))
    open_place(str(hub))
    assert [path.name for path in first.left_over()] == ["new"]
    shutil.rmtree(first.downloads / "new")
