from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData, PermissionDenied
from thanosql_server.ml.encoder import Encoder, embedding_type
from thanosql_server.ml.pipeline import AHEAD, Unreadable, embed_paths, with_embeddings
from thanosql_server.ml.pixels import to_pixels


class MeanColour:
    """A real, if humble, encoder: the direction of the mean colour."""

    family = "MeanColour"
    base = "colour"
    dim = 3
    media = frozenset({"image"})
    decode_side = 0
    framing = None

    def __init__(self):
        self.calls = []

    def preprocess(self, image):
        return to_pixels(image, 8, 3)

    def encode_images(self, pixels):
        self.calls.append(len(pixels))
        means = pixels.reshape(len(pixels), 3, -1).mean(2).astype(np.float32) + 1
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def unit(colour):
    vector = np.array(colour, dtype=np.float32) + 1
    return vector / np.linalg.norm(vector)


def colours(count):
    rng = np.random.default_rng(count)
    return [tuple(int(c) for c in rng.integers(0, 256, 3)) for _ in range(count)]


@pytest.fixture
def pictures(tmp_path):
    """Forty pictures of one colour each, as (name, colour)."""
    made = []
    for index, colour in enumerate(colours(40)):
        Image.new("RGB", (10 + index, 10), colour).save(tmp_path / f"{index}.png")
        made.append((f"{index}.png", colour))
    return made


def rows(arrays):
    return [row for array in arrays for row in array.to_pylist()]


def test_order_is_kept_whatever_the_batch_size(tmp_path, pictures):
    expected = np.array([unit(colour) for _, colour in pictures])
    for batch_size, threads in [(1, 1), (7, 4), (64, 3)]:
        arrays = list(
            embed_paths(
                [name for name, _ in pictures],
                tmp_path.joinpath,
                MeanColour(),
                Control(),
                batch_size=batch_size,
                decode_threads=threads,
            )
        )
        assert {array.type for array in arrays} == {embedding_type(3)}
        np.testing.assert_allclose(np.array(rows(arrays)), expected, atol=1e-6)


def test_the_encoder_of_this_test_is_an_encoder():
    assert isinstance(MeanColour(), Encoder)


def test_nulls_and_bad_files_are_null_in_their_place(tmp_path, pictures):
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    paths = ["0.png", None, "text.jpg", "1.png", "empty.png", "no.png", "folder"]
    control = Control()
    encoder = MeanColour()
    (array,) = embed_paths(paths, tmp_path.joinpath, encoder, control)
    filled = [row is not None for row in array.to_pylist()]
    assert filled == [True, False, False, True, False, False, False]
    assert encoder.calls == [2]
    assert control.warnings == (
        "4 of 6 pictures could not be read and have no embedding: 'text.jpg' (not a "
        "picture), 'empty.png' (empty file), 'no.png' (no such file), ...",
    )


def test_only_unreadable_pictures_need_no_encoder(tmp_path):
    encoder = MeanColour()
    (array,) = embed_paths([None, "no.png"], tmp_path.joinpath, encoder, Control())
    assert (array.null_count, encoder.calls) == (2, [])


def test_path_outside_the_roots_is_unreadable(tmp_path, pictures):
    def resolve(text):
        if text.startswith(".."):
            raise PermissionDenied("outside the folders this server may read")
        return tmp_path / text

    control = Control()
    (array,) = embed_paths(["../x", "0.png"], resolve, MeanColour(), control)
    assert [row is None for row in array.to_pylist()] == [True, False]
    assert "'../x' (outside the folders this server may read)" in control.warnings[0]


def test_fail_on_error_names_the_picture(tmp_path, pictures):
    embeddings = embed_paths(
        ["0.png", "sub/no.png"],
        tmp_path.joinpath,
        MeanColour(),
        Control(),
        fail_on_error=True,
    )
    with pytest.raises(InvalidData, match=r"'sub/no\.png' cannot be read \(no such"):
        list(embeddings)


def test_a_shared_count_leaves_the_warning_to_its_owner(tmp_path):
    control, unreadable = Control(), Unreadable()
    for _ in range(2):
        list(
            embed_paths(
                ["no.png"],
                tmp_path.joinpath,
                MeanColour(),
                control,
                unreadable=unreadable,
            )
        )
    assert control.warnings == ()
    unreadable.warn(control, "have no embedding")
    assert control.warnings[0].startswith("2 of 2 pictures could not be read")


def test_no_paths_no_arrays(tmp_path):
    assert list(embed_paths([], tmp_path.joinpath, MeanColour(), Control())) == []


def test_progress_counts_rows(tmp_path, pictures):
    control = Control()
    embeddings = embed_paths(
        [name for name, _ in pictures],
        tmp_path.joinpath,
        MeanColour(),
        control,
        batch_size=16,
        total=40,
    )
    seen = [control.progress for _ in embeddings]
    assert [progress and progress.done for progress in seen] == [None, 16, 32]
    assert (control.progress.phase, control.progress.done) == ("embedding", 40)


def test_cancel_stops_between_micro_batches(tmp_path, pictures):
    control = Control()
    embeddings = embed_paths(
        [name for name, _ in pictures] * 100,
        tmp_path.joinpath,
        MeanColour(),
        control,
        batch_size=4,
    )
    next(embeddings)
    control.cancel()
    with pytest.raises(Cancelled):
        next(embeddings)
    assert not [
        t for t in threading.enumerate() if t.name.startswith(("decode", "encode"))
    ]


def test_paths_are_taken_only_a_few_ahead(tmp_path, pictures):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield "0.png"

    embeddings = embed_paths(
        endless(),
        tmp_path.joinpath,
        MeanColour(),
        Control(),
        batch_size=8,
        decode_threads=3,
    )
    for _ in range(5):
        next(embeddings)
    time.sleep(0.05)  # nobody takes: nothing may run on
    assert len(taken) <= 5 * 8 + AHEAD * 8 + 3
    embeddings.close()
    assert not [
        t for t in threading.enumerate() if t.name.startswith(("decode", "encode"))
    ]


def test_an_error_of_the_source_ends_the_pool(tmp_path, pictures):
    def broken():
        yield "0.png"
        raise OSError("the table is gone")

    with pytest.raises(OSError, match="the table is gone"):
        list(embed_paths(broken(), Path(tmp_path).joinpath, MeanColour(), Control()))
    assert not [
        t for t in threading.enumerate() if t.name.startswith(("decode", "encode"))
    ]


def test_batches_of_the_encoder_run_over_the_borders_of_batches(tmp_path, pictures):
    encoder, names = MeanColour(), [name for name, _ in pictures]
    given = [names[:3], [], names[3:4], names[4:30], [], names[30:], []]
    batches = (
        pa.record_batch({"n": range(len(n)), "p": pa.array(n, pa.string())})
        for n in given
    )
    control = Control()

    def embed(paths):
        return embed_paths(paths, tmp_path.joinpath, encoder, control, batch_size=8)

    got = list(with_embeddings(batches, "p", embed))
    assert [batch["p"].to_pylist() for batch, _ in got] == [n for n in given if n]
    assert all(len(batch) == len(vectors) for batch, vectors in got)
    expected = np.array([unit(colour) for _, colour in pictures])
    np.testing.assert_allclose(rows(v for _, v in got), expected, atol=1e-6)
    assert encoder.calls == [8] * 5


def test_the_encoder_works_on_while_embeddings_are_stored(tmp_path, pictures):
    encoder = MeanColour()
    names = [name for name, _ in pictures]
    embeddings = embed_paths(names, tmp_path.joinpath, encoder, Control(), batch_size=8)
    next(embeddings)
    deadline = time.monotonic() + 60
    while len(encoder.calls) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(encoder.calls) == 2  # one is taken, one waits
    embeddings.close()


def test_an_error_of_the_encoder_is_raised(tmp_path, pictures):
    class Broken(MeanColour):
        def encode_images(self, pixels):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(embed_paths(["0.png"], tmp_path.joinpath, Broken(), Control()))


def test_a_large_batch_is_left_in_the_middle(tmp_path, pictures):
    control, begun = Control(), threading.Event()

    class Slow(MeanColour):
        def encode_images(self, pixels):
            begun.set()
            time.sleep(0.05)
            return super().encode_images(pixels)

    encoder = Slow()
    embeddings = embed_paths(
        ["0.png"] * 4096, tmp_path.joinpath, encoder, control, batch_size=4096
    )
    canceller = threading.Thread(target=lambda: (begun.wait(60), control.cancel()))
    canceller.start()
    with pytest.raises(Cancelled):
        next(embeddings)
    canceller.join()
    assert len(encoder.calls) < 16
