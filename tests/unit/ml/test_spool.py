from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageFilter

from thanosql_server.control import Control
from thanosql_server.errors import (
    Cancelled,
    InvalidData,
    ResourceExhausted,
    UndefinedColumn,
)
from thanosql_server.ml.spool import paths_of, spool


def fill(folder, make, count=6):
    for index in range(count):
        make(np.random.default_rng(index)).save(folder / f"{index}.png")
    return [f"{index}.png" for index in range(count)]


def grey_photo(rng):
    noise = Image.fromarray(rng.integers(0, 256, (80, 100), dtype=np.uint8))
    return noise.filter(ImageFilter.GaussianBlur(4))


def colour_photo(rng):
    noise = Image.fromarray(rng.integers(0, 256, (80, 100, 3), dtype=np.uint8))
    return noise.filter(ImageFilter.GaussianBlur(2))


def run(paths, folder, **options):
    return spool(paths, folder.joinpath, folder / "spool", Control(), **options)


def test_pictures_come_back_in_order(tmp_path):
    names = fill(tmp_path, lambda rng: Image.new("L", (20, 20), int(rng.integers(256))))
    pictures = run(names, tmp_path)
    assert pictures.pixels.shape == (6, 3, 20, 20)
    levels = [int(np.random.default_rng(i).integers(256)) for i in range(6)]
    assert pictures.pixels[:, 0, 0, 0].tolist() == levels


def test_the_file_is_mapped_not_read(tmp_path):
    pictures = run(fill(tmp_path, grey_photo), tmp_path)
    assert isinstance(pictures.pixels, np.memmap)
    assert (tmp_path / "spool").stat().st_size == pictures.pixels.size


@pytest.mark.parametrize(
    ("sides", "chosen"),
    [((28, 28), 28), ((29, 50), 32), ((600, 400), 64), ((8, 9), 16)],
)
def test_size_follows_the_pictures_within_limits(tmp_path, sides, chosen):
    names = fill(tmp_path, lambda rng: Image.new("L", sides))
    assert run(names, tmp_path).size == chosen


def test_a_size_asked_for_is_taken(tmp_path):
    names = fill(tmp_path, grey_photo)
    assert run(names, tmp_path, image_size=24).size == 24


def test_drawings_get_the_digit_recipe(drawings, tmp_path):
    pictures = spool(drawings.names, drawings.resolve, tmp_path / "spool", Control())
    assert (pictures.survey.channels, pictures.survey.augmentation) == (1, "digits")


def test_grey_photographs_get_the_grey_recipe(tmp_path):
    survey = run(fill(tmp_path, grey_photo), tmp_path).survey
    assert (survey.channels, survey.augmentation) == (1, "grey")


def test_colour_photographs_get_the_photo_recipe(tmp_path):
    survey = run(fill(tmp_path, colour_photo), tmp_path).survey
    assert (survey.channels, survey.augmentation) == (3, "photo")


def test_grey_stored_as_colour_is_still_grey(tmp_path):
    for index in range(6):
        picture = grey_photo(np.random.default_rng(index)).convert("RGB")
        picture.save(tmp_path / f"{index}.jpg")
    names = [f"{index}.jpg" for index in range(6)]
    assert run(names, tmp_path).survey.channels == 1


def test_unreadable_pictures_and_nulls_are_skipped(tmp_path):
    names = fill(tmp_path, grey_photo, 3)
    (tmp_path / "bad.jpg").write_text("no")
    control = Control()
    pictures = spool(
        [None, "bad.jpg", *names, "none.png"],
        tmp_path.joinpath,
        tmp_path / "spool",
        control,
    )
    assert len(pictures.pixels) == 3
    assert control.warnings == (
        "2 of 5 pictures could not be read and were skipped: 'bad.jpg' (not a "
        "picture), 'none.png' (no such file)",
    )


def test_one_picture_is_too_few(tmp_path):
    names = fill(tmp_path, grey_photo, 1)
    with pytest.raises(InvalidData, match="at least two readable pictures, found 1 of"):
        run([*names, "no.png"], tmp_path)


def test_no_rows_at_all(tmp_path):
    with pytest.raises(InvalidData, match="found 0 of 0"):
        run([], tmp_path)


def test_a_full_disk_says_what_to_do(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    names = fill(tmp_path, grey_photo, 6)
    with pytest.raises(ResourceExhausted, match="no room on the server's disk"):
        spool(names, tmp_path.joinpath, full, Control(), image_size=64)


def test_other_errors_of_the_source_are_not_blamed_on_the_disk(tmp_path):
    names = fill(tmp_path, grey_photo, 2)

    def broken():
        yield from names * 200
        raise OSError("the table is gone")

    with pytest.raises(OSError, match="the table is gone"):
        run(broken(), tmp_path)


def test_cancel_ends_the_reading(tmp_path):
    names = fill(tmp_path, grey_photo)
    control = Control()

    def endless():
        while True:
            yield names[0]
            if control.progress and control.progress.done > 100:
                control.cancel()

    with pytest.raises(Cancelled):
        spool(endless(), tmp_path.joinpath, tmp_path / "spool", control)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    ],
)
def test_paths_of_any_text_type(kind):
    values = pa.array(["a", None, "b"]).cast(kind)
    batches = [pa.record_batch({"p": values}), pa.record_batch({"p": values[:1]})]
    assert list(paths_of(batches, "p")) == ["a", None, "b", "a"]


def test_a_missing_column_names_the_nearest():
    batch = pa.record_batch({"image_path": ["a"], "label": [1]})
    with pytest.raises(UndefinedColumn, match="did you mean 'image_path'"):
        list(paths_of([batch], "image_pth"))


def test_a_column_of_numbers_holds_no_paths():
    with pytest.raises(InvalidData, match="column 'label' holds int64, not paths"):
        list(paths_of([pa.record_batch({"label": [1]})], "label"))
