from __future__ import annotations

import json
import pickle

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIP
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file

from thanosql_server.errors import InvalidData, NotSupported
from thanosql_server.ml.clip_encoder import encode_tokens, load
from thanosql_server.ml.clip_import import import_checkpoint
from thanosql_server.ml.clip_model import Architecture, Preprocess, save
from thanosql_server.ml.media import open_image

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
TRANSFORMER = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": TEXT,
    "quick_gelu": True,
}
RESIDUAL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": TEXT,
}
TEXTS = ["a black cat", "", "programming language python", "word " * 200, "Häuser!"]


def write(folder, model, **settings):
    """Write a model with random weights and return its network."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(1)
    network = CLIP(**json.loads(json.dumps(model))).eval()
    save(folder, Architecture(model, Preprocess(**settings)), network, {})
    return network


@pytest.fixture(scope="module", params=[TRANSFORMER, RESIDUAL], ids=["vit", "resnet"])
def pair(request, tmp_path_factory):
    """A network of open_clip, and our encoder of the same weights."""
    folder = tmp_path_factory.mktemp("model")
    return write(folder, request.param), load(folder, threads=1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of all the kinds that users have."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(2)

    def image(mode, width, height):
        waves = rng.uniform(0, 255, (6, 6, len(Image.new(mode, (1, 1)).getbands())))
        coarse = Image.fromarray(waves.astype(np.uint8).squeeze(), mode)
        return coarse.resize((width, height), Image.Resampling.BICUBIC)

    turned = Image.Exif()
    turned[0x0112] = 6
    for index, (width, height) in enumerate([(640, 427), (90, 300), (48, 48), (31, 7)]):
        image("RGB", width, height).save(folder / f"{index}.jpg")
        image("L", width, height).save(folder / f"grey{index}.jpg")
        image("CMYK", width, height).save(folder / f"cmyk{index}.jpg")
        image("RGB", width, height).save(folder / f"exif{index}.jpg", exif=turned)
        image("RGBA", width, height).save(folder / f"alpha{index}.png")
        image("RGB", width, height).save(folder / f"{index}.webp", lossless=True)
        grey = np.asarray(image("L", width, height)).astype(np.uint16) * 257
        Image.fromarray(grey).save(folder / f"wide{index}.png")
        image("RGB", width, height).quantize(16).save(folder / f"{index}.gif")
    return sorted(folder.iterdir())


def test_pictures_are_encoded_as_open_clip_does(pair, pictures):
    network, encoder = pair
    transform = image_transform(encoder.architecture.image_size, is_train=False)
    opened = [open_image(path) for path in pictures]
    with torch.inference_mode():
        inputs = torch.stack([transform(image) for image in opened])
        expected = network.encode_image(inputs, normalize=True).numpy()
    pixels = np.stack([encoder.preprocess(image) for image in opened])
    cosine = (encoder.encode_images(pixels) * expected).sum(1)
    assert len(cosine) == 32
    assert cosine.min() > 0.99999
    spread = 1 - (expected @ expected.T).min()  # random networks see little difference
    assert 1 - cosine.min() < spread / 100


@pytest.mark.parametrize("resize_mode", ["squash", "longest", "shortest"])
def test_the_models_own_preprocessing_is_used(tmp_path, pictures, resize_mode):
    settings = {
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
        "interpolation": "bilinear",
        "resize_mode": resize_mode,
    }
    network = write(tmp_path, TRANSFORMER, **settings)
    encoder, transform = load(tmp_path), image_transform(48, is_train=False, **settings)
    image = open_image(pictures[0])
    with torch.inference_mode():
        expected = network.encode_image(transform(image)[None], normalize=True).numpy()
    vector = encoder.encode_images(encoder.preprocess(image)[None])
    assert (vector * expected).sum() > 0.99999


def test_texts_are_encoded_as_open_clip_does(pair):
    network, encoder = pair
    with torch.inference_mode():
        tokens = open_clip.tokenize(TEXTS)
        expected = network.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-5)


def test_a_text_is_as_long_as_its_own_tokens(pair):
    network, _ = pair
    lengths = []
    handle = network.ln_final.register_forward_hook(
        lambda module, inputs, output: lengths.append(output.shape[1])
    )
    with torch.inference_mode():
        encode_tokens(network, open_clip.tokenize(["a black cat", "cat"]))
    handle.remove()
    assert lengths == [5]  # start, three words, end


def test_a_network_that_sees_beyond_the_end_is_given_all_positions(tmp_path):
    model = {**TRANSFORMER, "text_cfg": {**TEXT, "no_causal_mask": True}}
    network, encoder = write(tmp_path, model), load(tmp_path)
    with torch.inference_mode():
        expected = network.encode_text(open_clip.tokenize(TEXTS), normalize=True)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-5)


def test_a_very_long_text_is_cut(pair):
    long = "cat " * 100_000
    vectors = pair[1].encode_texts([long, "cat " * 80, "x" * 100_000])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_words_are_remembered_within_limits(pair, monkeypatch):
    _, encoder = pair
    expected = encoder.encode_texts(["a black cat"])
    monkeypatch.setattr("thanosql_server.ml.clip_encoder.WORDS_KEPT", 20)
    for number in range(30):
        encoder.encode_texts([f"word{'abcdefghijklmnopqrstuvwxyzäöüß'[number]}"])
    assert len(encoder._tokenizer.cache) <= 22
    np.testing.assert_array_equal(encoder.encode_texts(["a black cat"]), expected)


def test_an_architecture_of_open_clip_is_known_by_its_name():
    architecture = Architecture.named("ViT-B-32-quickgelu")
    assert (architecture.dim, architecture.image_size) == (512, 224)
    assert architecture.model["quick_gelu"]
    with pytest.raises(NotSupported, match="no architecture 'ViT-Z'"):
        Architecture.named("ViT-Z")


def test_a_name_alone_describes_the_network(tmp_path):
    config = {"family": "CLIP", "architecture": "ViT-B-32", "dim": 512}
    assert Architecture.of(config) == Architecture.named("ViT-B-32")


def test_what_would_have_to_be_downloaded_is_refused():
    for name in ("roberta-ViT-B-32", "ViT-B-16-SigLIP"):
        with pytest.raises(NotSupported, match="Hugging Face"):
            Architecture.named(name).build()
    with pytest.raises(NotSupported, match="CoCa"):
        Architecture.named("coca_ViT-B-32").build()


def test_a_model_without_weights_is_never_random(tmp_path):
    write(tmp_path, TRANSFORMER)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(InvalidData, match="damaged or of another version"):
        load(tmp_path)


def test_weights_that_miss_one_or_have_another_shape_are_refused(tmp_path):
    network = write(tmp_path, TRANSFORMER)
    weights = {k: v.contiguous() for k, v in network.state_dict().items()}
    for change in (
        {"visual.proj": None},
        {"visual.proj": torch.zeros(64, 25)},
        {"more": torch.zeros(1)},
    ):
        changed = {k: v for k, v in {**weights, **change}.items() if v is not None}
        save_file(changed, tmp_path / "weights.safetensors")
        with pytest.raises(InvalidData, match="damaged or of another version"):
            load(tmp_path)


@pytest.mark.parametrize(
    "config", ["{", "[]", "{}", '{"architecture": null}', '{"model": {"embed_dim": 3}}']
)
def test_a_damaged_config_is_one_clear_sentence(tmp_path, config):
    write(tmp_path, TRANSFORMER)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InvalidData, match="damaged") as caught:
        load(tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_a_vocabulary_that_is_missing_or_damaged(tmp_path):
    write(tmp_path, TRANSFORMER)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "merges": "../x"}))
    with pytest.raises(InvalidData, match="vocabulary"):
        load(tmp_path)
    (tmp_path / "merges.txt.gz").write_bytes(b"no gzip")
    with pytest.raises(InvalidData, match="vocabulary"):
        load(tmp_path)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The name of a small architecture among open_clip's."""
    known = open_clip.get_model_config
    monkeypatch.setattr(
        open_clip,
        "get_model_config",
        lambda name: TRANSFORMER if name == "tiny" else known(name),
    )
    return "tiny"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_checkpoint_becomes_a_model(tiny, tmp_path, suffix):
    network, file = write(tmp_path / "source", TRANSFORMER), tmp_path / f"c{suffix}"
    weights = {k: v.contiguous() for k, v in network.state_dict().items()}
    if suffix == ".pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in weights.items()}}, file)
    else:
        save_file({k: v.half() for k, v in weights.items()}, file)
    folder = tmp_path / "model"
    folder.mkdir()
    import_checkpoint(file, tiny, folder, {"licence": "MIT"})
    assert json.loads((folder / "config.json").read_text())["licence"] == "MIT"
    expected = load(tmp_path / "source").encode_texts(TEXTS)
    cosine = (load(folder).encode_texts(TEXTS) * expected).sum(1)
    assert cosine.min() > 0.9999


class Bomb:
    """A pickle that writes a file when it is opened."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize("kind", ["bomb", "text", "cut", "other", "zip"])
def test_a_bad_checkpoint_is_one_clear_sentence(tiny, tmp_path, kind):
    network = write(tmp_path / "source", RESIDUAL if kind == "other" else TRANSFORMER)
    file, fired, folder = tmp_path / "c.pt", tmp_path / "fired", tmp_path / "model"
    folder.mkdir()
    torch.save(network.state_dict(), file)
    if kind == "bomb":
        file.write_bytes(pickle.dumps({"state_dict": Bomb(fired)}, protocol=2))
    elif kind == "text":
        file.write_text("hello")
    elif kind == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif kind == "zip":
        file = file.rename(tmp_path / "c.zip")
    with pytest.raises(InvalidData, match=r"'c\.(pt|zip)' ") as caught:
        import_checkpoint(file, tiny, folder)
    assert str(tmp_path) not in str(caught.value)
    assert not fired.exists()
    assert list(folder.iterdir()) == []
