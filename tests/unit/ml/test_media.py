from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from thanosql_server.ml.media import UnreadableImage, open_image, read_size


def noise(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def png_header(width, height):
    """A PNG whose header announces any size, without the pixels."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def reason(path, **options):
    with pytest.raises(UnreadableImage) as caught:
        open_image(path, **options)
    assert str(path) not in str(caught.value)
    return caught.value.reason


def test_text_named_jpg_is_not_a_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("hello, this is a letter")
    assert reason(tmp_path / "a.jpg") == "not a picture"


def test_empty_file(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(tmp_path / "a.jpg") == "empty file"


def test_missing_file(tmp_path):
    assert reason(tmp_path / "no.jpg") == "no such file"


def test_path_through_a_file_is_missing(tmp_path):
    (tmp_path / "a.jpg").write_text("x")
    assert reason(tmp_path / "a.jpg" / "b.jpg") == "no such file"


def test_folder(tmp_path):
    assert reason(tmp_path) == "a folder"


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "pipe.jpg") == "not a regular file"


def test_too_long_a_name(tmp_path):
    assert reason(tmp_path / ("a" * 300)) == "file name too long"


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("png", "PNG")])
def test_cut_off_picture_is_truncated(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    noise(64, 64).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason(path) == f"truncated {kind}"


def test_damaged_bytes_are_never_another_error(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a"
    for suffix in ("jpg", "png", "gif", "webp", "tiff", "bmp"):
        noise(24, 24).save(tmp_path / f"whole.{suffix}")
        whole = bytearray((tmp_path / f"whole.{suffix}").read_bytes())
        for _ in range(40):
            broken = bytearray(whole)
            for place in rng.integers(0, len(whole), 12):
                broken[place] = rng.integers(0, 256)
            path.write_bytes(broken)
            with suppress(UnreadableImage):
                assert open_image(path).mode in ("L", "RGB")


def test_huge_picture_is_refused_by_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    expected = "20000 x 20000 pixels exceed the limit of 100 million"
    assert reason(tmp_path / "bomb.png") == expected


def test_limit_is_an_option(tmp_path):
    noise(40, 30).save(tmp_path / "a.png")
    assert reason(tmp_path / "a.png", max_pixels=1000) == (
        "40 x 30 pixels exceed the limit of 1,000"
    )
    assert open_image(tmp_path / "a.png", max_pixels=1200).size == (40, 30)


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.png").write_bytes(png_header(9_500, 10_000))  # Pillow would warn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_size(tmp_path / "a.png") == (9_500, 10_000)
    assert before == Image.MAX_IMAGE_PIXELS


def test_other_formats_are_refused(tmp_path):
    noise(8, 8).save(tmp_path / "a.eps")
    assert reason(tmp_path / "a.eps") == "not a picture"


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to stand upright
    picture = Image.new("RGB", (20, 10), "black")
    picture.paste((255, 255, 255), (0, 0, 10, 10))
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    upright = open_image(tmp_path / "a.jpg")
    assert upright.size == (10, 20)
    assert upright.getpixel((5, 3)) > (200, 200, 200)
    assert upright.getpixel((5, 17)) < (50, 50, 50)


def test_transparent_parts_become_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


def test_grey_stays_grey(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    picture = open_image(tmp_path / "a.png")
    assert (picture.mode, picture.getpixel((1, 1))) == ("L", 7)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.array([[0, 16384, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    assert np.asarray(open_image(tmp_path / "a.png")).tolist() == [[0, 63, 127, 255]]


def test_palette_and_cmyk_become_rgb(tmp_path):
    noise(8, 8).quantize(8).save(tmp_path / "a.gif")
    noise(8, 8).convert("CMYK").save(tmp_path / "b.jpg")
    assert open_image(tmp_path / "a.gif").mode == "RGB"
    assert open_image(tmp_path / "b.jpg").mode == "RGB"


def test_reduced_decoding_keeps_twice_the_side(tmp_path):
    noise(400, 240).save(tmp_path / "a.jpg")
    assert open_image(tmp_path / "a.jpg", decode_side=32).size == (200, 120)
    assert open_image(tmp_path / "a.jpg").size == (400, 240)


def test_threads_may_open_at_once(tmp_path):
    noise(64, 64).save(tmp_path / "a.jpg")
    before = list(warnings.filters)
    threads = [
        threading.Thread(
            target=lambda: [open_image(tmp_path / "a.jpg") for _ in range(30)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
