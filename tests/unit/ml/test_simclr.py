from __future__ import annotations

import json
import logging
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData, InvalidValue, UndefinedColumn
from thanosql_server.ml.encoder import Encoder
from thanosql_server.ml.simclr import train
from thanosql_server.ml.simclr_encoder import load
from thanosql_server.ml.simclr_options import SimCLROptions

QUICK = SimCLROptions(max_epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def model(drawings, tmp_path_factory):
    """A folder with a model of the drawings, and what train returned."""
    folder = tmp_path_factory.mktemp("model")
    options = replace(QUICK, max_epochs=10, batch_size=30)
    metrics = train(drawings.batches(), drawings.resolve, options, folder, Control())
    return folder, metrics


@pytest.fixture(scope="module")
def encoder(model):
    return load(model[0])


def pixels(encoder, drawings, count=None):
    names = drawings.names[:count]
    images = [Image.open(drawings.folder / name) for name in names]
    prepared = np.stack([encoder.preprocess(image) for image in images])
    for image in images:
        image.close()
    return prepared


def test_loss_falls(model):
    losses = [epoch["loss"] for epoch in model[1]["epochs"]]
    assert len(losses) == 10
    assert losses[-1] < losses[0] - 0.4


def test_neighbours_are_of_the_same_kind(encoder, drawings):
    vectors = encoder.encode_images(pixels(encoder, drawings))
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    nearest = drawings.kinds[similarity.argmax(1)]
    assert (nearest == drawings.kinds).mean() > 0.9


def test_folder_holds_config_weights_and_metrics_only(model):
    folder, metrics = model
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.json", "metrics.json", "weights.safetensors"]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    config = json.loads((folder / "config.json").read_text())
    expected = {"family": "SimCLR", "base": "simclr", "channels": 1, "image_size": 16}
    assert expected.items() <= config.items()
    assert config["options"]["max_epochs"] == 10
    assert config["augmentation"] == "digits"


def test_projection_head_is_dropped(model):
    assert not [
        name for name in load_file(model[0] / "weights.safetensors") if "head" in name
    ]


def test_metrics_say_what_was_done(model):
    metrics = model[1]
    assert (metrics["pictures"], metrics["skipped"]) == (90, 0)
    assert metrics["seconds"] > 0
    assert all(epoch["images_per_second"] > 0 for epoch in metrics["epochs"])


def test_encoder_keeps_its_promises(encoder, drawings):
    assert isinstance(encoder, Encoder)
    assert (encoder.family, encoder.base) == ("SimCLR", "simclr")
    inputs = pixels(encoder, drawings, 5)
    assert (inputs.shape, inputs.dtype) == ((5, 1, 16, 16), np.uint8)
    vectors = encoder.encode_images(inputs)
    assert (vectors.shape, vectors.dtype) == ((5, encoder.dim), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_single_pictures_give(encoder, drawings):
    inputs = pixels(encoder, drawings)
    together = encoder.encode_images(inputs)
    single = np.concatenate([encoder.encode_images(one[None]) for one in inputs])
    np.testing.assert_allclose(together, single, atol=1e-5)


def test_any_picture_can_be_preprocessed(encoder):
    for mode, size in [("RGB", (300, 200)), ("L", (5, 90)), ("L", (1, 1))]:
        assert encoder.preprocess(Image.new(mode, size)).shape == (1, 16, 16)


def test_threads_may_encode_at_once(encoder, drawings):
    inputs = pixels(encoder, drawings)
    expected = encoder.encode_images(inputs)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(encoder.encode_images(inputs)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-6)


def weights(drawings, folder, options):
    folder.mkdir()
    train(drawings.batches(), drawings.resolve, options, folder, Control())
    return load_file(folder / "weights.safetensors")


def test_a_seed_repeats_the_model(drawings, tmp_path):
    options = replace(QUICK, max_epochs=1)
    first = weights(drawings, tmp_path / "1", options)
    again = weights(drawings, tmp_path / "2", options)
    other = weights(drawings, tmp_path / "3", replace(options, seed=1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["stem.0.weight"], other["stem.0.weight"])


def test_training_works_in_another_thread_and_says_nothing(drawings, tmp_path, caplog):
    raised = []

    def work():
        try:
            train(drawings.batches(), drawings.resolve, QUICK, tmp_path, Control())
        except Exception as error:
            raised.append(error)

    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert raised == []
    assert caplog.messages == []
    assert (tmp_path / "weights.safetensors").exists()


def test_training_leaves_torchs_threads_as_they_were(drawings, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(drawings.batches(), drawings.resolve, QUICK, tmp_path, Control())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_progress_counts_steps(drawings, tmp_path):
    control = Control()
    train(drawings.batches(), drawings.resolve, QUICK, tmp_path, control)
    progress = control.progress
    assert (progress.phase, progress.done, progress.total) == ("training", 10, 10)
    assert progress.message.startswith("epoch 2/2, loss ")
    assert progress.message.endswith(" images/s")


class CancelAt(Control):
    """A statement whose user gives up after some steps."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def report(self, phase, done, total=0, message=""):
        if phase == "training" and done == self.step:
            self.cancel()
        super().report(phase, done, total, message)


def test_cancel_stops_at_the_next_step_and_leaves_nothing(drawings, tmp_path):
    control = CancelAt(step=3)
    with pytest.raises(Cancelled):
        train(drawings.batches(), drawings.resolve, QUICK, tmp_path, control)
    assert control.progress.done == 2
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_table_leaves_nothing(drawings, tmp_path):
    def broken():
        yield next(drawings.batches())
        raise OSError("the table is gone")

    with pytest.raises(OSError, match="the table is gone"):
        train(broken(), drawings.resolve, QUICK, tmp_path, Control())
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_is_refused(drawings, tmp_path):
    options = replace(QUICK, max_epochs=5, learning_rate=1e30)
    with pytest.raises(InvalidValue, match="smaller learning_rate"):
        train(drawings.batches(), drawings.resolve, options, tmp_path, Control())
    assert list(tmp_path.iterdir()) == []


def test_missing_column(drawings, tmp_path):
    options = replace(QUICK, image_col="imagepath")
    with pytest.raises(UndefinedColumn, match="did you mean 'image_path'"):
        train(drawings.batches(), drawings.resolve, options, tmp_path, Control())


def test_two_pictures_and_one_epoch_are_enough(drawings, tmp_path):
    first = next(drawings.batches(2))
    options = SimCLROptions(max_epochs=1)
    metrics = train([first], drawings.resolve, options, tmp_path, Control())
    assert metrics["pictures"] == 2
    assert load(tmp_path).dim > 0


def test_every_backbone_and_recipe_trains(drawings, tmp_path):
    for index, (backbone, recipe) in enumerate(
        [("resnet10", "photo"), ("resnet18", "grey"), ("resnet8", "none")]
    ):
        folder = tmp_path / str(index)
        folder.mkdir()
        options = replace(
            QUICK, max_epochs=1, backbone=backbone, augmentation=recipe, image_size=20
        )
        batches = [next(drawings.batches(20))]
        metrics = train(batches, drawings.resolve, options, folder, Control())
        assert metrics["augmentation"] == recipe
        assert load(folder).preprocess(Image.new("L", (9, 9))).shape == (1, 20, 20)


def test_a_damaged_model_is_one_clear_sentence(model, tmp_path):
    for name in ("config.json", "weights.safetensors"):
        whole = (model[0] / name).read_bytes()
        for other in ("config.json", "weights.safetensors"):
            (tmp_path / other).write_bytes((model[0] / other).read_bytes())
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InvalidData, match="damaged") as caught:
            load(tmp_path)
        assert str(tmp_path) not in str(caught.value)


def test_a_model_that_is_gone(tmp_path):
    with pytest.raises(InvalidData, match="build it again"):
        load(tmp_path / "no")
