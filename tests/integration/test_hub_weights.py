"""CLIP checkpoints from hubs become models: real ones of open_clip, but tiny."""

from __future__ import annotations

import io
import json
import pickle
import threading
import warnings

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save as save_safetensors

import thanosql
from tests.hugging_face import REPO, HuggingFace, use
from tests.integration.servers import wait_until
from thanosql_server.storage.hub_hugging_face import HubWeights
from thanosql_server.storage.hub_manifest import Entry
from thanosql_server.storage.hub_recipe import Offer

ARCHITECTURE = "tiny-quickgelu"
CONFIG = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 32,
        "head_width": 16,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}
SAFE = "open_clip_model.safetensors"
CONVERT = "CONVERT USING clip_en AS SELECT 'a.png' AS image_path"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network with random weights of an architecture that open_clip knows."""
    file = tmp_path_factory.mktemp("architectures") / f"{ARCHITECTURE}.json"
    file.write_text(json.dumps(CONFIG))
    open_clip.factory.add_model_config(file)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield open_clip.create_model(ARCHITECTURE)
    open_clip.factory._MODEL_CONFIGS.pop(ARCHITECTURE)
    open_clip.factory._MODEL_CONFIG_PATHS.remove(file)


@pytest.fixture(scope="module")
def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture(scope="module")
def vector(network):
    """What open_clip itself makes of `a.png`."""
    preprocess = open_clip.image_transform(32, is_train=False)
    with torch.inference_mode():
        pixels = preprocess(picture()).unsqueeze(0)
        return network.eval().encode_image(pixels, normalize=True)[0].numpy()


def picture():
    shades = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    return Image.fromarray(shades)


def torch_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    picture().save(folder / "a.png")
    return folder


@pytest.fixture
def hugging_face(tmp_path, monkeypatch, weights):
    """A server that has the checkpoint; the built-in `clip_en` is fetched from it."""
    server = HuggingFace(tmp_path / "served")
    server.add(SAFE, save_safetensors(weights))
    use(monkeypatch, server, tmp_path)
    entry = Entry(
        "models", "clip_en", "CLIP", licence="MIT", architecture=ARCHITECTURE, dim=16
    )
    offer = Offer(entry, HubWeights(REPO, (SAFE,)))
    monkeypatch.setattr("thanosql_server.storage.hub.BUILT_IN", (offer,))
    yield server
    server.close()


def embedding(cursor, model="clip_en"):
    [(_, vector)] = cursor.execute(CONVERT.replace("clip_en", model)).fetchall()
    return np.array(vector)


def test_weights_of_hugging_face_embed_as_open_clip_does(
    hugging_face, workspace, vector
):
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute("GET THANOSQL MODEL clip_en OPTIONS (model_name='mine')")
        assert embedding(cursor, "mine") @ vector > 0.9999
        assert cursor.warnings == []
    [file] = workspace.glob(".thanosql/models/mine/v1/config.json")
    config = json.loads(file.read_text())
    kept = ("family", "dim", "architecture", "licence", "file", "hub_entry")
    assert [config[key] for key in kept] == [
        "CLIP",
        16,
        ARCHITECTURE,
        "MIT",
        SAFE,
        "clip_en",
    ]
    assert config["source"] == f"{hugging_face.address}/{REPO}"
    assert len(config["sha256"]) == 64
    assert not list(workspace.glob(".thanosql/downloads/*"))


def test_open_clips_own_address_is_the_built_in_one():
    from thanosql_server.storage.hub_built_in import BUILT_IN

    theirs = open_clip.pretrained.get_pretrained_cfg("ViT-B-32-quickgelu", "openai")
    model = open_clip.get_model_config("ViT-B-32-quickgelu")
    for name in ("clip", "clip_en", "tutorial_search_clip"):
        [ours] = [one for one in BUILT_IN if one.entry.name == name]
        assert ours.entry.architecture == "ViT-B-32-quickgelu"
        assert (ours.recipe.repo + "/", model["quick_gelu"]) == (theirs["hf_hub"], True)
        assert ours.entry.dim == model["embed_dim"]


# ---- At first use ----------------------------------------------------------


def test_a_model_is_fetched_when_the_statement_runs(hugging_face, workspace, vector):
    with (
        thanosql.connect(workspace, fetch_models=True) as connection,
        connection.cursor() as cursor,
    ):
        assert embedding(cursor) @ vector > 0.9999
        cursor.execute("SELECT name, class_name FROM (LIST MODEL)")
        assert cursor.fetchall() == [("clip_en", "CLIP")]


def test_the_fetching_shows_progress_and_can_be_cancelled(hugging_face, workspace):
    hugging_face.behaviour.silent.add(f"files/{SAFE}")
    seen = []
    with (
        thanosql.connect(workspace, fetch_models=True) as connection,
        connection.cursor() as cursor,
    ):
        failures = []

        def run():
            with pytest.raises(thanosql.OperationalError) as caught:
                cursor.execute(CONVERT, progress=seen.append).fetchall()
            failures.append(caught.value)

        runner = threading.Thread(target=run)
        runner.start()
        wait_until(
            lambda: any(one.phase == "fetching" for one in seen), "the download's start"
        )
        cursor.cancel()
        runner.join()
        assert [failure.sqlstate for failure in failures] == ["57014"]
        assert connection.cursor().execute("LIST MODEL").fetchall() == []


def test_without_leave_the_error_says_what_to_run(hugging_face, workspace):
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        with pytest.raises(thanosql.ProgrammingError) as caught:
            cursor.execute(CONVERT)
        with pytest.raises(thanosql.ProgrammingError, match="did you mean 'clip_en'"):
            cursor.execute(CONVERT.replace("clip_en", "clipp_en"))
    assert str(caught.value) == (
        "there is no model 'clip_en'; GET THANOSQL MODEL clip_en fetches it "
        "(line 1, column 15)"
    )
    assert hugging_face.behaviour.requests == []


def test_what_cannot_be_fetched_fails_with_the_place_of_the_name(
    hugging_face, workspace
):
    hugging_face.close()
    with (
        thanosql.connect(workspace, fetch_models=True) as connection,
        connection.cursor() as cursor,
        pytest.raises(thanosql.OperationalError) as caught,
    ):
        cursor.execute(CONVERT).fetchall()
    assert (caught.value.sqlstate, caught.value.position) == ("HV00N", (1, 15))


def test_deleting_a_model_does_not_fetch_it(hugging_face, workspace):
    with (
        thanosql.connect(workspace, fetch_models=True) as connection,
        connection.cursor() as cursor,
        pytest.raises(thanosql.ProgrammingError, match="there is no model 'clip_en'"),
    ):
        cursor.execute("DELETE MODEL clip_en")
    assert hugging_face.behaviour.requests == []


# ---- A bare checkpoint in hub.toml -----------------------------------------


@pytest.fixture
def offered(tmp_path, workspace):
    """Return a function that makes a hub of one checkpoint and connects to it."""
    from thanosql_server.control import Control
    from thanosql_server.storage.hub_download import sha256_of

    connections = []

    def offer(file, content, architecture=ARCHITECTURE, dim=None, **options):
        folder = tmp_path / "hub" / "models" / "tiny"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
        digest = sha256_of(folder / file, Control())
        (tmp_path / "hub" / "hub.toml").write_text(
            f'[models.tiny]\nfamily = "CLIP"\narchitecture = "{architecture}"\n'
            + (f"dim = {dim}\n" if dim else "")
            + f'licence = "MIT"\nfiles = [{{ path = "{file}", sha256 = "{digest}", '
            f"size = {len(content)} }}]\n"
        )
        hubs = [str(tmp_path / "hub")]
        connections.append(thanosql.connect(workspace, hubs=hubs, **options))
        return connections[-1].cursor()

    yield offer
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("file", "encode"),
    [
        ("a.safetensors", save_safetensors),
        ("a.pt", torch_file),
        ("a.bin", lambda weights: torch_file({"state_dict": weights})),
    ],
)
def test_a_checkpoint_of_a_hub_becomes_a_model(offered, weights, vector, file, encode):
    cursor = offered(file, encode(weights))
    cursor.execute("GET THANOSQL MODEL tiny")
    assert embedding(cursor, "tiny") @ vector > 0.9999


@pytest.mark.parametrize("dim", [None, 16])
def test_it_is_fetched_at_first_use(offered, weights, vector, dim):
    content = save_safetensors(weights)
    cursor = offered("a.safetensors", content, dim=dim, fetch_models=True)
    assert embedding(cursor, "tiny") @ vector > 0.9999


def test_a_model_of_another_length_than_announced_is_refused(offered, weights):
    content = save_safetensors(weights)
    cursor = offered("a.safetensors", content, dim=99, fetch_models=True)
    with pytest.raises(thanosql.DataError) as caught:
        embedding(cursor, "tiny")
    assert str(caught.value) == (
        "model 'tiny' was announced as a CLIP of 99 numbers, and is a CLIP of 16; run "
        "the statement again (line 1, column 15)"
    )


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        import os

        return os.mkdir, (self.folder,)


def scripted():
    class Half(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of these files
        torch.jit.save(torch.jit.trace(Half(), torch.ones(1)), buffer)
    return buffer.getvalue()


@pytest.fixture
def bad(tmp_path, weights):
    """Checkpoints that must be refused, with the sentence about each."""
    damaged = "is damaged; get it again"
    another = f"does not hold the weights of {ARCHITECTURE}"
    more = "holds more than weights and was not opened; get it as a safetensors file"
    safe = save_safetensors(weights)
    fewer = dict(list(weights.items())[1:])
    wider = {**weights, "visual.proj": torch.zeros(32, 8)}
    bomb = Bomb(tmp_path / "exploded")
    return {
        "truncated": ("a.safetensors", safe[:-100], damaged),
        "cut in the header": ("a.safetensors", safe[:50], damaged),
        "empty": ("a.safetensors", b"", damaged),
        "keys missing": ("a.safetensors", save_safetensors(fewer), another),
        "other shape": ("a.safetensors", save_safetensors(wider), another),
        "text": ("a.pt", b"<html>Not found</html>", more),
        "torch, truncated": ("a.pt", torch_file(weights)[:-5000], damaged),
        "bomb": ("a.bin", torch_file({"state_dict": bomb}), more),
        "plain bomb": ("a.pt", pickle.dumps(bomb), more),
        "script": ("a.pt", scripted(), more),
        "list": ("a.pt", torch_file([1, 2]), "holds no weights"),
        "nothing": ("a.pt", torch_file({}), "holds no weights"),
        "numbers": ("a.pt", torch_file({"a": 1}), another),
    }


BAD = (
    "truncated",
    "cut in the header",
    "empty",
    "keys missing",
    "other shape",
    "text",
    "torch, truncated",
    "bomb",
    "plain bomb",
    "script",
    "list",
    "nothing",
    "numbers",
)


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_such_checkpoint_is_refused(offered, bad, tmp_path, case):
    file, content, sentence = bad[case]
    cursor = offered(file, content)
    with pytest.raises(thanosql.DataError) as caught:
        cursor.execute("GET THANOSQL MODEL tiny")
    assert str(caught.value) == f"'{file}' {sentence} (line 1, column 20)"
    assert not (tmp_path / "exploded").exists()
    assert cursor.execute("LIST MODEL").fetchall() == []


def test_weights_of_another_architecture_are_refused(offered, weights):
    cursor = offered("a.safetensors", save_safetensors(weights), "RN50")
    with pytest.raises(thanosql.DataError, match="does not hold the weights of RN50"):
        cursor.execute("GET THANOSQL MODEL tiny")
    cursor = offered("a.safetensors", save_safetensors(weights), "ViT-B-33")
    with pytest.raises(
        thanosql.NotSupportedError, match="open_clip has no architecture 'ViT-B-33'"
    ):
        cursor.execute("GET THANOSQL MODEL tiny")


def test_a_checkpoint_with_more_positions_is_not_squeezed(offered, weights):
    more = torch.nn.functional.pad(weights["positional_embedding"], (0, 0, 0, 23))
    content = save_safetensors({**weights, "positional_embedding": more})
    cursor = offered("a.safetensors", content)
    with pytest.raises(thanosql.DataError, match="does not hold the weights of"):
        cursor.execute("GET THANOSQL MODEL tiny")


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "local-dir:/tmp"])
def test_an_architecture_is_a_name_and_nothing_more(offered, weights, name):
    cursor = offered("a.safetensors", save_safetensors(weights), name)
    with pytest.raises(thanosql.NotSupportedError, match=f"architecture '{name}'"):
        cursor.execute("GET THANOSQL MODEL tiny")


def test_a_text_in_place_of_an_architecture_is_one_sentence(offered, weights):
    cursor = offered("a.safetensors", save_safetensors(weights), "")
    with pytest.raises(thanosql.DataError, match=r"'tiny' has no file config\.json"):
        cursor.execute("GET THANOSQL MODEL tiny")
