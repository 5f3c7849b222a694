from __future__ import annotations

import csv
import hashlib
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from thanosql_server.scenes import (
    COLOURS,
    COLUMNS,
    SHAPES,
    Scene,
    Thing,
    draw_scene,
    held_out_scenes,
    training_scenes,
    write_scenes,
)

CIRCLE, SQUARE = Thing("red", "circle", False), Thing("blue", "square", True)


def combination(scene):
    first, second = scene.first, scene.second
    return first.colour, first.shape, scene.place, second.colour, second.shape


def test_a_scene_has_two_captions():
    above = Scene(CIRCLE, "above", SQUARE)
    assert above.caption() == "a red circle above a small blue square"
    assert above.caption(reverse=True) == "a small blue square below a red circle"
    beside = Scene(Thing("orange", "ring", False), "to the left of", SQUARE)
    assert beside.caption() == "an orange ring to the left of a small blue square"
    assert beside.caption(reverse=True).endswith("to the right of an orange ring")


def test_held_out_scenes_are_never_trained_on():
    held = held_out_scenes()
    trained = list(training_scenes(8000))
    assert len(held) == 1000
    assert len({scene.caption() for scene in held}) == 1000
    assert not {combination(s) for s in held} & {combination(s) for s in trained}
    assert len({combination(s) for s in trained}) == 4512 - 1000


def test_scenes_follow_from_the_seed():
    assert held_out_scenes(20) == held_out_scenes()[:20]
    assert held_out_scenes(20) != held_out_scenes(20, seed=1)
    assert list(training_scenes(20)) == list(training_scenes(20))
    assert list(training_scenes(20)) != list(training_scenes(20, seed=1))


def test_a_picture_follows_from_scene_and_seed():
    scene = held_out_scenes(1)[0]
    same = [np.asarray(draw_scene(scene, seed)) for seed in (1, 1, 2)]
    assert same[0].shape == (128, 128, 3)
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


@pytest.mark.parametrize("shape", SHAPES)
def test_things_are_where_the_caption_says(shape):
    for place, axis in (("above", 0), ("to the left of", 1)):
        scene = Scene(Thing("red", shape, False), place, Thing("blue", shape, True))
        for seed in range(5):
            pixels = np.asarray(draw_scene(scene, seed)).astype(int)
            red = np.argwhere(pixels[..., 0] - pixels[..., 2] > 110)
            blue = np.argwhere(pixels[..., 2] - pixels[..., 0] > 110)
            assert red.mean(0)[axis] < blue.mean(0)[axis] - 30
            assert len(red) > 1.5 * len(blue) > 0


def test_every_colour_is_drawn():
    for name, colour in COLOURS.items():
        thing = Thing(name, "square", False)
        pixels = np.asarray(draw_scene(Scene(thing, "above", thing), 0)).astype(int)
        near = np.abs(pixels - colour).max(-1) < 50
        assert near.mean() > 0.05


def test_pictures_and_their_table(tmp_path):
    scenes = list(islice(training_scenes(12), 12))
    write_scenes(tmp_path / "a", "data", "scenes_data", scenes, seed=3)
    with (tmp_path / "a" / "scenes_data.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len({row["photo_id"] for row in rows}) == 12
    for row, scene in zip(rows, scenes, strict=True):
        captions = {row["photo_description"], row["ai_description"]}
        assert captions == {scene.caption(), scene.caption(reverse=True)}
        folder, path = row["image_path"].split("/", 1)
        assert folder == "data"
        with Image.open(tmp_path / "a" / path) as image:
            assert (image.format, image.size) == ("JPEG", (128, 128))
    assert {
        row["photo_description"] == s.caption()
        for row, s in zip(rows, scenes, strict=True)
    } == {True, False}


def test_writing_again_gives_the_same_files(tmp_path):
    def digest(folder):
        write_scenes(folder, "data", "s", training_scenes(5))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    assert digest(tmp_path / "a") == digest(tmp_path / "b")
