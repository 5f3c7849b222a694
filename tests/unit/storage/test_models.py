from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone

import pytest

from thanosql_server.errors import (
    Cancelled,
    DuplicateObject,
    InternalError,
    UndefinedObject,
)


def build(models, name, *, overwrite=False, **config):
    with models.create(name, overwrite=overwrite) as folder:
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "weights.safetensors").write_bytes(b"w")


def test_model_comes_back_as_it_was_written(models):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    with models.create("My Model") as folder:
        (folder / "config.json").write_text('{"family": "SimCLR", "dim": 128}')
        (folder / "metrics.json").write_text('{"loss": [2.5, 1.5]}')
        assert models.names() == []
    model = models.open("My Model")
    assert (model.name, model.version) == ("My Model", 1)
    assert model.config == {"family": "SimCLR", "dim": 128}
    assert model.metrics == {"loss": [2.5, 1.5]}
    assert model.created.tzinfo is timezone.utc
    assert before <= model.created <= datetime.now(timezone.utc)
    assert models.list() == [model]


def test_existing_model_is_refused_at_once(models):
    build(models, "m", dim=1)
    with (
        pytest.raises(DuplicateObject, match="model 'm' already exists"),
        models.create("m"),
    ):
        pytest.fail("the block was entered")


def test_the_slower_of_two_builders_is_told(models):
    with pytest.raises(DuplicateObject), models.create("m"):
        build(models, "m", dim=1)
    assert models.open("m").config == {"dim": 1}


def test_overwriting_leaves_only_the_newest_version(models):
    build(models, "m", dim=1)
    build(models, "m", dim=2, overwrite=True)
    build(models, "m", dim=3, overwrite=True)
    model = models.open("m")
    assert (model.version, model.config) == (3, {"dim": 3})
    assert [p.name for p in model.folder.parent.iterdir()] == ["v3"]


def interrupted_build(models, name):
    with models.create(name, overwrite=True) as folder:
        (folder / "config.json").write_text("{}")
        raise Cancelled("stop")


def test_failed_build_leaves_nothing(models, tmp_path):
    build(models, "m", dim=1)
    for name in ("m", "new"):
        with pytest.raises(Cancelled):
            interrupted_build(models, name)
    assert models.names() == ["m"]
    assert models.open("m").config == {"dim": 1}
    (run,) = (
        p for p in (tmp_path / "workspace/.thanosql/trash").iterdir() if p.is_dir()
    )
    assert list(run.iterdir()) == []


def test_deleted_model_is_gone_and_may_come_again(models):
    build(models, "m", dim=1)
    models.delete("m")
    assert not models.exists("m")
    assert models.list() == []
    build(models, "m", dim=2)
    assert models.open("m").version == 1


def test_missing_model_names_the_nearest_or_how_to_list(models):
    for act in (models.open, models.delete):
        with pytest.raises(UndefinedObject) as caught:
            act("simclr")
        assert caught.value.message == (
            "there is no model 'simclr'; LIST MODEL shows the models there are"
        )
    build(models, "mnist_model", dim=1)
    with pytest.raises(UndefinedObject, match=r"did you mean 'mnist_model'\?"):
        models.open("mnist_modle")


@pytest.mark.parametrize("damage", ["", "[]", "{", "\xff"])
def test_damaged_model_is_named_and_left_out_of_lists(models, damage, caplog):
    build(models, "good", dim=1)
    build(models, "m", dim=1)
    config = models.open("m").folder / "config.json"
    config.write_bytes(damage.encode("latin-1"))
    with pytest.raises(InternalError, match="files of model 'm' are damaged"):
        models.open("m")
    assert [model.name for model in models.list()] == ["good"]
    assert "model 'm' are damaged" in caplog.text
    assert models.names() == ["good", "m"]
    build(models, "m", dim=2, overwrite=True)
    assert models.open("m").config == {"dim": 2}


def test_model_without_config_is_damaged(models):
    build(models, "m", dim=1)
    (models.open("m").folder / "config.json").unlink()
    with pytest.raises(InternalError, match="damaged"):
        models.open("m")


def test_folders_that_are_no_versions_are_no_models(models, tmp_path):
    folder = tmp_path / "workspace" / ".thanosql" / "models"
    (folder / "empty").mkdir()
    (folder / "other" / "v0").mkdir(parents=True)
    (folder / "README").write_text("")
    assert models.names() == []
    build(models, "empty", dim=1)
    assert models.open("empty").version == 1


def test_files_of_subfolders_are_kept(models):
    with models.create("m") as folder:
        (folder / "config.json").write_text("{}")
        (folder / "tokenizer").mkdir()
        (folder / "tokenizer" / "vocab.txt").write_text("a")
    assert (models.open("m").folder / "tokenizer" / "vocab.txt").read_text() == "a"


def test_folder_that_the_builder_removed_is_no_model(models):
    with pytest.raises(FileNotFoundError), models.create("m") as folder:
        shutil.rmtree(folder)
    assert models.names() == []
