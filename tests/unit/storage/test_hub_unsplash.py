"""Unsplash Lite from a server: a small archive, and photos drawn here."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile

import pytest
from PIL import Image

from tests.hub_server import HubServer
from thanosql_server.errors import HubUnreachable, InvalidData
from thanosql_server.scenes import COLUMNS, draw_scene, held_out_scenes
from thanosql_server.storage.hub_manifest import Entry
from thanosql_server.storage.hub_recipe import Offer
from thanosql_server.storage.hub_unsplash import UnsplashLite, is_jpeg

COUNT = 40
IDS = [f"photo_{n:03}-x" for n in range(COUNT)]


def jpeg(number):
    content = io.BytesIO()
    draw_scene(held_out_scenes(COUNT)[number], number, 32).save(content, "JPEG")
    return content.getvalue()


def archive(rows, name="photos.tsv000", header=None):
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(header or ["photo_id", "photo_url", *COLUMNS[2:]])
    table.writerows(rows)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("DOCS.md", "# Documentation")
        files.writestr(name, text.getvalue())
        files.writestr("keywords.tsv000", "photo_id\tkeyword\n")
    return content.getvalue()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "unsplash"
    (folder / "photos").mkdir(parents=True)
    server = HubServer(folder)
    for number, photo in enumerate(IDS):
        (folder / "photos" / f"a b {photo}").write_bytes(jpeg(number))
    yield server
    server.close()


@pytest.fixture
def rows(server):
    return [
        [
            photo,
            "https://example.org",
            f"{server.address}/photos/a%20b%20{photo}",
            f'The "best"\nof {photo}' if number % 2 else "",
            f"words {number}",
        ]
        for number, photo in enumerate(IDS)
    ]


@pytest.fixture
def open_with(server, open_place):
    """Return a function that opens a workspace for which the archive is this one."""

    def open_(content):
        (server.behaviour.folder / "1.0").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        photos = f"{server.address}/photos/"
        recipe = UnsplashLite(server.address, "1.0", digest, photos, "?w=32")
        offer = Offer(Entry("datasets", "unsplash_data", "image"), recipe)
        return open_place(built_in=[offer])

    return open_


@pytest.fixture
def place(open_with, rows):
    return open_with(archive(rows))


def table(place):
    content = place.content("unsplash_data")["unsplash.csv"].decode()
    return list(csv.reader(io.StringIO(content, newline="")))


def test_the_table_and_all_photos_arrive(place, server, rows):
    place.get("unsplash_data")
    header, *found = table(place)
    assert tuple(header) == COLUMNS
    assert [row[0] for row in found] == IDS
    assert found[1] == [
        IDS[1],
        f"thanosql-dataset/unsplash_data/{IDS[1]}.jpg",
        rows[1][2],
        f'The "best"\nof {IDS[1]}',
        "words 1",
    ]
    for number, row in enumerate(found):
        assert (place.root / row[1]).read_bytes() == jpeg(number)
    assert server.behaviour.queries[f"photos/a b {IDS[0]}"] == "w=32"
    assert (place.control.warnings, place.left_over()) == ((), [])


@pytest.mark.parametrize("name", ["photos.csv000", "lite/photos.tsv"])
def test_former_names_of_the_table_are_known(open_with, rows, name):
    place = open_with(archive(rows[:3], name))
    place.get("unsplash_data")
    assert len(table(place)) == 4


def test_photos_that_are_gone_are_left_out(place, server):
    (server.behaviour.folder / "photos" / f"a b {IDS[3]}").unlink()
    server.behaviour.content[f"photos/a b {IDS[5]}"] = b"<html>Sorry</html>"
    place.get("unsplash_data")
    assert [row[0] for row in table(place)[1:]] == [
        photo for photo in IDS if photo not in (IDS[3], IDS[5])
    ]
    assert f"{IDS[5]}.jpg" not in place.content("unsplash_data")
    [warning] = place.control.warnings
    assert warning == (
        f"2 of {COUNT} photos of data set 'unsplash_data' are gone from "
        f"{server.address}/photos/ and were left out"
    )


def test_too_many_that_are_gone_stop_it(place, server):
    for photo in IDS[10:20]:
        server.behaviour.status[f"photos/a b {photo}"] = [403] * 9
    with pytest.raises(HubUnreachable, match=r"of 40 photos .* is too many"):
        place.get("unsplash_data")
    assert place.content("unsplash_data") == {}


def test_the_next_statement_goes_on_with_what_is_there(place, server):
    path = f"photos/a b {IDS[-1]}"
    server.behaviour.status[path] = [500] * 2
    with pytest.raises(HubUnreachable) as caught:
        place.get("unsplash_data")
    assert str(caught.value) == (
        f"photo '{IDS[-1]}' of data set 'unsplash_data' cannot be fetched from the hub "
        f"{server.address}/photos: it answers with status 500"
    )
    [folder] = place.left_over()
    complete = {file.stem for file in folder.glob("files/*.jpg")}
    assert len(complete) > COUNT // 2
    broken = next(iter(complete))
    (folder / "files" / f"{broken}.jpg").write_bytes(jpeg(0)[:200])
    (folder / "files" / "of_another_version.jpg").write_bytes(jpeg(0))
    server.behaviour.requests.clear()
    place.get("unsplash_data")
    assert len(place.content("unsplash_data")) == COUNT + 1
    asked = {path.removeprefix("photos/a b ") for path, _ in server.behaviour.requests}
    assert asked - {"1.0"} == {*IDS} - complete | {broken}
    assert len(table(place)) == COUNT + 1


def test_an_archive_that_breaks_off_is_continued(place, server):
    server.behaviour.breaks["1.0"] = [10_000, 300]
    place.get("unsplash_data")
    assert len(server.behaviour.asked("1.0")) >= 2
    assert len(table(place)) == COUNT + 1


def test_another_archive_than_the_known_one_is_refused(place, server, rows):
    server.behaviour.content["1.0"] = archive(rows[:2])
    with pytest.raises(InvalidData, match="its SHA-256 is another; nothing was"):
        place.get("unsplash_data")
    assert server.behaviour.asked(f"photos/a b {IDS[0]}") == []


def test_a_host_that_does_not_answer_is_one_error(place, server):
    server.close()
    with pytest.raises(HubUnreachable) as caught:
        place.get("unsplash_data")
    assert str(caught.value) == (
        "the archive of data set 'unsplash_data' cannot be fetched from the hub "
        f"{server.address}: nothing answers at this address"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no archive at all", "File is not a zip file"),
        (archive([], "other.tsv"), "it has no photos"),
        (archive([["../../x", "", "", "", ""]]), "'../../x' is no id of a photo"),
        (archive([["x"]], header=["name"]), "'' is no id of a photo"),
    ],
)
def test_what_is_no_such_archive_is_refused(open_with, content, sentence):
    place = open_with(content)
    with pytest.raises(InvalidData) as caught:
        place.get("unsplash_data")
    assert f"the archive of Unsplash cannot be read: {sentence}" in str(caught.value)
    assert place.content("unsplash_data") == {}


def test_a_table_that_is_damaged_inside_the_archive_is_refused(open_with, rows):
    content = bytearray(archive(rows))
    content[content.index(b"photos.tsv000") + 40] ^= 0xFF
    with pytest.raises(InvalidData, match="the archive of Unsplash cannot be read: "):
        open_with(bytes(content)).get("unsplash_data")


def test_addresses_elsewhere_are_not_followed(open_with, rows, server):
    rows[4][2] = f"{server.address}/1.0"
    place = open_with(archive(rows))
    place.get("unsplash_data")
    assert len(server.behaviour.asked("1.0")) == 2
    assert "1 of 40 photos" in place.control.warnings[0]


def test_only_whole_jpegs_are_photos():
    whole = jpeg(0)
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")
    assert is_jpeg(whole)
    assert not is_jpeg(whole[:-300])
    assert not is_jpeg(png.getvalue())
    assert not is_jpeg(b"")
