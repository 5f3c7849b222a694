from __future__ import annotations

import json
import logging
import threading
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    InvalidData,
    InvalidStatement,
    InvalidValue,
    UndefinedColumn,
)
from thanosql_server.ml.captions import Captions
from thanosql_server.ml.clip import train
from thanosql_server.ml.clip_encoder import load
from thanosql_server.ml.clip_loss import clip_loss, jitter, same_text
from thanosql_server.ml.clip_options import ClipOptions
from thanosql_server.ml.clip_vocabulary import openai_tokenizer
from thanosql_server.ml.encoder import TextEncoder
from thanosql_server.ml.spool import spool

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ClipOptions(max_epochs=2, batch_size=16, image_size=32, learning_rate=2e-3)
COLOURS = {"red": (220, 30, 30), "blue": (40, 60, 230), "green": (30, 180, 60)}
FILES = ["config.json", "merges.txt.gz", "metrics.json", "weights.safetensors"]


@dataclass(frozen=True)
class Pairs:
    """A folder of plain coloured pictures and the rows that describe them."""

    folder: Path
    rows: list[dict[str, str | None]]

    def batches(self, size=20):
        for start in range(0, len(self.rows), size):
            yield pa.RecordBatch.from_pylist(self.rows[start : start + size])

    def resolve(self, text):
        return self.folder / text


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Sixty pictures, their left and right half in one of three colours."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(3)
    rows = []
    for index in range(60):
        left, right = rng.choice(list(COLOURS), 2, replace=False)
        pixels = np.empty((40, 40, 3))
        pixels[:, :20], pixels[:, 20:] = COLOURS[left], COLOURS[right]
        noisy = np.clip(pixels + rng.normal(0, 15, pixels.shape), 0, 255)
        Image.fromarray(noisy.astype(np.uint8)).save(folder / f"{index}.png")
        rows.append({"image_path": f"{index}.png", "caption": f"{left} and {right}"})
    return Pairs(folder, rows)


@pytest.fixture(scope="module")
def model(pairs, tmp_path_factory):
    """A folder with a model of the pairs, and what train returned."""
    folder = tmp_path_factory.mktemp("model")
    options = replace(QUICK, max_epochs=25)
    return folder, train(pairs.batches(), pairs.resolve, options, folder, Control())


@pytest.fixture(scope="module")
def encoder(model):
    return load(model[0])


def pixels(encoder, pairs):
    paths = [pairs.folder / row["image_path"] for row in pairs.rows]
    prepared = []
    for path in paths:
        with Image.open(path) as image:
            prepared.append(encoder.preprocess(image))
    return np.stack(prepared)


def test_loss_falls(model):
    losses = [epoch["loss"] for epoch in model[1]["epochs"]]
    assert len(losses) == 25
    assert losses[-1] < losses[0] - 0.5


def test_text_finds_its_pictures(encoder, pairs):
    captions = sorted({row["caption"] for row in pairs.rows})
    images = encoder.encode_images(pixels(encoder, pairs))
    best = (images @ encoder.encode_texts(captions).T).argmax(1)
    right = [
        captions[found] == row["caption"]
        for found, row in zip(best, pairs.rows, strict=True)
    ]
    assert np.mean(right) > 0.9


def test_folder_holds_config_weights_vocabulary_and_metrics_only(model):
    folder, metrics = model
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    config = json.loads((folder / "config.json").read_text())
    assert (config["family"], config["base"], config["dim"]) == ("CLIP", "clipen", 128)
    assert config["options"]["max_epochs"] == 25


def test_encoder_keeps_its_promises(encoder, pairs):
    assert isinstance(encoder, TextEncoder)
    inputs = pixels(encoder, pairs)
    assert (inputs.shape, inputs.dtype) == ((60, 3, 32, 32), np.uint8)
    for vectors in (encoder.encode_images(inputs), encoder.encode_texts(["a"] * 60)):
        assert (vectors.shape, vectors.dtype) == ((60, 128), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_single_inputs_give(encoder, pairs):
    inputs = pixels(encoder, pairs)
    single = np.concatenate([encoder.encode_images(one[None]) for one in inputs])
    np.testing.assert_allclose(encoder.encode_images(inputs), single, atol=1e-5)
    texts = ["red", "", "blue and green " * 9, "red and blue", "white"] * 9
    single = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(encoder.encode_texts(texts), single, atol=1e-5)


def test_no_inputs_give_no_vectors(encoder):
    assert encoder.encode_texts([]).shape == (0, 128)
    assert encoder.encode_images(np.empty((0, 3, 32, 32), np.uint8)).shape == (0, 128)


def weights(pairs, folder, options):
    folder.mkdir()
    train(pairs.batches(), pairs.resolve, options, folder, Control())
    return load_file(folder / "weights.safetensors")


def test_a_seed_repeats_the_model(pairs, tmp_path):
    options = replace(QUICK, max_epochs=1)
    first = weights(pairs, tmp_path / "1", options)
    again = weights(pairs, tmp_path / "2", options)
    other = weights(pairs, tmp_path / "3", replace(options, seed=1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(
        first["visual.conv1.weight"], other["visual.conv1.weight"]
    )
    vocabularies = {(tmp_path / n / "merges.txt.gz").read_bytes() for n in "123"}
    assert len(vocabularies) == 1


def test_training_goes_on_from_a_model(model, pairs, tmp_path):
    options = ClipOptions(max_epochs=1, batch_size=16, init="m", init_folder=model[0])
    metrics = train(pairs.batches(), pairs.resolve, options, tmp_path, Control())
    losses = [epoch["loss"] for epoch in model[1]["epochs"]]
    assert metrics["epochs"][0]["loss"] == pytest.approx(losses[-1], abs=0.3)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["options"]["init"] == "m"
    assert "init_folder" not in config["options"]
    assert load(tmp_path).dim == 128


def test_a_model_to_start_from_must_be_there_and_suit(model, pairs, tmp_path):
    options = replace(QUICK, image_size=64, init="m", init_folder=model[0])
    with pytest.raises(InvalidValue, match="model 'm' sees 32 pixels, not 64"):
        train(pairs.batches(), pairs.resolve, options, tmp_path, Control())
    with pytest.raises(InvalidStatement, match="there is no model 'gone'"):
        train([], pairs.resolve, ClipOptions(init="gone"), tmp_path, Control())


@pytest.fixture
def mixed(pairs, tmp_path):
    """The pairs, and among them rows that lack a caption or a picture."""
    rows = list(pairs.rows)
    (tmp_path / "broken.png").write_text("no picture")
    for place, row in [
        (0, {"image_path": str(tmp_path / "broken.png"), "caption": "broken"}),
        (5, {"image_path": None, "caption": "none"}),
        (9, {"image_path": "3.png", "caption": None}),
        (12, {"image_path": "4.png", "caption": "  "}),
        (30, {"image_path": "gone.png", "caption": "gone"}),
    ]:
        rows.insert(place, row)
    return Pairs(pairs.folder, rows)


def test_rows_without_caption_or_picture_are_left_out(mixed, tmp_path):
    folder, control = tmp_path / "model", Control()
    folder.mkdir()
    options = replace(QUICK, max_epochs=1)
    metrics = train(mixed.batches(), mixed.resolve, options, folder, control)
    counts = metrics["pictures"], metrics["skipped"], metrics["without_text"]
    assert counts == (60, 2, 3)
    assert "2 of 62 pictures could not be read and were skipped" in control.warnings[0]


def test_each_picture_keeps_its_own_caption(pairs, mixed, tmp_path):
    with Captions(tmp_path / "captions") as captions:
        pictures = spool(
            captions.paths_of(mixed.batches(), "image_path", "caption"),
            mixed.resolve,
            tmp_path / "pixels",
            Control(),
            image_size=32,
        )
        tokenizer = openai_tokenizer()
        tokens = captions.tokens(
            pictures.kept, tokenizer, tmp_path / "tokens", Control()
        )
    read = [
        tokenizer.decode([t for t in row[1:] if t and t != tokenizer.eot_token_id])
        for row in tokens.tolist()
    ]
    assert [text.strip() for text in read] == [row["caption"] for row in pairs.rows]
    assert captions.words["broken"] == 1
    colours = [COLOURS[row["caption"].split()[0]] for row in pairs.rows]
    left = pictures.pixels[:, :, :, 2:10].mean((2, 3))
    np.testing.assert_allclose(left, colours, atol=15)


def test_training_works_in_another_thread_and_says_nothing(pairs, tmp_path, caplog):
    raised = []

    def work():
        try:
            train(pairs.batches(), pairs.resolve, QUICK, tmp_path, Control())
        except Exception as error:
            raised.append(error)

    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert raised == []
    assert caplog.messages == []


class CancelAt(Control):
    """A statement whose user gives up after some steps."""

    def report(self, phase, done, total=0, message=""):
        if phase == "training" and done == 3:
            self.cancel()
        super().report(phase, done, total, message)


def test_cancel_stops_at_the_next_step_and_leaves_nothing(pairs, tmp_path):
    control = CancelAt()
    with pytest.raises(Cancelled):
        train(pairs.batches(), pairs.resolve, QUICK, tmp_path, control)
    assert (control.progress.phase, control.progress.done) == ("training", 2)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_is_refused(pairs, tmp_path):
    options = replace(QUICK, max_epochs=5, learning_rate=1e30)
    with pytest.raises(InvalidValue, match="choose a smaller learning_rate"):
        train(pairs.batches(), pairs.resolve, options, tmp_path, Control())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column_names_the_nearest(pairs, tmp_path):
    options = replace(QUICK, text_col="captions")
    with pytest.raises(UndefinedColumn, match=r"captions.*did you mean 'caption'"):
        train(pairs.batches(), pairs.resolve, options, tmp_path, Control())


def test_captions_must_be_text(pairs, tmp_path):
    batch = pa.record_batch({"image_path": ["1.png"], "caption": [1]})
    with pytest.raises(InvalidData, match="column 'caption' holds int64, not captions"):
        train([batch], pairs.resolve, QUICK, tmp_path, Control())


def test_one_pair_is_too_few(pairs, tmp_path):
    first = next(pairs.batches(1))
    with pytest.raises(InvalidData, match="at least two readable pictures, found 1"):
        train([first], pairs.resolve, QUICK, tmp_path, Control())


def test_loss_is_the_mean_of_both_directions():
    rng = torch.Generator().manual_seed(0)
    images, texts = torch.randn((2, 5, 8), generator=rng)
    loss = clip_loss(images, texts, torch.tensor(3.0), torch.eye(5, dtype=torch.bool))
    unit = [one / one.norm(dim=1, keepdim=True) for one in (images, texts)]
    expected = 0.0
    for row in range(5):
        for here, there in (unit, unit[::-1]):
            logits = 3 * there @ here[row]
            expected -= float(logits[row] - logits.logsumexp(0)) / 10
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_equal_captions_share_the_probability():
    tokens = torch.tensor([[1, 2], [3, 4], [1, 2]])
    same = same_text(tokens)
    assert same.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    vectors = torch.eye(2)[[0, 1, 0]]
    ideal = clip_loss(vectors, vectors, torch.tensor(50.0), same)
    assert float(ideal) == pytest.approx(2 / 3 * np.log(2), rel=1e-4)


def test_views_are_moved_but_never_mirrored():
    ramp = torch.linspace(0.2, 0.6, 32).expand(4, 3, 32, 32)
    views = jitter(ramp, torch.Generator().manual_seed(0))
    assert views.shape == ramp.shape
    assert (views.diff(dim=3) >= 0).all()
    assert not torch.equal(views[0], views[1])
