from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from thanosql_server.ml.decoding import read_pixels
from thanosql_server.ml.framing import Framing
from thanosql_server.ml.jpeg import read_jpeg
from thanosql_server.ml.media import UnreadableImage, open_image

SIZES = [(1, 1), (2, 3), (7, 31), (17, 16), (223, 225), (300, 5), (640, 427), (3, 900)]
WAYS = {
    "plain": {},
    "best": {"quality": 98, "subsampling": 0},
    "poor": {"quality": 30, "subsampling": 2},
    "halved": {"subsampling": 1},
    "progressive": {"progressive": True},
    "optimized": {"optimize": True},
    "restarting": {"restart_marker_blocks": 3},
    "profiled": {"icc_profile": b"not a profile" * 20, "comment": b"hello"},
}


class Square:
    """The part of an encoder that reading needs."""

    decode_side = 0

    def __init__(self, framing):
        self.framing = framing

    def preprocess(self, image):
        return self.framing.apply(np.asarray(image.convert("RGB")))


def noise(width, height, mode="RGB", seed=0):
    rng = np.random.default_rng([seed, width, height])
    coarse = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.integers(-20, 20, (height, width, 3))
    pixels = (np.asarray(smooth).astype(np.int16) + grain).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def by_pillow(path):
    return np.asarray(open_image(path).convert("RGB"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_pillow_to_the_bit(tmp_path, way, mode):
    for width, height in SIZES:
        path = tmp_path / f"{width}x{height}.jpg"
        noise(width, height, mode).save(path, "JPEG", **WAYS[way])
        pixels = read_jpeg(path)
        assert pixels.shape == (height, width, 3)
        assert np.array_equal(pixels, by_pillow(path)), (width, height)


def test_what_is_not_plain_is_left_to_pillow(tmp_path):
    turned, upright = Image.Exif(), Image.Exif()
    turned[0x0112], upright[0x0112] = 6, 1
    noise(40, 20).save(tmp_path / "turned.jpg", exif=turned)
    noise(40, 20).save(tmp_path / "upright.jpg", exif=upright)
    noise(40, 20, "CMYK").save(tmp_path / "cmyk.jpg")
    noise(40, 20).save(tmp_path / "a.png")
    noise(40, 20).save(tmp_path / "png.jpg", "PNG")
    noise(40, 20).save(
        tmp_path / "two.jpg", "MPO", save_all=True, append_images=[noise(40, 20)]
    )
    for name in ("turned.jpg", "cmyk.jpg", "a.png", "png.jpg", "two.jpg"):
        assert read_jpeg(tmp_path / name) is None
    assert read_jpeg(tmp_path / "upright.jpg").shape == (20, 40, 3)


def test_orientation_in_xmp_counts_as_well(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
    noise(40, 20).save(tmp_path / "a.jpg", xmp=xmp)
    assert open_image(tmp_path / "a.jpg").size == (20, 40)
    assert read_jpeg(tmp_path / "a.jpg") is None


def test_unreadable_files_are_told_as_pillow_tells_them(tmp_path):
    noise(64, 64).save(tmp_path / "whole.jpg", progressive=True)
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "header.jpg").write_bytes(whole[:40])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    encoder = Square(Framing(16, 16))
    for name in ("cut.jpg", "header.jpg", "empty.jpg", "text.jpg", "no.jpg", "."):
        with pytest.raises(UnreadableImage) as expected:
            open_image(tmp_path / name)
        with pytest.raises(UnreadableImage, match=f"^{expected.value.reason}$"):
            read_pixels(tmp_path / name, encoder)


def test_the_limit_of_pixels_holds(tmp_path):
    noise(40, 30).save(tmp_path / "a.jpg")
    assert read_jpeg(tmp_path / "a.jpg", max_pixels=1200) is not None
    with pytest.raises(UnreadableImage, match="40 x 30 pixels exceed the limit of 1,0"):
        read_jpeg(tmp_path / "a.jpg", max_pixels=1000)


def test_damaged_files_give_what_pillow_gives_or_nothing(tmp_path):
    rng, path = np.random.default_rng(3), tmp_path / "a.jpg"
    whole = []
    for options in ({}, {"progressive": True}):
        file = io.BytesIO()
        noise(50, 40).save(file, "JPEG", **options)
        whole.append(file.getvalue())
    read = 0
    for attempt in range(300):
        broken = bytearray(whole[attempt % 2])
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            pixels = read_jpeg(path)
        except UnreadableImage:
            continue
        if pixels is not None:
            read += 1
            assert np.array_equal(pixels, by_pillow(path))
    assert read > 50


def test_every_kind_of_picture_gives_the_same_input_on_both_ways(tmp_path):
    encoder, turned = Square(Framing(48, 48)), Image.Exif()
    turned[0x0112] = 8
    for width, height in SIZES:
        noise(width, height).save(tmp_path / "a.jpg")
        noise(width, height, "L").save(tmp_path / "b.jpg")
        noise(width, height).save(tmp_path / "c.jpg", exif=turned)
        noise(width, height, "CMYK").save(tmp_path / "d.jpg")
        noise(width, height, "RGBA").save(tmp_path / "e.png")
        noise(width, height, "P").save(tmp_path / "f.gif")
        for path in sorted(tmp_path.iterdir()):
            expected = encoder.preprocess(open_image(path))
            assert np.array_equal(read_pixels(path, encoder), expected), path.name
