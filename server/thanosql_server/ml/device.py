"""The device and the numbers of an encoder, and pictures on their way there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from thanosql_server.errors import InvalidData, InvalidValue, NotSupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from thanosql_server.ml.placement import Placement

MICRO_BATCH = {"cpu": 32, "cuda": 512}
"""Inputs per forward pass; ViT-B/32 on two cores: 29 images/s with 32, 22 with 128."""

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Place:
    """A placement that this machine has.

    Attributes:
        device: where the network is.
        dtype: of its weights.
        int8: whether the image tower is to run on whole numbers.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    int8: bool = False

    @property
    def micro_batch(self) -> int:
        """Pictures per forward pass that suit the device."""
        return MICRO_BATCH[self.device.type]

    def send(self, pixels: NDArray[np.uint8], at_least: int = 1) -> Iterator[Tensor]:
        """Yield bytes (n, c, h, w) as micro-batches on the device.

        They hold `micro_batch` pictures, or `at_least` so many.

        To a GPU they go as bytes, from page-locked memory and on a stream of their own:
        while the network works on one micro-batch, the next is copied.
        """
        size = max(self.micro_batch, at_least)
        if not pixels.flags.writeable:  # torch has no tensors that cannot be written
            pixels = pixels.copy()
        parts = (
            torch.from_numpy(pixels[start : start + size])
            for start in range(0, len(pixels), size)
        )
        return parts if self.device.type == "cpu" else _copied(parts, self.device)


def place(placement: Placement) -> Place:
    """Return the device and the type of the weights that a placement means here.

    Raises:
        InvalidValue: there is no such GPU.
        NotSupported: the GPU has no bf16 of its own.
    """
    if placement.precision == "int8":
        return Place(device_of("cpu"), int8=True)
    device = device_of(placement.device)
    if placement.precision == "auto":
        half = device.type == "cuda"
        return Place(device, torch.float16 if half else torch.float32)
    dtype = _DTYPES[placement.precision]
    if dtype == torch.bfloat16 and device.type == "cuda":
        with torch.cuda.device(device):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                raise NotSupported(
                    "this GPU does not compute in bf16; choose precision='fp16'"
                )
    return Place(device, dtype)


def device_of(name: str) -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda` or `cuda:N` means here.

    Raises:
        InvalidValue: there is no such GPU.
    """
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not seen):
        return torch.device("cpu")
    device = torch.device("cuda" if name == "auto" else name)
    if not seen:
        raise InvalidValue(
            f"device '{name}' cannot be used, torch sees no GPU on the server; choose "
            "'cpu' or 'auto'"
        )
    index = device.index or 0
    if index >= seen:
        raise InvalidValue(
            f"device '{name}' is not there, torch sees {seen} on the server; the last "
            f"is 'cuda:{seen - 1}'"
        )
    return torch.device("cuda", index)


def unit_vectors(features: list[Tensor], dim: int) -> NDArray[np.float32]:
    """Return the rows of all parts (n, dim) with length 1.

    Raises:
        InvalidData: half precision cannot hold the network's numbers.
    """
    if not features:
        return np.empty((0, dim), dtype=np.float32)
    whole = torch.cat(features)
    if whole.dtype != torch.float32 and not bool(whole.isfinite().all()):
        raise InvalidData(
            "the model's numbers are too large for half precision; choose "
            "precision='fp32'"
        )
    vectors: NDArray[np.float32] = F.normalize(whole.float(), dim=-1).cpu().numpy()
    return vectors


def _copied(parts: Iterator[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Yield the parts on the GPU, the next one under way when one is taken."""
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def begin(part: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        locked = part.pin_memory()
        with torch.cuda.stream(stream):
            copy = locked.to(device, non_blocking=True)
            return copy, stream.record_event()

    begun = map(begin, parts)
    ahead = next(begun, None)
    while ahead is not None:
        (copy, done), ahead = ahead, next(begun, None)
        current = torch.cuda.current_stream(device)
        current.wait_event(done)
        copy.record_stream(
            current
        )  # its memory is not reused before this stream is done
        yield copy
