"""What an encoder is: pictures (and for some, text) in, unit vectors out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from thanosql_server.ml.framing import Framing


@runtime_checkable
class Encoder(Protocol):
    """A trained model that turns pictures into embeddings.

    `preprocess` runs in several decode threads at once. `encode_images` may be called
    from any thread; an encoder whose network cannot take that holds a lock of its own.
    """

    @property
    def family(self) -> str:
        """Name of the model family as users write it, such as `SimCLR`."""

    @property
    def base(self) -> str:
        """Suffix of the embedding's column, such as `simclr`."""

    @property
    def dim(self) -> int:
        """Length of an embedding."""

    @property
    def media(self) -> frozenset[str]:
        """What can be encoded: `image`, `text`."""

    @property
    def decode_side(self) -> int:
        """Pixels a picture's shorter side needs when decoded; 0 for all there are."""

    @property
    def framing(self) -> Framing | None:
        """What `preprocess` does to the pixels; None if a `Framing` cannot say it.

        With it, plain JPEGs need not pass through Pillow (see `jpeg.read_jpeg`).
        """

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the picture as the network sees it, (C, H, W); deterministic."""

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return L2-normalised embeddings (n, dim) of preprocessed (n, C, H, W)."""


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder whose text tower shares the space of its image tower."""

    def encode_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Return L2-normalised embeddings (n, dim) of the texts."""


def embedding_type(dim: int) -> pa.DataType:
    """Return the Arrow type of a column of embeddings: FixedSizeList<float32, dim>."""
    return pa.list_(pa.float32(), dim)
