from __future__ import annotations

import subprocess
import sys

import pytest

from thanosql_server.errors import (
    InvalidValue,
    NotSupported,
    Position,
    UndefinedObject,
)
from thanosql_server.ml.families import FAMILIES, family
from thanosql_server.ml.simclr_options import SimCLROptions
from thanosql_server.sql.options import Options


def parse(**values):
    places = {name: Position(1, 1 + index) for index, name in enumerate(values)}
    return family("SimCLR").parse(Options(values, places))


@pytest.mark.parametrize("name", ["SimCLR", "simclr", "SIMCLR"])
def test_a_family_is_found_in_any_case(name):
    assert family(name).name == "SimCLR"
    assert family(name).base == "simclr"


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(UndefinedObject, match=r"'SimCLT'.*did you mean 'SimCLR'"):
        family("SimCLT")


@pytest.mark.parametrize("name", ["CLIP", "clip", "CLIPEn", "clipen"])
def test_clip_has_two_names_and_one_base(name):
    assert (family(name).name, family(name).base) == ("CLIP", "clipen")
    assert family(name).media == {"image", "text"}


@pytest.mark.parametrize("name", ["CLIPKo", "clipko"])
def test_a_planned_family_says_so(name):
    with pytest.raises(NotSupported, match="CLIPKo is not supported yet"):
        family(name)


def test_names_and_bases_are_unique():
    assert len({known.name.lower() for known in FAMILIES}) == len(FAMILIES)
    assert len({known.base for known in FAMILIES}) == len(FAMILIES)


def test_looking_up_a_family_loads_no_torch():
    code = (
        "import sys; from thanosql_server.ml import families, pipeline, media;"
        "families.family('SimCLR'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_options_give_the_defaults():
    assert parse() == SimCLROptions()


def test_every_option_can_be_written():
    written = SimCLROptions(
        image_col="p",
        max_epochs=3,
        batch_size=64,
        learning_rate=0.1,
        temperature=0.5,
        augmentation="photo",
        backbone="resnet18",
        image_size=32,
        seed=7,
        overwrite=True,
    )
    assert parse(**vars(written)) == written


def test_auto_and_names_in_any_case():
    options = parse(image_size="Auto", augmentation="DIGITS", backbone="ResNet10")
    assert options.image_size is None
    assert (options.augmentation, options.backbone) == ("digits", "resnet10")


def test_an_unknown_option_names_the_nearest():
    hint = r"'max_epoch'.*did you mean 'max_epochs'"
    with pytest.raises(UndefinedObject, match=hint):
        parse(max_epoch=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_epochs", 0),
        ("max_epochs", "x"),
        ("max_epochs", 1.5),
        ("batch_size", 1),
        ("learning_rate", 0),
        ("temperature", -1),
        ("augmentation", "digitz"),
        ("backbone", "vgg"),
        ("image_size", 5),
        ("image_size", "big"),
        ("seed", -1),
        ("overwrite", "yes"),
    ],
)
def test_a_wrong_value_is_quoted_with_its_place(name, value):
    with pytest.raises(InvalidValue, match=f"option '{name}' must be .*{value}") as e:
        parse(**{name: value})
    assert e.value.position == Position(1, 1)
