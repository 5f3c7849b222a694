"""MNIST from idx files on servers; small ones, of digits drawn here."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from tests.hub_server import HubServer
from thanosql_server.control import Control
from thanosql_server.digits import draw_digit
from thanosql_server.errors import Cancelled, HubUnreachable, InvalidData
from thanosql_server.storage.hub_built_in import BUILT_IN
from thanosql_server.storage.hub_manifest import Entry, HubFile
from thanosql_server.storage.hub_mnist import Mnist, Part, choose
from thanosql_server.storage.hub_recipe import Offer

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
PARTS = (
    Part("test", 2, (6, 0, 1, 2, 3, 4, 5, 7, 9, 8), below=60, last=(18,), among=(8,)),
    Part("train", 3, tuple(range(10)), below=100, first=(55,)),
)


@pytest.fixture(scope="module")
def digits():
    """100 pictures (100, 28, 28); the n-th shows the digit n % 10."""
    return np.stack([np.asarray(draw_digit(n % 10, n)) for n in range(100)])


def idx(array):
    header = np.array([0x800 + array.ndim, *array.shape], ">u4")
    return gzip.compress(header.tobytes() + array.astype(np.uint8).tobytes())


@pytest.fixture
def mirrors(tmp_path, digits):
    """Two servers with the files."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / IMAGES).write_bytes(idx(digits))
    (folder / LABELS).write_bytes(idx(np.arange(100) % 10))
    servers = [HubServer(folder), HubServer(folder)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def offer(mirrors):
    folder = mirrors[0].behaviour.folder
    files = [
        HubFile(name, hashlib.sha256(content).hexdigest(), len(content))
        for name in (IMAGES, LABELS)
        if (content := (folder / name).read_bytes())
    ]
    recipe = Mnist(tuple(server.address for server in mirrors), *files, PARTS)
    return Offer(Entry("datasets", "mnist_data", "image"), recipe)


@pytest.fixture
def place(open_place, offer):
    return open_place(built_in=[offer])


def rows(place, table):
    content = place.content("mnist_data")[f"mnist_{table}.csv"].decode()
    return list(csv.DictReader(io.StringIO(content)))


def test_pictures_are_called_by_their_number(place, digits):
    place.get("mnist_data")
    test, train = rows(place, "test"), rows(place, "train")
    assert [row["label"] for row in test] == [*"66001122334455779988"]
    assert [row["filename"] for row in test][-2:] == ["8.jpg", "18.jpg"]
    assert len(train) == 30
    assert train[15]["filename"] == "55.jpg"
    names = [row["filename"] for row in (*test, *train)]
    assert len(set(names)) == 50
    for row in (*test, *train):
        number = int(row["filename"].removesuffix(".jpg"))
        assert int(row["label"]) == number % 10
        with Image.open(place.root / row["image_path"]) as image:
            difference = np.asarray(image, dtype=int) - digits[number]
            assert (image.mode, np.abs(difference).mean() < 6) == ("L", True)
    assert place.left_over() == []


def test_the_same_labels_give_the_same_choice(place, mirrors):
    place.get("mnist_data")
    first = place.content("mnist_data")
    place.get("mnist_data", overwrite=True)
    assert place.content("mnist_data") == first


def test_the_tutorials_pictures_are_among_those_of_the_real_one():
    [recipe] = [one.recipe for one in BUILT_IN if one.entry.name == "mnist_data"]
    named = {8: (923, 6573, 7645, 8045, 9591, 7425, 2150, 5087), 5: (6782, 1810)}
    named[6] = (5099, 9239, 2242, 3451, 2631)
    labels = np.arange(60_000) % 10
    for digit, numbers in named.items():
        labels[list(numbers)] = digit
    labels[[33617, 27802, 50677]] = 5
    chosen = choose(labels.astype(np.uint8), recipe.parts)
    assert {name: len(set(numbers)) for name, numbers in chosen.items()} == {
        "train": 1000,
        "test": 200,
    }
    assert not set(chosen["train"]) & set(chosen["test"])
    assert 923 in chosen["test"]
    assert chosen["test"][:5] == [5099, 9239, 2242, 3451, 2631]
    assert chosen["test"][-5:] == [8045, 9591, 7425, 2150, 5087]
    assert chosen["train"][:5] == [6782, 1810, 33617, 27802, 50677]


def test_another_mirror_is_taken_where_the_first_does_not_answer(place, mirrors):
    mirrors[0].behaviour.status[IMAGES] = [503] * 9
    place.get("mnist_data")
    assert mirrors[0].behaviour.asked(LABELS) == []
    assert len(mirrors[1].behaviour.asked(LABELS)) == 1


def test_without_a_mirror_there_is_one_error(place, mirrors):
    for server in mirrors:
        server.close()
    with pytest.raises(HubUnreachable) as caught:
        place.get("mnist_data")
    assert str(caught.value) == (
        f"'{IMAGES}' of data set 'mnist_data' cannot be fetched from the hub "
        f"{mirrors[0].address}: nothing answers at this address"
    )
    assert place.content("mnist_data") == {}


def test_a_lie_is_found_out(place, mirrors):
    for server in mirrors:
        content = (server.behaviour.folder / IMAGES).read_bytes()
        server.behaviour.content[IMAGES] = bytes(len(content))
    with pytest.raises(InvalidData, match="its SHA-256 is another; nothing was"):
        place.get("mnist_data")
    assert place.content("mnist_data") == {}


def test_files_that_are_no_idx_files_are_refused(open_place, mirrors, offer, digits):
    cases = {
        "no idx file of bytes": gzip.compress(bytes(2000)),
        "cannot reshape": gzip.compress(gzip.decompress(idx(digits))[:-9]),
        "Not a gzipped file": b"PK\3\4",
        "99 pictures and 100 labels": idx(digits[:99]),
    }
    for sentence, content in cases.items():
        for server in mirrors:
            server.behaviour.content[IMAGES] = content
        digest = hashlib.sha256(content).hexdigest()
        recipe = Mnist(
            offer.recipe.mirrors,
            HubFile(IMAGES, digest, len(content)),
            offer.recipe.labels,
            PARTS,
        )
        place = open_place(built_in=[Offer(offer.entry, recipe)])
        with pytest.raises(InvalidData, match=sentence):
            place.get("mnist_data")
        assert place.content("mnist_data") == {}


def test_too_few_of_a_digit_are_refused():
    with pytest.raises(InvalidData, match="too few pictures of the digit 7 for 'a'"):
        choose(np.zeros(5, np.uint8), (Part("a", 2, (0, 7), below=5),))


def test_decoding_can_be_cancelled_and_what_has_come_is_not_fetched_again(
    place, mirrors, monkeypatch
):
    monkeypatch.setattr("thanosql_server.storage.hub_mnist.REPORTED", 1)
    report = place.control.report

    def cancel(phase, done, total=0, message=""):
        if phase == "decoding":
            place.control.cancel()
        report(phase, done, total, message)

    place.control.report = cancel
    with pytest.raises(Cancelled):
        place.get("mnist_data")
    assert place.content("mnist_data") == {}
    behaviour = mirrors[0].behaviour
    behaviour.requests.clear()
    place.control = Control()
    place.get("mnist_data")
    assert len(rows(place, "train")) == 30
    # Only to see whether the mirror answers; nothing is read from it.
    assert behaviour.requests == [(IMAGES, None)]
