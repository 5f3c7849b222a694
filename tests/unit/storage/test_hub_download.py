from __future__ import annotations

import hashlib
import socket
import threading
from dataclasses import replace

import pytest

from tests.hub_server import HubServer
from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData
from thanosql_server.storage.hub_download import Download
from thanosql_server.storage.hub_manifest import HubFile
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_sources import source_of
from thanosql_server.storage.hub_waiting import Patience, read_small

CONTENT = bytes(range(256)) * 4096
PATIENCE = Patience(first=60, silence=60, attempts=2, breaks=20, pause=0.01)


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    server = HubServer(folder)
    yield server
    server.close()


@pytest.fixture
def download(served, tmp_path):
    """A download of CONTENT to tmp_path / "part" that has not run."""
    file = HubFile("file", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    return Download(
        source_of(served.address),
        "file",
        file,
        tmp_path / "part",
        PATIENCE,
        Control(),
        lambda have: None,
    )


def test_a_file_arrives_and_reports_on_its_way(download):
    reports = []
    replace(download, report=reports.append).run()
    assert download.part.read_bytes() == CONTENT
    assert reports[-1] == len(CONTENT)
    assert reports == sorted(reports)


def test_a_broken_download_goes_on_where_it_broke_off(download, served):
    served.behaviour.breaks["file"] = [1000, 500]
    download.run()
    assert download.part.read_bytes() == CONTENT
    assert served.behaviour.asked("file") == [None, "bytes=1000-", "bytes=1500-"]


def test_without_ranges_it_begins_again(download, served):
    served.behaviour.ranges = False
    served.behaviour.breaks["file"] = [1000]
    download.run()
    assert download.part.read_bytes() == CONTENT
    assert served.behaviour.asked("file") == [None, "bytes=1000-"]


def test_a_later_download_goes_on_from_what_is_there(download, served):
    download.part.write_bytes(CONTENT[:2000])
    download.run()
    assert download.part.read_bytes() == CONTENT
    assert served.behaviour.asked("file") == ["bytes=2000-"]


def test_what_is_complete_is_not_asked_for(download, served):
    download.part.write_bytes(CONTENT)
    download.run()
    assert served.behaviour.requests == []


@pytest.mark.parametrize("there", [b"x" * 2000, b"x" * len(CONTENT), CONTENT + b"x"])
def test_wrong_beginnings_of_an_earlier_download_are_thrown_away(download, there):
    download.part.write_bytes(there)
    download.run()
    assert download.part.read_bytes() == CONTENT


def test_another_content_of_the_same_size_is_refused(download, served):
    served.behaviour.content["file"] = CONTENT[::-1]
    with pytest.raises(InvalidData, match="its SHA-256 is another; nothing was"):
        download.run()
    assert not download.part.exists()


def test_more_bytes_than_announced_are_not_taken(download, served):
    served.behaviour.content["file"] = CONTENT * 2
    with pytest.raises(InvalidData, match="is longer than the hub announces"):
        download.run()
    assert download.part.stat().st_size <= len(CONTENT)


def test_fewer_bytes_than_announced_are_no_file(download, served):
    served.behaviour.content["file"] = CONTENT[:10]
    with pytest.raises(Broken, match="broke off the connection after 10 of 1048576 b"):
        download.run()


def test_a_server_that_always_breaks_off_is_given_up(download, served):
    served.behaviour.breaks["file"] = [0] * 100
    with pytest.raises(Broken, match="it broke off the connection after 0 of 1048576"):
        download.run()


def test_a_server_that_gives_a_byte_at_a_time_is_given_up(download, served):
    served.behaviour.breaks["file"] = [1] * 100
    with pytest.raises(Broken, match="it broke off 20 times"):
        download.run()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(download, served, status):
    served.behaviour.status["file"] = [status]
    download.run()
    assert download.part.read_bytes() == CONTENT


def test_a_broken_server_is_given_up(download, served):
    served.behaviour.status["file"] = [500] * 100
    with pytest.raises(Broken, match="it answers with status 500 after 0 of"):
        download.run()
    assert len(served.behaviour.requests) == PATIENCE.attempts


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_file_is_not_asked_for_again(download, served, status):
    served.behaviour.status["file"] = [status]
    with pytest.raises(Missing):
        download.run()
    assert len(served.behaviour.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_final(download, served, status):
    served.behaviour.status["file"] = [status]
    with pytest.raises(Refused, match=f"it answers with status {status}"):
        download.run()
    assert len(served.behaviour.requests) == 1


def test_a_silent_server_is_given_up(download, served):
    served.behaviour.silent.add("file")
    hasty = replace(download, patience=replace(PATIENCE, silence=0.2))
    with pytest.raises(Broken, match="it does not answer after 0 of"):
        hasty.run()


def test_a_silent_hub_is_given_up_after_the_first_seconds(served):
    served.behaviour.silent.add("file")
    hasty = Patience(first=0.2)
    with pytest.raises(Broken, match="it does not answer"):
        read_small(source_of(served.address), "file", 100, Control(), hasty)
    assert len(served.behaviour.requests) == 1


def test_a_cancel_ends_the_wait_for_a_silent_server(download, served):
    served.behaviour.silent.add("file")
    patient = replace(download, patience=Patience(silence=1000))
    threading.Timer(0.2, download.control.cancel).start()
    with pytest.raises(Cancelled):
        patient.run()


def test_a_cancel_stops_between_chunks_and_keeps_what_is_there(download):
    def cancel(have):
        download.control.cancel()

    with pytest.raises(Cancelled):
        replace(download, report=cancel).run()
    assert CONTENT.startswith(download.part.read_bytes())
    replace(download, control=Control()).run()
    assert download.part.read_bytes() == CONTENT


def test_a_redirect_is_followed_with_the_range(download, served):
    (served.behaviour.folder / "other").write_bytes(CONTENT)
    served.behaviour.location["file"] = f"{served.address}/other"
    download.part.write_bytes(CONTENT[:9])
    download.run()
    assert download.part.read_bytes() == CONTENT
    assert served.behaviour.asked("other") == ["bytes=9-"]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/file"])
def test_a_redirect_elsewhere_is_not_followed(download, served, target):
    served.behaviour.location["file"] = target
    # urllib refuses the first kind itself.
    with pytest.raises(Refused, match=r"address that is not secure|with status 302"):
        download.run()


def test_a_redirect_in_a_circle_ends(download, served):
    served.behaviour.location["file"] = f"{served.address}/file"
    with pytest.raises(Refused, match="it answers with status 302"):
        download.run()


def test_a_small_file_that_breaks_off_is_not_taken_for_whole(served):
    source = source_of(served.address)
    served.behaviour.breaks["file"] = [1000]
    content = read_small(source, "file", len(CONTENT), Control(), PATIENCE)
    assert content == CONTENT
    served.behaviour.breaks["file"] = [1000] * 100
    with pytest.raises(Broken, match="it broke off the connection"):
        read_small(source, "file", len(CONTENT), Control(), PATIENCE)


def test_a_small_file_must_be_small(served):
    with pytest.raises(InvalidData, match=r"file of the hub http://.* is too long"):
        read_small(source_of(served.address), "file", 100, Control(), PATIENCE)


def test_where_nobody_listens_the_reason_is_said():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = source_of(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(Broken, match="nothing answers at this address"):
            read_small(source, "file", 100, Control(), PATIENCE)


def test_a_name_that_no_name_server_knows_is_an_error():
    # RFC 6761: no such name exists below .invalid.
    with pytest.raises(Broken):
        read_small(
            source_of("http://hub.invalid"), "hub.toml", 100, Control(), PATIENCE
        )


def test_what_speaks_no_http_is_an_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        for _ in range(PATIENCE.attempts):
            threading.Thread(target=answer, daemon=True).start()
        source = source_of(f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(Broken, match="it broke off the connection"):
            read_small(source, "hub.toml", 100, Control(), PATIENCE)
