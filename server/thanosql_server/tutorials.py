"""Draws what the five tutorials of 2022 presuppose: files, and a hub.

The tutorials use 25,000 photographs, MNIST and a large model, and find them in three
places, depending on their age: below `/data`, in `tutorial_data`, on a hub. Here are
drawn pictures and the model of this package under the same names, so that every
statement runs as it is printed, without a network.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.digits import draw_digit, write_digits
from thanosql_server.scenes import held_out_scenes, write_scenes
from thanosql_server.storage.hub import DATASETS
from thanosql_server.storage.hub_manifest import MANIFEST
from thanosql_server.storage.hub_writer import write_manifest

if TYPE_CHECKING:
    from os import PathLike

HUB = "hub"
DEMO_CLIP = Path(__file__).parent / "demo_clip"
MODELS = ("clip_en", "tutorial_search_clip")
"""The names under which the tutorials know CLIP; here it is the shipped model."""

OLD_MNIST = "development-model/data/mnist/MNIST_DATASET"
"""Where the tutorial of 2022-05 has its digits, below /data."""

PHOTOS, DIGITS = 300, 600
"""Pictures drawn unless told otherwise; a fifth as many digits are for testing."""

OLD_QUERIES = {"train_data": "35322.jpg", "test": "6011.jpg"}
"""Pictures that the tutorial of 2022-05 searches for; each is a 6."""

_TEST_SEED = 1_000_000


def prepare(
    workspace: str | PathLike[str], *, photos: int = PHOTOS, digits: int = DIGITS
) -> dict[str, Any]:
    """Draw everything into a workspace, once, and return how it is to be served.

    Args:
        workspace: the folder; it is made if it is not there.
        photos: pictures of `unsplash_data`, 1 to 1000.
        digits: pictures to train on, 50 or more.

    Returns:
        settings for `thanosql.connect(workspace, **settings)`: its hub, and a mount
        for the paths that begin with /data.
    """
    folder = Path(workspace).resolve()
    hub, data = folder / HUB, folder / "data"
    if not (hub / MANIFEST).exists():
        _draw(folder, photos, digits)
    return {"hubs": [str(hub)], "mounts": {"/data": str(data)}}


def _draw(folder: Path, photos: int, digits: int) -> None:
    """Write all files; the manifest of the hub, which is the last, tells of them."""
    hub = folder / HUB
    for at, prefix in (
        (hub / "datasets", DATASETS),
        (folder / "tutorial_data", "tutorial_data"),
        (folder / "data/tutorial", "/data/tutorial"),
    ):
        _photos(at / "unsplash_data", f"{prefix}/unsplash_data", photos)
    for at, prefix in (
        (hub / "datasets", DATASETS),
        (folder / "tutorial_data", "tutorial_data"),
    ):
        shown = f"{prefix}/mnist_data"
        write_digits(at / "mnist_data", shown, "train", digits, 0)
        write_digits(at / "mnist_data", shown, "test", digits // 5, _TEST_SEED)
    old = folder / "data" / OLD_MNIST
    _digit_folder(old, "train_data", digits, 0)
    _digit_folder(old, "test", digits // 5, _TEST_SEED)
    for name in MODELS:
        shutil.copytree(DEMO_CLIP, hub / "models" / name, dirs_exist_ok=True)
    write_manifest(hub)


def _photos(folder: Path, shown: str, count: int) -> None:
    """Write unsplash.csv and <photo_id>.jpg, in the layout of Unsplash Lite."""
    parent, _, name = shown.rpartition("/")
    write_scenes(folder.parent, parent, name, held_out_scenes(count))
    folder.with_name(f"{name}.csv").replace(folder / "unsplash.csv")


def _digit_folder(folder: Path, name: str, count: int, seed: int) -> None:
    """Write <number>.jpg into `folder/name`, and mnist_<name>.csv as it was then."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    files = [f"{1000 + i}.jpg" for i in range(count)]
    files[6] = OLD_QUERIES[name]
    with (folder / f"mnist_{name}.csv").open("w", newline="", encoding="utf-8") as csvs:
        table = csv.writer(csvs)
        table.writerow(["img_path", "filename", "label"])
        for i, file in enumerate(files):
            draw_digit(i % 10, seed + i).save(folder / name / file, quality=92)
            table.writerow([f"/data/{OLD_MNIST}/{name}/{file}", file, i % 10])
