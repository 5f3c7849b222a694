"""What needs no hub: drawn here, shipped with the server, or from public places."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import thanosql_server
from thanosql_server.digits import write_digits
from thanosql_server.scenes import held_out_scenes, write_scenes
from thanosql_server.storage.hub_hugging_face import HubWeights
from thanosql_server.storage.hub_manifest import Entry, HubFile
from thanosql_server.storage.hub_mnist import Mnist, Part
from thanosql_server.storage.hub_recipe import Here, Offer
from thanosql_server.storage.hub_unsplash import UnsplashLite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.control import Control
    from thanosql_server.scenes import Scene

DIGITS = {"train": (1_000, 0), "test": (200, 1_000_000)}
"""Pictures and first seed of the two tables; as many as the tutorials take of MNIST."""

SCENES = 1_000
"""Pictures of `scenes_data`: scenes that no training of the shipped model has seen."""

SHIPPED = Path(thanosql_server.__file__).parent
"""Holds `demo_clip`, a small CLIP that was trained on other scenes than those of
`scenes_data`, and `tutorial_search_simclr`, a SimCLR trained on drawn digits."""


def _digits(folder: Path, shown: str, control: Control) -> None:
    done, total = 0, sum(count for count, _ in DIGITS.values())
    for table, (count, seed) in DIGITS.items():
        control.report("drawing", done, total)
        write_digits(folder, shown, table, count, seed)
        done += count


def _scenes(folder: Path, shown: str, control: Control) -> None:
    def reported() -> Iterator[Scene]:
        for done, scene in enumerate(held_out_scenes(SCENES)):
            control.report("drawing", done, SCENES)
            yield scene

    write_scenes(folder, shown, "scenes", reported())


def _shipped(name: str) -> Here:
    """Return the recipe of a model that comes with the server."""

    def copy(folder: Path, shown: str, control: Control) -> None:
        control.check()
        shutil.copytree(SHIPPED / name, folder, dirs_exist_ok=True)

    return Here(copy)


# The first mirror is the one that torchvision uses, the second is that of the Common
# Visual Data Foundation. Many independent programs state the same SHA-256.
_MNIST = Mnist(
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    images=HubFile(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        9_912_422,
    ),
    labels=HubFile(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        28_881,
    ),
    # The numbers are those that the tutorials show.
    parts=(
        Part(
            "test",
            20,
            (6, 0, 1, 2, 3, 4, 5, 7, 9, 8),
            below=10_000,
            first=(5099, 9239, 2242, 3451, 2631),
            last=(8045, 9591, 7425, 2150, 5087),
            among=(923, 6573, 7645),
        ),
        Part(
            "train",
            100,
            (5, 0, 1, 2, 3, 4, 6, 7, 8, 9),
            below=60_000,
            first=(6782, 1810, 33617, 27802, 50677),
        ),
    ),
)

# Version and SHA-256 as the change log of github.com/unsplash/datasets states them. Of
# the version of 2022, which the tutorials show, too many photos are gone by now.
_UNSPLASH = UnsplashLite(
    address="https://unsplash.com/data/lite",
    archive="1.4.1",
    sha256="aa0fcb859040ed64e93817d1d878d0c6f861763283261ba1a6aa5d8d4af6aec6",
    photos="https://images.unsplash.com/",
    query="?w=640&fit=max&fm=jpg&q=80",
)

# open_clip's own address of ViT-B-32-quickgelu with the tag `openai`, half of a
# gigabyte: OpenAI's weights as float32. Its second name is a file of torch.
_OPENAI = HubWeights(
    "timm/vit_base_patch32_clip_224.openai",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
)


def _openai(name: str) -> Offer:
    entry = Entry(
        "models",
        name,
        "CLIP",
        licence="MIT",
        architecture="ViT-B-32-quickgelu",
        dim=512,
    )
    return Offer(entry, _OPENAI)


BUILT_IN = (
    Offer(Entry("datasets", "digits_data", "image"), Here(_digits)),
    Offer(Entry("datasets", "mnist_data", "image", licence="CC-BY-SA-3.0"), _MNIST),
    Offer(Entry("datasets", "scenes_data", "image"), Here(_scenes)),
    Offer(
        Entry("datasets", "unsplash_data", "image", licence="Unsplash Dataset Terms"),
        _UNSPLASH,
    ),
    _openai("clip"),
    _openai("clip_en"),
    Offer(Entry("models", "demo_clip", "CLIP", dim=128), _shipped("demo_clip")),
    _openai("tutorial_search_clip"),
    Offer(
        Entry("models", "tutorial_search_simclr", "SimCLR", dim=512),
        _shipped("tutorial_search_simclr"),
    ),
)
