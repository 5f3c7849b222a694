"""Small sounds and videos that players play, made of what is at hand."""

from __future__ import annotations

import io
import math
import struct
import wave

from PIL import Image

FRAME_MS = 200


def write_wav(path, seconds=0.1, pitch=440, rate=8000):
    """Write a sine of 16-bit samples."""
    times = (n / rate for n in range(int(seconds * rate)))
    samples = [round(9000 * math.sin(math.tau * pitch * time)) for time in times]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def write_webm(path, colours=("red", "green", "blue"), side=32):
    """Write a video (WebM, VP8) of one plain frame per colour, 200 ms each.

    A lossy WebP picture is one key frame of VP8 in another container (RFC 9649), so
    Pillow's WebP encoder serves as a video encoder. Element ids: RFC 9559.
    """
    info = (
        _element("2AD7B1", _number(1_000_000))  # a tick is a millisecond
        + _element("4489", struct.pack(">d", FRAME_MS * len(colours)))
        + _element("4D80", b"tests")
        + _element("5741", b"tests")
    )
    size = _element("B0", _number(side)) + _element("BA", _number(side))
    track = (
        _element("D7", _number(1))
        + _element("73C5", _number(1))
        + _element("83", _number(1))  # video
        + _element("86", b"V_VP8")
        + _element("E0", size)
    )
    frames = b"".join(
        _element("A3", struct.pack(">BhB", 0x81, n * FRAME_MS, 0x80) + _frame(c, side))
        for n, c in enumerate(colours)
    )
    segment = (
        _element("1549A966", info)
        + _element("1654AE6B", _element("AE", track))
        + _element("1F43B675", _element("E7", _number(0)) + frames)
    )
    head = (
        _element("4286", _number(1))
        + _element("42F7", _number(1))
        + _element("42F2", _number(4))
        + _element("42F3", _number(8))
        + _element("4282", b"webm")
        + _element("4287", _number(2))
        + _element("4285", _number(2))
    )
    path.write_bytes(_element("1A45DFA3", head) + _element("18538067", segment))


def _frame(colour, side):
    """Return a picture as a key frame of VP8: the one chunk of a plain lossy WebP."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "WEBP", quality=80)
    riff, _, webp, chunk, size = struct.unpack("<4sI4s4sI", file.getvalue()[:20])
    assert (riff, webp, chunk) == (b"RIFF", b"WEBP", b"VP8 ")
    return file.getvalue()[20 : 20 + size]


def _element(identifier, content):
    return (
        bytes.fromhex(identifier) + struct.pack(">Q", 1 << 56 | len(content)) + content
    )


def _number(value):
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
