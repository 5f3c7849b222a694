"""The OPTIONS of `BUILD MODEL ... USING CLIP`, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from thanosql_server.ml.placement import AUTO, device_option

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql_server.ml.option_reader import OptionReader

STRIDE = 32
"""The image tower halves a picture five times."""


@dataclass(frozen=True)
class ClipOptions:
    """How to train; the defaults are those of `benchmarks/clip_scenes.py`'s bars.

    Attributes:
        image_col: column with the pictures' paths.
        text_col: column with the captions.
        max_epochs: passes over the pairs.
        batch_size: pairs per step; each caption is told from all others of its batch.
        learning_rate: peak of the schedule (AdamW); None for 2e-3 from scratch and
            5e-5 with `init`.
        image_size: side in pixels that pictures are scaled to, a multiple of STRIDE;
            None for 64, or with `init` for that model's own.
        seed: two runs with the same seed on one machine give the same model.
        init: name of the model to start from; None to start from scratch.
        init_folder: where that model is (the caller looks it up).
        device: where to train, as `ml.placement.Placement.device`.
        overwrite: replace a model of the same name (the caller's business).
    """

    image_col: str = "image_path"
    text_col: str = "caption"
    max_epochs: int = 30
    batch_size: int = 128
    learning_rate: float | None = None
    image_size: int | None = None
    seed: int = 0
    init: str | None = None
    init_folder: Path | None = None
    device: str = AUTO
    overwrite: bool = False

    @classmethod
    def parse(cls, options: OptionReader) -> ClipOptions:
        """Return the options of a statement with the defaults filled in.

        Raises:
            InvalidValue: a value is of the wrong kind or out of its range.
            UndefinedObject: there is no such option.
        """
        default = cls()
        known = [f.name for f in fields(cls) if f.name != "init_folder"]
        options.require_known(known, "CLIP")
        return cls(
            image_col=options.text("image_col", default.image_col),
            text_col=options.text("text_col", default.text_col),
            max_epochs=options.integer("max_epochs", default.max_epochs, minimum=1),
            batch_size=options.integer(
                "batch_size", default.batch_size, minimum=2, maximum=8192
            ),
            learning_rate=_learning_rate(options),
            image_size=_image_size(options),
            seed=options.integer("seed", default.seed, minimum=0, maximum=2**32 - 1),
            init=options.text("init", "") or None,
            device=device_option(options),
            overwrite=options.flag("overwrite", default.overwrite),
        )


def _learning_rate(options: OptionReader) -> float | None:
    """Return the peak of the schedule, None if the option is not there."""
    if options.get("learning_rate") is None:
        return None
    return options.number("learning_rate", 0.0, minimum=1e-7)


def _image_size(options: OptionReader) -> int | None:
    """Return the side in pixels, None if the option is not there."""
    if options.get("image_size") is None:
        return None
    size = options.integer("image_size", 64, minimum=STRIDE, maximum=512)
    if size % STRIDE:
        raise options.invalid("image_size", f"a multiple of {STRIDE}")
    return size
