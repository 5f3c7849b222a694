"""A trained SimCLR model as a folder, and as an encoder.

The folder holds `config.json` (what to build) and `weights.safetensors` (the backbone;
the projection head only serves training and is dropped, as the paper does). Nothing in
it can run code when loaded.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from thanosql_server.errors import InvalidData, NotSupported
from thanosql_server.ml.device import Place, unit_vectors
from thanosql_server.ml.device import place as place_of
from thanosql_server.ml.model_folder import CONFIG, WEIGHTS, write_model
from thanosql_server.ml.pixels import to_pixels
from thanosql_server.ml.placement import Placement
from thanosql_server.ml.resnet import ResNet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

MICRO_BATCH = 64
"""Pictures per forward pass; of digits 32 are a third slower, 128 leave the caches."""


@dataclass(frozen=True)
class Architecture:
    """What `config.json` says about the network.

    Attributes:
        backbone: a key of `resnet.BLOCKS`.
        channels: 1 for grey, 3 for colour.
        image_size: side of the input in pixels.
        mean: subtracted from pixels in 0..1.
        std: divides what remains.
    """

    backbone: str
    channels: int
    image_size: int
    mean: float = 0.5
    std: float = 0.5

    def build(self) -> ResNet:
        """Return a backbone with random weights from torch's global generator."""
        network = ResNet(self.backbone, self.channels)
        return network.to(memory_format=torch.channels_last)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return bytes or 0..1 floats (n, c, s, s) as the network's input."""
        unit = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        normal = (unit - self.mean) / self.std
        return normal.contiguous(memory_format=torch.channels_last)


class SimCLREncoder:
    """A SimCLR backbone that embeds pictures; satisfies `encoder.Encoder`."""

    family = "SimCLR"
    base = "simclr"
    media = frozenset({"image"})
    # Trained on pictures decoded at reduced scale, which only Pillow does.
    framing = None

    def __init__(
        self,
        architecture: Architecture,
        network: ResNet,
        threads: int | None = None,
        place: Place | None = None,
    ) -> None:
        self.architecture = architecture
        self.dim = network.dim
        self.decode_side = architecture.image_size
        self._place = place or place_of(Placement())
        device, dtype = self._place.device, self._place.dtype
        self._network = network.to(device=device, dtype=dtype).eval()
        self._lock = threading.Lock()
        self._threads = threads or torch.get_num_threads()

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the middle square of the picture, (C, size, size)."""
        return to_pixels(
            image, self.architecture.image_size, self.architecture.channels
        )

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of preprocessed pictures (n, C, size, size)."""
        # torch keeps this per thread; a thread begun during a training has its number.
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        normal, dtype = self.architecture.normalise, self._place.dtype
        with self._lock, torch.inference_mode():
            features = [
                self._network(normal(part).to(dtype))
                for part in self._place.send(pixels, MICRO_BATCH)
            ]
            return unit_vectors(features, self.dim)


def save(
    folder: Path, architecture: Architecture, network: ResNet, about: dict[str, Any]
) -> None:
    """Write the model into the folder.

    Args:
        folder: an existing folder.
        architecture: what `load` builds.
        network: the trained backbone.
        about: further entries of `config.json`, such as the training's options.
    """
    config = {
        "family": SimCLREncoder.family,
        "base": SimCLREncoder.base,
        "dim": network.dim,
        **asdict(architecture),
        **about,
    }
    write_model(folder, network, config)


def load(
    folder: Path,
    *,
    threads: int | None = None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
) -> SimCLREncoder:
    """Return the encoder stored in the folder.

    Args:
        folder: what `save` has written.
        threads: CPU threads to encode with; None for torch's own choice.
        placement: where it runs and with which numbers.

    Raises:
        InvalidData: the folder does not hold a whole model.
        InvalidValue: there is no such device.
        NotSupported: SimCLR cannot have this precision.
    """
    place = place_of(placement)
    if place.int8:
        raise NotSupported(
            "int8 does not make SimCLR faster, its network consists of convolutions; "
            "choose precision='fp32'"
        )
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        architecture = Architecture(
            **{name: config[name] for name in Architecture.__dataclass_fields__}
        )
        network = architecture.build()
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InvalidData(
            "the model's files are damaged or of another version; build it again"
        ) from error
    return SimCLREncoder(architecture, network, threads, place)
