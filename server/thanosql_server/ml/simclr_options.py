"""The OPTIONS of `BUILD MODEL ... USING SimCLR`, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from thanosql_server.ml.placement import AUTO, device_option

if TYPE_CHECKING:
    from thanosql_server.ml.option_reader import OptionReader

AUGMENTATIONS = ("digits", "grey", "photo", "none")
BACKBONES = ("resnet8", "resnet10", "resnet18")


@dataclass(frozen=True)
class SimCLROptions:
    """How to train; the defaults are those of `benchmarks/simclr_mnist.py`'s bars.

    Attributes:
        image_col: column with the pictures' paths.
        max_epochs: passes over the pictures.
        batch_size: pictures per step, each seen in two views.
        learning_rate: peak of the schedule (AdamW).
        temperature: of NT-Xent.
        augmentation: one of AUGMENTATIONS, or `auto` to judge by the pictures.
        backbone: one of BACKBONES.
        image_size: side in pixels that pictures are scaled to; None to judge.
        seed: two runs with the same seed on one machine give the same model.
        device: where to train, as `ml.placement.Placement.device`.
        overwrite: replace a model of the same name (the caller's business).
    """

    image_col: str = "image_path"
    max_epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    temperature: float = 0.2
    augmentation: str = AUTO
    backbone: str = "resnet8"
    image_size: int | None = None
    seed: int = 0
    device: str = AUTO
    overwrite: bool = False

    @classmethod
    def parse(cls, options: OptionReader) -> SimCLROptions:
        """Return the options of a statement with the defaults filled in.

        Raises:
            InvalidValue: a value is of the wrong kind or out of its range.
            UndefinedObject: there is no such option.
        """
        default = cls()
        options.require_known([f.name for f in fields(cls)], "SimCLR")
        return cls(
            image_col=options.text("image_col", default.image_col),
            max_epochs=options.integer("max_epochs", default.max_epochs, minimum=1),
            batch_size=options.integer(
                "batch_size", default.batch_size, minimum=2, maximum=8192
            ),
            learning_rate=options.number(
                "learning_rate", default.learning_rate, minimum=1e-6
            ),
            temperature=options.number(
                "temperature", default.temperature, minimum=0.01
            ),
            augmentation=_choice(options, "augmentation", (AUTO, *AUGMENTATIONS)),
            backbone=_choice(options, "backbone", BACKBONES, default.backbone),
            image_size=_image_size(options),
            seed=options.integer("seed", default.seed, minimum=0, maximum=2**32 - 1),
            device=device_option(options),
            overwrite=options.flag("overwrite", default.overwrite),
        )


def _choice(
    options: OptionReader, name: str, known: tuple[str, ...], default: str = AUTO
) -> str:
    """Return an option that names one of a few things, in any case."""
    chosen = options.text(name, default).lower()
    if chosen not in known:
        raise options.invalid(name, f"one of {', '.join(known)}")
    return chosen


def _image_size(options: OptionReader) -> int | None:
    """Return the side in pixels, None for `auto`."""
    value = options.get("image_size")
    if value is None or (isinstance(value, str) and value.lower() == AUTO):
        return None
    if isinstance(value, str):
        raise options.invalid("image_size", "'auto' or a whole number from 16 to 512")
    return options.integer("image_size", 32, minimum=16, maximum=512)
