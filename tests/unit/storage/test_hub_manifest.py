from __future__ import annotations

import contextlib
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql_server.errors import InvalidData
from thanosql_server.storage.hub_manifest import HubFile, parse_manifest
from thanosql_server.storage.hub_writer import write_manifest

DIGEST = "0123456789abcdef" * 4
SHOWN = "the hub in folder 'hub'"


def file(path="a.csv", sha256=f'"{DIGEST}"', size="3"):
    return f"{{ path = '{path}', sha256 = {sha256}, size = {size} }}"


def dataset(name="d", files=None, more=""):
    listed = ", ".join([file()] if files is None else files)
    return f'[datasets.{name}]\ndata_type = "image"\nfiles = [{listed}]\n{more}\n'


def parse(text):
    return parse_manifest(text.encode(), SHOWN)


def test_a_data_set_has_type_files_and_licence():
    [entry] = parse(dataset("mnist_data", more='licence = "CC0-1.0"'))
    assert (entry.kind, entry.name, entry.category) == (
        "datasets",
        "mnist_data",
        "image",
    )
    assert entry.files == (HubFile("a.csv", DIGEST, 3),)
    assert (entry.licence, entry.size, entry.updated) == ("CC0-1.0", 3, None)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=timezone.utc)),
        ("2026-11-21T09:00:00+09:00", datetime(2026, 11, 21, tzinfo=timezone.utc)),
        ("2026-11-21T09:00:00", datetime(2026, 11, 21, 9, tzinfo=timezone.utc)),
    ],
)
def test_a_model_has_family_architecture_and_date(written, moment):
    [entry] = parse(
        f'[models.m]\nfamily = "SimCLR"\narchitecture = "resnet8"\n'
        f"updated = {written}\nfiles = [{file('config.json')}]"
    )
    assert (entry.kind, entry.category, entry.architecture) == (
        "models",
        "SimCLR",
        "resnet8",
    )
    assert entry.updated == moment


@pytest.mark.parametrize("family", ["CLIP", "CLIPEn"])
def test_a_clip_may_be_one_checkpoint(family):
    [entry] = parse(
        f'[models.m]\nfamily = "{family}"\narchitecture = "ViT-B-32"\ndim = 512\n'
        f"files = [{file('open_clip_model.safetensors')}]"
    )
    assert (entry.architecture, entry.dim) == ("ViT-B-32", 512)
    assert [one.path for one in entry.files] == ["open_clip_model.safetensors"]


def test_a_hub_may_be_empty():
    assert parse("") == ()


@pytest.mark.parametrize(
    "path",
    [
        "../a.csv",
        "a/../../b.csv",
        "/etc/passwd",
        "",
        ".",
        "a//b",
        "a/",
        "..\\a.csv",
        "C:/a.csv",
        "a\\u0000b",
        "a\\nb",
        "n" * 241,
        "/".join(["abcdefgh"] * 200),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    listed = f'{{ path = "{path}", sha256 = "{DIGEST}", size = 3 }}'
    if "\\a" in path:
        listed = file(path)
    with pytest.raises(InvalidData, match="unusable path") as caught:
        parse(dataset(files=[listed]))
    assert SHOWN in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[datasets", "cannot be read"),
        ("a = " + "[" * 100_000, "cannot be read"),
        ("datasets = 3", "'datasets' must be a table of entries"),
        ("[datasets]\nd = 3", "entry 'd' must be a table"),
        (dataset('"../d"'), "'../d' is no name"),
        (dataset('""'), "'' is no name"),
        (dataset('"a/b"'), "'a/b' is no name"),
        (dataset("n" * 129), "is no name"),
        ("[datasets.d]\ndata_type = 'image'", "entry 'd' needs a list 'files'"),
        (dataset(files=[]), "entry 'd' needs a list 'files'"),
        (dataset(files=["3"]), "a file of entry 'd' must be a table"),
        (dataset(files=[file(sha256="'abc'")]), "needs a 'sha256' of 64 digits"),
        (dataset(files=[file(size="-1")]), "needs a 'size' in bytes"),
        (dataset(files=[file(size="true")]), "needs a 'size' in bytes"),
        (dataset(files=[file(), file()]), "entry 'd' names a file twice"),
        (dataset(files=[file("a"), file("a/b")]), "'a/b' below what is a file"),
        (f"[datasets.d]\nfiles = [{file()}]", "needs a short text 'data_type'"),
        (dataset(more="updated = 3"), "'updated' of entry 'd' must be a date"),
        (
            f"[models.m]\nfamily = 'SimCLR'\nfiles = [{file()}]",
            "model 'm' has no file config.json",
        ),
        (
            f"[models.m]\nfamily = 'SimCLR'\narchitecture = 'resnet8'\n"
            f"files = [{file('a.pt')}]",
            "model 'm' has no file config.json",
        ),
        (
            f"[models.m]\nfamily = 'CLIP'\narchitecture = 'a'\n"
            f"files = [{file('a.pt')}, {file('b.pt')}]",
            "model 'm' needs config.json, or one checkpoint as its only file "
            "(.safetensors, .pt, .pth, .bin)",
        ),
        (
            f"[models.m]\nfamily = 'CLIP'\narchitecture = 'a'\n"
            f"files = [{file('a.npz')}]",
            "or one checkpoint as its only file",
        ),
        (
            f"[models.m]\nfamily = 'SimCLR'\ndim = true\n"
            f"files = [{file('config.json')}]",
            "'dim' of entry 'm' must be a whole number up to 65536",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, sentence):
    with pytest.raises(InvalidData) as caught:
        parse(text)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("hub.toml of the hub in folder 'hub' ")
    assert "\n" not in str(caught.value)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(InvalidData):
        assert isinstance(parse_manifest(content, SHOWN), tuple)


def test_what_is_written_reads_back(tmp_path):
    folder = tmp_path / "datasets" / "d"
    (folder / "sub folder").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"abc")
    (folder / "sub folder" / "그림's.jpg").write_bytes(b"")
    model = tmp_path / "models" / "m"
    model.mkdir(parents=True)
    (model / "config.json").write_text('{"family": "SimCLR", "dim": 7}')
    write_manifest(tmp_path)
    data_set, written = parse((tmp_path / "hub.toml").read_text("utf-8"))
    assert [(file.path, file.size) for file in data_set.files] == [
        ("a.csv", 3),
        ("sub folder/그림's.jpg", 0),
    ]
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert data_set.files[0].sha256 == abc
    assert (data_set.category, written.category) == ("image", "SimCLR")
    assert written.dim == 7
