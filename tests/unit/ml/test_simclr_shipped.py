"""The SimCLR that the server carries; `benchmarks/simclr_digits.py --train` made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import thanosql_server
from thanosql_server.digits import draw_digit
from thanosql_server.ml.simclr_encoder import load

FOLDER = Path(thanosql_server.__file__).parent / "tutorial_search_simclr"


def test_digits_that_no_training_has_seen_are_near_their_like():
    encoder = load(FOLDER)
    drawn = [draw_digit(n % 10, 4_000_000 + n) for n in range(100)]
    vectors = encoder.encode_images(np.stack([encoder.preprocess(d) for d in drawn]))
    among = vectors @ vectors.T
    np.fill_diagonal(among, -2)
    assert (among.argmax(1) % 10 == np.arange(100) % 10).mean() > 0.95


def test_the_folder_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 2_600_000
