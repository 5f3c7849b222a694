"""Weights from a server that behaves like Hugging Face, or does not."""

from __future__ import annotations

import hashlib
import json
import threading
import time

import pytest

from tests.hugging_face import COMMIT, REPO, HuggingFace, put_into_cache, use
from thanosql_server.errors import (
    Cancelled,
    HubUnreachable,
    InvalidData,
    UndefinedFile,
)
from thanosql_server.storage.hub_hugging_face import HubWeights
from thanosql_server.storage.hub_manifest import Entry
from thanosql_server.storage.hub_recipe import Offer
from thanosql_server.storage.hub_waiting import Patience

SAFE, OTHER = "weights.safetensors", "weights.bin"
CONTENT = bytes(range(256)) * 4096
RESOLVED = f"{REPO}/resolve/{COMMIT}/{SAFE}"
STORED = f"files/{SAFE}"
SHORT = Patience(first=4, silence=1, attempts=2, pause=0.01)


@pytest.fixture
def server(tmp_path):
    server = HuggingFace(tmp_path / "served")
    server.add(SAFE, CONTENT)
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, server, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    use(monkeypatch, server, folder)
    return folder


@pytest.fixture
def place(open_place, cache):
    entry = Entry("models", "clip_en", "CLIP", licence="MIT", architecture="a", dim=2)
    offer = Offer(entry, HubWeights(REPO, (SAFE, OTHER)))
    return open_place(built_in=[offer], patience=SHORT)


def put(collected, entry, model, control):
    """Make a model of what was fetched that holds it as it is."""
    [file] = collected.folder.iterdir()
    (model / "fetched").write_bytes(file.read_bytes())
    (model / "config.json").write_text(json.dumps(collected.about))


def get(place):
    place.get_model("clip_en", place=put)
    return place.models.open("clip_en")


def failure(place, kind):
    with pytest.raises(kind) as caught:
        get(place)
    assert place.models.names() == []
    return str(caught.value)


def test_the_first_of_its_files_is_fetched(place, server):
    server.add(OTHER, b"other")
    model = get(place)
    assert (model.folder / "fetched").read_bytes() == CONTENT
    assert model.config == {
        "source": f"{server.address}/{REPO}",
        "file": SAFE,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "licence": "MIT",
    }
    # HEAD asks for the branch, GET for the commit that it stood for.
    assert [path for path, _ in server.behaviour.requests] == [RESOLVED, STORED]
    assert place.left_over() == []


def test_the_second_is_taken_where_there_is_no_first(place, server):
    server.add(OTHER, b"other")
    for revision in ("main", COMMIT):
        del server.behaviour.location[f"{REPO}/resolve/{revision}/{SAFE}"]
    assert (get(place).folder / "fetched").read_bytes() == b"other"


def test_a_file_in_the_cache_needs_no_server(place, server, cache):
    put_into_cache(cache, SAFE, CONTENT)
    server.close()
    model = get(place)
    assert (model.folder / "fetched").read_bytes() == CONTENT
    assert not (model.folder / "fetched").is_symlink()
    assert model.config["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_a_damaged_file_in_the_cache_is_not_used(place, cache, server):
    put_into_cache(cache, SAFE, b"damaged", blob=hashlib.sha256(CONTENT).hexdigest())
    assert (get(place).folder / "fetched").read_bytes() == CONTENT
    [warning] = place.control.warnings
    assert warning == (
        f"'{SAFE}' in the cache of Hugging Face is damaged and was not used"
    )


def test_offline_only_the_cache_is_looked_at(place, cache, server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert failure(place, HubUnreachable) == (
        "the weights of model 'clip_en' are not in the cache of Hugging Face, and "
        "HF_HUB_OFFLINE keeps this server from fetching them"
    )
    assert server.behaviour.requests == []
    put_into_cache(cache, SAFE, CONTENT)
    assert (get(place).folder / "fetched").read_bytes() == CONTENT


@pytest.mark.parametrize("down", ["closed", "silent"])
def test_without_a_network_there_is_one_error_within_five_seconds(place, server, down):
    if down == "closed":
        server.close()
    server.behaviour.silent.add(f"{REPO}/resolve/main/{SAFE}")
    started = time.monotonic()
    sentence = failure(place, HubUnreachable)
    assert time.monotonic() - started < 5
    reason = {
        "closed": "nothing answers at this address",
        "silent": "it does not answer",
    }
    assert sentence == (
        f"'{SAFE}' of model 'clip_en' cannot be fetched from the hub "
        f"{server.address}/{REPO}/resolve/main: {reason[down]}"
    )


def test_a_download_that_breaks_off_is_continued(place, server):
    server.behaviour.breaks[STORED] = [700_000, 100_000]
    assert (get(place).folder / "fetched").read_bytes() == CONTENT
    starts = [wanted for _, wanted in server.behaviour.requests if wanted]
    assert len(starts) == 4  # both times at the repository and at the files


def test_the_next_statement_goes_on_where_a_failed_one_was(place, server):
    server.behaviour.breaks[STORED] = [600_000, 0, 0, 0, 0]
    assert "it broke off the connection after" in failure(place, HubUnreachable)
    server.behaviour.breaks.clear()
    server.behaviour.requests.clear()
    assert (get(place).folder / "fetched").read_bytes() == CONTENT
    [(_, wanted), _] = server.behaviour.requests
    assert int(wanted.removeprefix("bytes=").rstrip("-")) > 0


def test_what_another_name_has_left_is_not_taken(place, server):
    server.add(OTHER, b"other")
    del server.behaviour.location[f"{REPO}/resolve/main/{SAFE}"]
    left = server.behaviour.silent
    left.add(f"{REPO}/resolve/{COMMIT}/{OTHER}")
    failure(place, HubUnreachable)
    [folder] = place.left_over()
    (folder / "files" / SAFE).write_bytes(b"of another day")
    left.clear()
    assert (get(place).folder / "fetched").read_bytes() == b"other"


def test_a_lie_about_the_hash_is_found_out(place, server):
    server.add(SAFE, CONTENT, sha256="0" * 64)
    assert failure(place, InvalidData).endswith(
        "is not what the hub announces, its SHA-256 is another; nothing was changed"
    )


@pytest.mark.parametrize("header", ["X-Linked-Etag", "X-Linked-Size"])
def test_what_cannot_be_checked_is_refused(place, server, header):
    server.behaviour.headers[f"{REPO}/resolve/main/{SAFE}"][header] = "W/abc"
    assert "does not state SHA-256 and size of" in failure(place, InvalidData)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (404, UndefinedFile, f"has no '{SAFE}' of model 'clip_en'"),
        (401, HubUnreachable, "with status 401; look at the server's HF_TOKEN"),
        (403, HubUnreachable, "with status 403; look at the server's HF_TOKEN"),
        (429, HubUnreachable, "it answers with status 429"),
        (500, HubUnreachable, "it answers with status 500"),
    ],
)
def test_a_status_is_one_sentence(place, server, status, kind, reason):
    path = f"{REPO}/resolve/main/{SAFE}"
    del server.behaviour.location[path]
    server.behaviour.status[path] = [status] * 9
    assert failure(place, kind).endswith(reason)


def test_a_slow_server_can_be_cancelled_and_shows_progress(place, server):
    server.behaviour.silent.add(STORED)
    seen = threading.Timer(0.5, place.control.cancel)
    seen.start()
    started = time.monotonic()
    failure(place, Cancelled)
    assert time.monotonic() - started < 5
    assert place.control.progress.phase == "fetching"
    assert place.control.progress.total == len(CONTENT)


def test_the_token_is_for_the_repository_alone(place, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    get(place)
    tokens = server.behaviour.tokens
    assert tokens[f"{REPO}/resolve/main/{SAFE}"] == "Bearer hf_secret"
    assert tokens[RESOLVED] == "Bearer hf_secret"
    assert tokens[STORED] is None


def test_a_repository_that_moved_is_followed(place, server):
    path = f"{REPO}/resolve/main/{SAFE}"
    server.add(SAFE, CONTENT, repo="someone/new")
    server.behaviour.location[path] = (
        f"{server.address}/someone/new/resolve/main/{SAFE}"
    )
    server.behaviour.headers[path] = {}
    assert (get(place).folder / "fetched").read_bytes() == CONTENT
