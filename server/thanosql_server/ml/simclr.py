"""SimCLR (Chen et al. 2020, arXiv:2002.05709): learn from pictures without labels.

Two random views of each picture pass through a backbone and a small projection head;
NT-Xent pulls the two together and pushes all others away. What is kept is the
backbone, whose features are the embeddings.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import nn

from thanosql_server.ml import augment
from thanosql_server.ml.nt_xent import nt_xent
from thanosql_server.ml.placement import AUTO
from thanosql_server.ml.simclr_encoder import Architecture, save
from thanosql_server.ml.spool import Spool, paths_of, spool
from thanosql_server.ml.training import Leash, adamw, fit, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    from thanosql_server.control import Control
    from thanosql_server.ml.resnet import ResNet
    from thanosql_server.ml.simclr_options import SimCLROptions

METRICS = "metrics.json"
WEIGHT_DECAY = 1e-4
SMALL = 32
"""Side in pixels up to which more than one CPU thread does not pay."""


def train(
    batches: Iterable[pa.RecordBatch],
    resolve: Callable[[str], Path],
    options: SimCLROptions,
    folder: Path,
    control: Control,
) -> dict[str, Any]:
    """Train a model on the pictures of a table and write it into a folder.

    Args:
        batches: rows that hold the column `options.image_col`; read once, in order.
        resolve: turns a picture's path as written into a file.
        options: how to train.
        folder: an existing folder; it is left as it was if the training fails. The
            decoded pictures lie there meanwhile: 12 KiB each at 64 pixels.
        control: checked after every step and given the progress.

    Returns:
        What `metrics.json` holds: loss and images/s per epoch, seconds, pictures,
        skipped.

    Raises:
        UndefinedColumn, InvalidData: there is no such column, or too few pictures.
        InvalidValue: the loss ceased to be a number.
        Cancelled: the statement was cancelled; it stops within one step.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="spool-", dir=folder) as scratch:
        pictures = spool(
            paths_of(batches, options.image_col),
            resolve,
            Path(scratch) / "pixels",
            control,
            image_size=options.image_size,
        )
        task = _Task.of(pictures, options)
        network, epochs = _fit(task, control)
    metrics = {
        "epochs": epochs,
        "seconds": round(time.perf_counter() - started, 3),
        "pictures": len(pictures.pixels),
        "skipped": pictures.unreadable.count,
        "augmentation": task.augmentation,
        "image_size": pictures.size,
    }
    about = {"augmentation": task.augmentation, "options": asdict(options)}
    save(folder, task.architecture, network, about)
    (folder / METRICS).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    return metrics


@dataclass(frozen=True)
class _Task:
    """The options with everything decided that was left open."""

    options: SimCLROptions
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = field(repr=False)
    architecture: Architecture
    augmentation: str

    @classmethod
    def of(cls, pictures: Spool, options: SimCLROptions) -> _Task:
        """Decide by the pictures what the options leave open."""
        survey, chosen = pictures.survey, options.augmentation
        return cls(
            options,
            pictures.pixels,
            Architecture(options.backbone, survey.channels, pictures.size),
            survey.augmentation if chosen == AUTO else chosen,
        )

    @property
    def steps(self) -> int:
        """Steps per epoch: pictures are dealt evenly, none is left out."""
        return max(1, len(self.pixels) // self.options.batch_size)

    def epoch(self, number: int) -> Iterator[Tensor]:
        """Yield the pictures in random order, bytes (about batch_size, c, s, s)."""
        rng = np.random.default_rng([self.options.seed, number])
        order = rng.permutation(len(self.pixels))
        for part in np.array_split(order, self.steps):
            chosen = self.pixels[np.sort(part), : self.architecture.channels]
            yield torch.from_numpy(chosen)


class _Epochs:
    """What Lightning reads: one pass over the pictures per iteration."""

    def __init__(self, task: _Task) -> None:
        self._task = task
        self._next = 0

    def __len__(self) -> int:
        return self._task.steps

    def __iter__(self) -> Iterator[Tensor]:
        self._next += 1
        return self._task.epoch(self._next - 1)


class SimCLR(lightning.LightningModule):
    """Backbone, projection head and the loss between two views."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self.task = task
        self.total_steps = task.options.max_epochs * task.steps
        self.augment = augment.BY_NAME[task.augmentation]
        with seeded(task.options.seed):
            self.backbone = task.architecture.build()
            self.head = _projection_head(self.backbone.dim)
        self.rng = torch.Generator()

    def on_fit_start(self) -> None:
        """Seed the views, on the device where they are made."""
        self.rng = torch.Generator(self.device).manual_seed(self.task.options.seed)

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        """Return the loss of one batch of pictures (bytes)."""
        pictures = batch.float() / 255
        with torch.no_grad():
            views = self.augment(torch.cat([pictures, pictures]), self.rng)
            views = self.task.architecture.normalise(views)
        first, second = self.head(self.backbone(views)).chunk(2)
        return nt_xent(first, second, self.task.options.temperature)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with linear warm-up and cosine decay, stepped per batch."""
        peak = self.task.options.learning_rate
        return adamw(self, peak, self.total_steps, WEIGHT_DECAY)


def _projection_head(dim: int, hidden: int = 512, out: int = 128) -> nn.Module:
    """Return the two layers that the loss sees and inference does not."""
    return nn.Sequential(
        nn.Linear(dim, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out, bias=False),
        nn.BatchNorm1d(out),
    )


def _fit(task: _Task, control: Control) -> tuple[ResNet, list[dict[str, float]]]:
    """Train, and return the backbone with the figures of each epoch."""
    control.check()
    module, advice = SimCLR(task), "a smaller learning_rate or a larger temperature"
    leash = Leash(task.options.max_epochs, task.steps, control, advice)
    with _threads_for(task.architecture.image_size):
        fit(module, _Epochs(task), leash, task.options.device)
    return module.backbone, leash.epochs


@contextmanager
def _threads_for(image_size: int) -> Iterator[None]:
    """Train on small pictures with one CPU thread.

    A step on 28 pixels takes 60 ms with one thread. Two that sleep while they wait
    take 50 ms on idle cores and 85 ms beside other work; see `ml/__init__.py`.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if image_size <= SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
