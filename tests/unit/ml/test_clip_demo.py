"""The model that the server carries; `benchmarks/clip_scenes.py --train` made it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import thanosql_server
from thanosql_server.ml.clip_encoder import load
from thanosql_server.scenes import draw_scene, held_out_scenes

FOLDER = Path(thanosql_server.__file__).parent / "demo_clip"


def test_text_finds_scenes_that_no_training_has_seen():
    scenes = held_out_scenes(60, seed=5)
    encoder = load(FOLDER)
    pixels = [encoder.preprocess(draw_scene(s, 7 + i)) for i, s in enumerate(scenes)]
    images = encoder.encode_images(np.stack(pixels))
    for reverse in (False, True):
        texts = [scene.caption(reverse=reverse) for scene in scenes]
        found = (encoder.encode_texts(texts) @ images.T).argmax(1)
        assert (found == np.arange(60)).mean() > 0.9


def test_the_folder_is_a_small_model():
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert (config["family"], config["base"], config["dim"]) == ("CLIP", "clipen", 128)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 8_000_000
