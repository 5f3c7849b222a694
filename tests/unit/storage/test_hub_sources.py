from __future__ import annotations

import uuid

import fsspec
import pytest

from thanosql_server.errors import InvalidValue
from thanosql_server.storage.hub_reading import Missing, Refused
from thanosql_server.storage.hub_sources import source_of


def read(source, path, offset=0):
    opened = source.open(path, offset)
    return opened.start, b"".join(opened.chunks)


@pytest.fixture
def memory_hub():
    """The address of a store in memory that holds the file `a/b.txt`."""
    root = f"/{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    files.pipe(f"{root}/a/b.txt", b"hello")
    yield f"memory:/{root}"
    files.rm(root, recursive=True)


def test_a_folder_is_read_from_an_offset(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"hello")
    assert read(source_of(str(tmp_path)), "b.txt") == (0, b"hello")
    assert read(source_of(f"file://{tmp_path}"), "b.txt", 3) == (3, b"lo")


def test_a_folder_says_what_is_missing(tmp_path):
    (tmp_path / "sub").mkdir()
    for path in ("b.txt", "sub", "b.txt/c"):
        with pytest.raises(Missing):
            source_of(str(tmp_path)).open(path)
    with pytest.raises(Refused, match="the folder is not there"):
        source_of(str(tmp_path / "nowhere")).open("b.txt")


def test_an_object_store_is_read_through_fsspec(memory_hub):
    source = source_of(memory_hub)
    assert read(source, "a/b.txt") == (0, b"hello")
    assert read(source, "a/b.txt", 3) == (3, b"lo")
    with pytest.raises(Missing):
        source.open("a/c.txt")


def test_a_scheme_that_nothing_reads_is_refused():
    with pytest.raises(Refused, match="this server has no package that reads it"):
        source_of("carrier-pigeon://hub").open("hub.toml")


def test_hubs_are_shown_without_what_is_private(tmp_path):
    hub = tmp_path / "my hub"
    assert source_of(str(hub)).shown == "the hub in folder 'my hub'"
    shown = source_of("https://hub.example.org/a/").shown
    assert shown == "the hub https://hub.example.org/a"


@pytest.mark.parametrize(
    "location", ["https://user:secret@example.org", "s3://key@bucket/hub"]
)
def test_a_location_with_a_password_is_refused(location):
    with pytest.raises(InvalidValue, match="cannot hold a name or a password") as error:
        source_of(location)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("mark", ["?key=secret", "#secret"])
def test_a_location_with_a_query_is_refused(mark):
    with pytest.raises(InvalidValue, match="cannot hold '\\?' or '#'"):
        source_of(f"https://hub.example.org/{mark}")


@pytest.mark.parametrize("location", ["", "http://", "http://[", "https:///hub"])
def test_a_location_that_leads_nowhere_is_refused(location):
    with pytest.raises(InvalidValue, match="is no folder and no address of a hub"):
        source_of(location)
