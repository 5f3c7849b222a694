"""What the training of every family shares: seed, schedule, progress and cancel."""

from __future__ import annotations

import logging
import math
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lightning
import torch

from thanosql_server.errors import InvalidValue
from thanosql_server.ml.device import device_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lightning.pytorch.utilities.types import (
        LRSchedulerConfigType,
        OptimizerLRSchedulerConfig,
    )
    from torch import Tensor, nn

    from thanosql_server.control import Control

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""

_seed_lock = threading.Lock()


class Leash(lightning.Callback):
    """Ties a training to its statement: progress, cancel, figures per epoch.

    Attributes:
        epochs: loss and images/s of each finished epoch.
    """

    def __init__(
        self, max_epochs: int, steps: int, control: Control, advice: str
    ) -> None:
        self.epochs: list[dict[str, float]] = []
        self.max_epochs = max_epochs
        self._steps = steps
        self._control = control
        self._advice = advice
        self._began = 0.0
        self._losses: list[Tensor] = []
        self._seen = 0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Begin a new line of figures."""
        self._began = time.perf_counter()
        self._losses, self._seen = [], 0

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        """Report the step; raises Cancelled or InvalidValue, which end the training."""
        self._losses.append(outputs["loss"].detach())
        loss = float(self._losses[-1])
        if not math.isfinite(loss):
            raise InvalidValue(
                "the training did not converge (the loss is no longer a number); "
                f"choose {self._advice}"
            )
        self._seen += len(batch if isinstance(batch, torch.Tensor) else batch[0])
        self._control.report(
            "training",
            len(self.epochs) * self._steps + index + 1,
            self.max_epochs * self._steps,
            f"epoch {len(self.epochs) + 1}/{self.max_epochs}, loss {loss:.2f},"
            f" {self._speed():.0f} images/s",
        )

    def on_train_epoch_end(self, *_: Any) -> None:
        """Keep the epoch's figures."""
        loss = float(torch.stack(self._losses).mean())
        figures = {"loss": round(loss, 4), "images_per_second": round(self._speed(), 1)}
        self.epochs.append(figures)

    def _speed(self) -> float:
        """Return pictures per second of this epoch so far."""
        return self._seen / max(1e-9, time.perf_counter() - self._began)


def fit(
    module: lightning.LightningModule,
    epochs: Iterable[Any],
    leash: Leash,
    device: str,
    **limits: Any,
) -> None:
    """Train the module in float32; nothing is logged, printed or kept.

    Args:
        module: what to train.
        epochs: iterated anew for every epoch; has a length, its steps.
        leash: knows the number of epochs.
        device: where, as `placement.Placement.device`.
        limits: further arguments of `lightning.Trainer`.

    Raises:
        InvalidValue: there is no such device.
    """
    place = device_of(device)
    with quiet_lightning():
        trainer = lightning.Trainer(
            max_epochs=leash.max_epochs,
            accelerator="gpu" if place.type == "cuda" else "cpu",
            devices=1 if place.index is None else [place.index],
            callbacks=[leash],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **limits,
        )
        trainer.fit(module, epochs)


def adamw(
    module: nn.Module, learning_rate: float, total_steps: int, weight_decay: float
) -> OptimizerLRSchedulerConfig:
    """Return AdamW with linear warm-up and cosine decay, stepped per batch.

    Biases, norms and other vectors are not decayed.
    """
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate(step, total_steps)
    )
    each_step: LRSchedulerConfigType = {"scheduler": schedule, "interval": "step"}
    return {"optimizer": optimizer, "lr_scheduler": each_step}


def rate(step: int, total_steps: int) -> float:
    """Return the learning rate of a step as a share of its peak."""
    warm = max(1, int(total_steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, total_steps - warm)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator for a moment; initial weights come from it."""
    with _seed_lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's hints about workers and devices away from our users."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        logger.setLevel(before)
