"""Encoders in half precision and in whole numbers, beside float32."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from PIL import Image

import thanosql_server
from thanosql_server.control import Control
from thanosql_server.errors import InvalidData, NotSupported
from thanosql_server.ml import clip_encoder, simclr_encoder
from thanosql_server.ml.clip_model import Architecture, save
from thanosql_server.ml.device import Place, unit_vectors
from thanosql_server.ml.int8_tower import KEPT_IN
from thanosql_server.ml.placement import Placement
from thanosql_server.ml.simclr import train
from thanosql_server.ml.simclr_options import SimCLROptions
from thanosql_server.scenes import draw_scene, held_out_scenes

DEMO = Path(thanosql_server.__file__).parent / "demo_clip"
TEXTS = ["a red circle above a blue square", "", "green triangle " * 40]
# ViT-B/32 in small: the same parts, QuickGELU and patches of 32 pixels.
TRANSFORMER = {
    "embed_dim": 64,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 96, "layers": 4, "width": 128, "patch_size": 32},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 2,
    },
}


def write(folder, seed=0):
    """Write a transformer with random weights."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    network = CLIP(**json.loads(json.dumps(TRANSFORMER)))
    save(folder, Architecture(TRANSFORMER), network, {})
    return folder


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return write(tmp_path_factory.mktemp("transformer"))


def scenes(encoder, count=70):
    drawn = held_out_scenes(count, seed=5)
    return np.stack(
        [encoder.preprocess(draw_scene(s, 3 + i)) for i, s in enumerate(drawn)]
    )


def load(folder, precision):
    return clip_encoder.load(folder, placement=Placement("cpu", precision))


def require_unit_float32(vectors):
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("kind", ["trained", "random"])
def test_half_precision_gives_the_vectors_of_float32(kind, precision, transformer):
    folder = DEMO if kind == "trained" else transformer
    exact, half = load(folder, "fp32"), load(folder, precision)
    assert half._network.text_projection.dtype != torch.float32
    pixels = scenes(exact, 40)
    for one, other in (
        (exact.encode_images(pixels), half.encode_images(pixels)),
        (exact.encode_texts(TEXTS), half.encode_texts(TEXTS)),
    ):
        require_unit_float32(other)
        assert (one * other).sum(1).min() > 0.999
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_simclr_in_half_precision(drawings, tmp_path, precision):
    options = SimCLROptions(max_epochs=1, batch_size=30)
    train(drawings.batches(), drawings.resolve, options, tmp_path, Control())
    exact = simclr_encoder.load(tmp_path)
    half = simclr_encoder.load(tmp_path, placement=Placement("cpu", precision))
    images = [Image.open(drawings.folder / name) for name in drawings.names[:20]]
    pixels = np.stack([exact.preprocess(image) for image in images])
    vectors = half.encode_images(pixels)
    require_unit_float32(vectors)
    assert (exact.encode_images(pixels) * vectors).sum(1).min() > 0.999
    with pytest.raises(NotSupported, match="int8 does not make SimCLR faster"):
        simclr_encoder.load(tmp_path, placement=Placement(precision="int8"))


def test_numbers_too_large_for_half_precision_are_refused():
    with pytest.raises(InvalidData, match="too large for half precision"):
        unit_vectors([torch.tensor([[1.0, 70000.0]]).half()], 2)
    assert unit_vectors([], 5).shape == (0, 5)


@pytest.mark.parametrize("writeable", [True, False])
def test_pixels_reach_the_device_in_order(writeable):
    pixels = np.arange(70 * 3 * 2 * 2, dtype=np.uint32).astype(np.uint8)
    pixels = pixels.reshape(70, 3, 2, 2)
    pixels.flags.writeable = writeable
    parts = list(Place(torch.device("cpu")).send(pixels))
    assert [len(part) for part in parts] == [32, 32, 6]
    np.testing.assert_array_equal(torch.cat(parts).numpy(), pixels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_pixels_reach_a_gpu_in_order():
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 3, 9, 9), np.uint8)
    parts = list(Place(torch.device("cuda", 0)).send(pixels))
    assert [len(part) for part in parts] == [512, 512, 512, 464]
    np.testing.assert_array_equal(torch.cat(parts).cpu().numpy(), pixels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_gives_the_vectors_of_the_cpu():
    exact = load(DEMO, "fp32")
    fast = clip_encoder.load(DEMO, placement=Placement("cuda"))
    pixels = scenes(exact)
    vectors = fast.encode_images(pixels), fast.encode_texts(TEXTS)
    assert (exact.encode_images(pixels) * vectors[0]).sum(1).min() > 0.999
    assert (exact.encode_texts(TEXTS) * vectors[1]).sum(1).min() > 0.999


@pytest.fixture(scope="module")
def rounded(tmp_path_factory):
    """A transformer in float32 and int8, and its folder."""
    folder = write(tmp_path_factory.mktemp("rounded"))
    return load(folder, "fp32"), load(folder, "int8"), folder


def kept(folder):
    return sorted((folder / KEPT_IN).iterdir())


def test_int8_gives_nearly_the_vectors_of_float32(rounded):
    exact, fast, _ = rounded
    pixels = scenes(exact)
    vectors = fast.encode_images(pixels)
    require_unit_float32(vectors)
    expected = exact.encode_images(pixels)
    assert (expected * vectors).sum(1).min() > 0.999
    assert not np.array_equal(expected, vectors)
    assert fast.encode_images(pixels[:0]).shape == (0, 64)
    assert (fast.encode_images(pixels[:1]) * expected[0]).sum() > 0.999
    np.testing.assert_allclose(
        fast.encode_texts(TEXTS), exact.encode_texts(TEXTS), atol=1e-5
    )


def test_the_rounded_tower_is_kept_and_used_again(rounded):
    exact, fast, folder = rounded
    (file,) = kept(folder)
    assert file.stat().st_size < (folder / "weights.safetensors").stat().st_size
    before = file.stat()
    again = load(folder, "int8")
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    pixels = scenes(exact, 8)
    np.testing.assert_array_equal(
        again.encode_images(pixels), fast.encode_images(pixels)
    )


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_torn_tower_is_made_anew(rounded, share):
    exact, fast, folder = rounded
    (file,) = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    pixels = scenes(exact, 8)
    vectors = load(folder, "int8").encode_images(pixels)
    assert (vectors * fast.encode_images(pixels)).sum(1).min() > 0.9999
    assert kept(folder) == [file]
    assert len(file.read_bytes()) == len(whole)


def test_other_weights_make_another_tower(tmp_path):
    write(tmp_path)
    load(tmp_path, "int8")
    (first,) = kept(tmp_path)
    stale = first.with_name("image_int8-0-left.part")
    stale.write_bytes(b"x")
    os.utime(stale, (0, 0))
    write(tmp_path, seed=1)
    exact, fast = load(tmp_path, "fp32"), load(tmp_path, "int8")
    (second,) = kept(tmp_path)
    assert second.name != first.name
    pixels = scenes(exact, 8)
    cosine = (exact.encode_images(pixels) * fast.encode_images(pixels)).sum(1)
    assert cosine.min() > 0.999


def test_a_folder_that_cannot_be_written_to_still_works(tmp_path):
    write(tmp_path)
    (tmp_path / KEPT_IN).write_text("a file where the folder would be")
    exact, fast = load(tmp_path, "fp32"), load(tmp_path, "int8")
    pixels = scenes(exact, 8)
    cosine = (exact.encode_images(pixels) * fast.encode_images(pixels)).sum(1)
    assert cosine.min() > 0.999


def test_a_tower_of_convolutions_is_refused():
    before = sorted(DEMO.iterdir())
    with pytest.raises(NotSupported, match="its image tower consists of convolutions"):
        load(DEMO, "int8")
    assert sorted(DEMO.iterdir()) == before
