from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tests.unit.ml.test_jpeg import noise
from thanosql_server.ml.framing import WIDEST, Framing

SIZES = [(1, 1), (7, 31), (31, 7), (48, 48), (49, 48), (97, 301), (640, 427), (20, 900)]


def torchvision(size, fit, interpolation):
    mode = InterpolationMode(interpolation)
    if fit == "squash":
        return Resize(size, mode)
    return Compose([Resize(size[0], mode), CenterCrop(size)])


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("size", "fit"),
    [((48, 48), "shortest"), ((224, 224), "shortest"), ((30, 50), "squash")],
)
def test_geometry_is_torchvisions(size, fit, interpolation):
    framing = Framing.of(size, fit, interpolation)
    for width, height in SIZES:
        image = noise(width, height)
        expected = np.asarray(torchvision(size, fit, interpolation)(image))
        given = framing.apply(np.asarray(image))
        assert given.shape == (3, *size)
        off = np.abs(given.astype(int) - expected.transpose(2, 0, 1))
        # Were the part one pixel off, the difference were 9 in the mean.
        assert off.max() <= 5, (width, height)
        assert off.mean() < 0.3, (width, height)


def test_a_picture_of_the_right_size_is_left_as_it_is():
    image = noise(48, 100)
    pixels = np.asarray(image)
    expected = pixels[26:74].transpose(2, 0, 1)
    assert np.array_equal(Framing(48, 48).apply(pixels), expected)


def test_layout_in_memory_does_not_matter():
    pixels = np.asarray(noise(90, 61))
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)
    framing = Framing(32, 32)
    assert np.array_equal(framing.apply(pixels), framing.apply(planes))


def test_an_endless_strip_is_cut_before_it_is_resized():
    strip = np.zeros((1, 1_000_000, 3), dtype=np.uint8)
    strip[:, 500_000 - WIDEST : 500_000 + WIDEST] = 200
    assert (Framing(224, 224).apply(strip) == 200).all()
    assert (Framing(224, 224).apply(strip.transpose(1, 0, 2)) == 200).all()


def test_what_it_cannot_say_is_left_to_open_clip():
    assert Framing.of(224, "longest", "bicubic") is None
    assert Framing.of((224, 336), "shortest", "bicubic") is None
    assert Framing.of(224, "shortest", "random") is None
    assert Framing.of((224, 336), "squash", "bilinear") == Framing(
        224, 336, "squash", "bilinear"
    )


def test_a_thread_that_resizes_starts_no_others():
    before = torch.get_num_threads()
    pixels = np.asarray(Image.new("RGB", (2000, 1500)))
    worker = threading.Thread(target=lambda: Framing(224, 224).apply(pixels))
    worker.start()
    worker.join()
    assert torch.get_num_threads() == before
