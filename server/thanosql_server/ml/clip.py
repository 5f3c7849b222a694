"""CLIP (Radford et al. 2021, arXiv:2103.00020): learn from pictures with captions.

An image tower and a text tower learn to put a picture and its caption in the same
place: of all captions of a batch, each picture is to find its own, and the reverse.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch

from thanosql_server.errors import InvalidStatement, InvalidValue
from thanosql_server.ml.captions import Captions
from thanosql_server.ml.clip_encoder import encode_tokens
from thanosql_server.ml.clip_loss import clip_loss, jitter, normalised, same_text
from thanosql_server.ml.clip_model import Architecture, open_folder, save, small
from thanosql_server.ml.clip_vocabulary import MERGES, learn_merges, packed, read_merges
from thanosql_server.ml.spool import spool
from thanosql_server.ml.training import Leash, adamw, fit, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from numpy.typing import NDArray
    from torch import Tensor

    from thanosql_server.control import Control
    from thanosql_server.ml.clip_options import ClipOptions

METRICS = "metrics.json"
IMAGE_SIZE = 64
LEARNING_RATE, FINE_TUNING_RATE = 2e-3, 5e-5
WEIGHT_DECAY = 0.05
LARGEST_SCALE = math.log(100)
"""Of the logits; the paper clips there, as training becomes unstable beyond."""


def train(
    batches: Iterable[pa.RecordBatch],
    resolve: Callable[[str], Path],
    options: ClipOptions,
    folder: Path,
    control: Control,
) -> dict[str, Any]:
    """Train a model on the pictures and captions of a table, write it into a folder.

    Args:
        batches: rows that hold the columns `options.image_col` and
            `options.text_col`; read once, in order. Rows without either are left out.
        resolve: turns a picture's path as written into a file.
        options: how to train.
        folder: an existing folder; it is left as it was if the training fails. The
            decoded pictures lie there meanwhile: 12 KiB each at 64 pixels.
        control: checked after every step and given the progress.

    Returns:
        What `metrics.json` holds: loss and images/s per epoch, seconds, pictures,
        skipped ones, rows without a caption.

    Raises:
        UndefinedColumn, InvalidData: there is no such column, or too few pairs.
        InvalidStatement, InvalidValue: the model to start from does not suit; or the
            loss ceased to be a number.
        Cancelled: the statement was cancelled; it stops within one step.
    """
    started = time.perf_counter()
    start = None if options.init is None else _model_of(options)
    with tempfile.TemporaryDirectory(prefix="spool-", dir=folder) as name:
        pairs = _read(batches, resolve, options, start, Path(name), control)
        epochs = _fit(pairs, options, control)
    model = pairs.model
    metrics = {
        "epochs": epochs,
        "seconds": round(time.perf_counter() - started, 3),
        "pictures": len(pairs.pixels),
        "skipped": pairs.skipped,
        "without_text": pairs.without_text,
        "image_size": model.size,
        "weights": sum(p.numel() for p in model.network.parameters()),
    }
    if model.merges:
        (folder / MERGES).write_bytes(model.merges)
    written = {k: v for k, v in asdict(options).items() if k != "init_folder"}
    save(folder, model.architecture, model.network, {"options": written})
    (folder / METRICS).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    return metrics


@dataclass(frozen=True)
class _Model:
    """A network that is to be trained, seeing pictures of `size` pixels."""

    architecture: Architecture
    network: Any = field(repr=False)
    size: int
    merges: bytes = field(default=b"", repr=False)


def _model_of(options: ClipOptions) -> _Model:
    """Return the model that `init` names."""
    if options.init_folder is None:
        raise InvalidStatement(f"there is no model '{options.init}' to start from")
    architecture, network = open_folder(options.init_folder)
    # Read now: while the pictures are decoded, the model may be replaced.
    merges = read_merges(options.init_folder) if architecture.merges else b""
    size = architecture.image_size
    if not isinstance(size, int):
        raise InvalidStatement(f"model '{options.init}' does not see square pictures")
    if options.image_size not in (None, size):
        raise InvalidValue(
            f"model '{options.init}' sees {size} pixels, not {options.image_size}; "
            "leave image_size out"
        )
    return _Model(architecture, network, size, merges)


@dataclass(frozen=True)
class _Pairs:
    """Pictures (n, 3, s, s) and the tokens (n, 77) of their captions, on disk."""

    pixels: NDArray[np.uint8] = field(repr=False)
    tokens: NDArray[np.int32] = field(repr=False)
    model: _Model
    skipped: int
    without_text: int

    def epoch(self, seed: list[int], steps: int) -> Iterator[list[Tensor]]:
        """Yield the pairs in random order, dealt evenly; none is left out."""
        order = np.random.default_rng(seed).permutation(len(self.pixels))
        for part in np.array_split(order, steps):
            chosen = np.sort(part)
            yield [
                torch.from_numpy(self.pixels[chosen]),
                torch.from_numpy(self.tokens[chosen].astype(np.int64)),
            ]


def _read(
    batches: Iterable[pa.RecordBatch],
    resolve: Callable[[str], Path],
    options: ClipOptions,
    start: _Model | None,
    scratch: Path,
    control: Control,
) -> _Pairs:
    """Decode all pictures, tokenise their captions and choose the network."""
    size = options.image_size or IMAGE_SIZE if start is None else start.size
    with Captions(scratch / "captions") as captions:
        pictures = spool(
            captions.paths_of(batches, options.image_col, options.text_col),
            resolve,
            scratch / "pixels",
            control,
            image_size=size,
        )
        model = start or _from_scratch(captions, size, options.seed)
        (scratch / MERGES).write_bytes(model.merges)
        tokenizer = model.architecture.tokenizer(scratch)
        tokens = captions.tokens(pictures.kept, tokenizer, scratch / "tokens", control)
    skipped, without = pictures.unreadable.count, captions.without
    return _Pairs(pictures.pixels, tokens, model, skipped, without)


def _from_scratch(captions: Captions, size: int, seed: int) -> _Model:
    """Return a small network whose vocabulary is that of the captions."""
    merges = learn_merges(captions.words)
    architecture = small(size, len(merges))
    with seeded(seed):
        return _Model(architecture, architecture.build(), size, packed(merges))


class _Epochs:
    """What Lightning reads: one pass over the pairs per iteration."""

    def __init__(self, pairs: _Pairs, options: ClipOptions) -> None:
        self._pairs = pairs
        self._seed = options.seed
        self._steps = max(1, len(pairs.pixels) // options.batch_size)
        self._next = 0

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[Tensor]]:
        self._next += 1
        return self._pairs.epoch([self._seed, self._next - 1], self._steps)


class Clip(lightning.LightningModule):
    """Both towers and the loss between pictures and captions."""

    def __init__(self, model: _Model, options: ClipOptions, total_steps: int) -> None:
        super().__init__()
        self.network = model.network
        self.options = options
        self.total_steps = total_steps
        preprocess = model.architecture.preprocess
        self.mean, self.std = preprocess.mean, preprocess.std
        self.rng = torch.Generator()

    def on_fit_start(self) -> None:
        """Seed the views, on the device where they are made."""
        self.rng = torch.Generator(self.device).manual_seed(self.options.seed)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the loss of one batch of pictures (bytes) and tokens."""
        pixels, tokens = batch
        views = jitter(pixels.float() / 255, self.rng)
        views = normalised(views, self.mean, self.std)
        return clip_loss(
            self.network.encode_image(views),
            encode_tokens(self.network, tokens),
            self.network.logit_scale.exp(),
            same_text(tokens),
        )

    def on_train_batch_end(self, *_: Any) -> None:
        """Keep the scale of the logits within its limit."""
        with torch.no_grad():
            self.network.logit_scale.clamp_(0, LARGEST_SCALE)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with warm-up and cosine decay."""
        default = LEARNING_RATE if self.options.init is None else FINE_TUNING_RATE
        peak = self.options.learning_rate or default
        return adamw(self, peak, self.total_steps, WEIGHT_DECAY)


def _fit(
    pairs: _Pairs, options: ClipOptions, control: Control
) -> list[dict[str, float]]:
    """Train the network and return the figures of each epoch."""
    control.check()
    epochs = _Epochs(pairs, options)
    advice = "a smaller learning_rate"
    leash = Leash(options.max_epochs, len(epochs), control, advice)
    module = Clip(pairs.model, options, options.max_epochs * len(epochs))
    fit(module, epochs, leash, options.device, gradient_clip_val=1.0)
    pairs.model.network.cpu().eval()
    return leash.epochs
