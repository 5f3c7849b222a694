"""A CLIP model as an encoder: pictures and texts in, unit vectors of one space out."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from open_clip.model import CLIP
from open_clip.transform import image_transform
from open_clip.transformer import text_global_pool
from torch import nn

from thanosql_server.errors import InvalidData
from thanosql_server.ml.clip_model import BASE, FAMILY, Architecture, open_folder
from thanosql_server.ml.device import Place, unit_vectors
from thanosql_server.ml.device import place as place_of
from thanosql_server.ml.framing import Framing
from thanosql_server.ml.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from open_clip.tokenizer import SimpleTokenizer
    from PIL import Image
    from torch import Tensor

    from thanosql_server.ml.int8_tower import Int8Tower

Network: TypeAlias = Any
"""One of open_clip's networks, which have no type information."""
MAX_CHARACTERS = 8000
"""Of a text; far more than the tokens that are kept can hold."""
WORDS_KEPT = 100_000
"""Words whose tokens are remembered."""


class ClipEncoder:
    """A CLIP network that embeds pictures and texts; satisfies `TextEncoder`."""

    family = FAMILY
    base = BASE
    media = frozenset({"image", "text"})
    # open_clip's own preprocessing reads all pixels; reduced decoding is not the same.
    decode_side = 0

    def __init__(
        self,
        architecture: Architecture,
        network: Network,
        tokenizer: SimpleTokenizer,
        threads: int | None = None,
        place: Place | None = None,
        int8: Int8Tower | None = None,
    ) -> None:
        self.architecture = architecture
        self.dim = architecture.dim
        self._place = place or place_of(Placement())
        self._int8 = int8
        device, dtype = self._place.device, self._place.dtype
        self._network = network.to(device=device, dtype=dtype).eval()
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._threads = threads or torch.get_num_threads()
        preprocess = architecture.preprocess
        self.framing = Framing.of(
            architecture.image_size, preprocess.resize_mode, preprocess.interpolation
        )
        transform = image_transform(
            architecture.image_size,
            is_train=False,
            mean=preprocess.mean,
            std=preprocess.std,
            resize_mode=preprocess.resize_mode,
            interpolation=preprocess.interpolation,
        )
        # Without ToTensor and Normalize, which are done to whole batches.
        self._to_square = transform.transforms[:-2]
        std = torch.tensor(preprocess.std, device=device)[:, None, None]
        mean = torch.tensor(preprocess.mean, device=device)[:, None, None]
        self._scale, self._shift = 1 / (255 * std), -mean / std

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the picture resized and cut as open_clip does, (3, height, width)."""
        if self.framing is not None:
            return self.framing.apply(np.asarray(image.convert("RGB")))
        for step in self._to_square:
            image = step(image)
        return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of preprocessed pictures (n, 3, h, w)."""
        with self._ready():
            if self._int8 is not None:
                return self._int8.encode(pixels)
            features = [
                self._network.encode_image(self._normal(part))
                for part in self._place.send(pixels)
            ]
            return unit_vectors(features, self.dim)

    def encode_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of the texts; overlong ones are cut."""
        tokens = self.tokenize(texts)
        # Texts of like length together: each batch is as long as its longest.
        order = np.argsort(lengths(tokens), kind="stable")
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        size = self._place.micro_batch
        with self._ready():
            features = [
                encode_tokens(self._network, batch.to(self._place.device))
                for batch in torch.split(tokens[torch.from_numpy(order)], size)
            ]
            vectors[order] = unit_vectors(features, self.dim)
        return vectors

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return the tokens (n, context length), zeros after the end."""
        cut = [" ".join(text.split())[:MAX_CHARACTERS] for text in texts]
        with self._lock:  # the tokenizer remembers words, without a lock of its own
            tokens: Tensor = self._tokenizer(cut)
            _forget(self._tokenizer)
        return tokens

    def _normal(self, pixels: Tensor) -> Tensor:
        """Return bytes as the network's normalised input."""
        normal = torch.addcmul(self._shift, pixels.float(), self._scale)
        return normal.to(self._place.dtype)

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Hold the network, without gradients, with the threads it is to have."""
        # torch keeps this per thread; a thread begun during a training has its number.
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with self._lock, torch.inference_mode():
            yield


def lengths(tokens: Tensor) -> NDArray[np.int64]:
    """Return how many tokens each row holds up to the end of its text, which is last.

    The end has the highest number of all, as in OpenAI's vocabulary.
    """
    found: NDArray[np.int64] = (tokens.argmax(dim=1) + 1).cpu().numpy()
    return found


def encode_tokens(network: Network, tokens: Tensor) -> Tensor:
    """Return the features (n, dim) of tokenised texts, at their own length.

    What stands after the end of a text cannot be seen from it (causal mask), so the
    positions that no text of the batch uses are left out: the same result as at all
    77, and 3 to 15 times as fast.
    """
    if not _can_cut(network):
        whole: Tensor = network.encode_text(tokens)
        return whole
    longest = int(lengths(tokens).max(initial=1))
    tokens = tokens[:, :longest]
    x = network.token_embedding(tokens) + network.positional_embedding[:longest]
    x = network.transformer(x, attn_mask=network.attn_mask[:longest, :longest])
    x = network.ln_final(x)
    x = text_global_pool(x, tokens, network.text_pool_type, network.text_eos_id)
    projection = network.text_projection
    if projection is not None:
        x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
    features: Tensor = x
    return features


def _can_cut(network: Network) -> bool:
    """Whether a text's vector is read at its end, behind which nothing is seen."""
    return (
        isinstance(network, CLIP)
        and network.attn_mask is not None
        and network.text_pool_type == "argmax"
        and len(network.positional_embedding) == network.context_length
    )


def _forget(tokenizer: SimpleTokenizer) -> None:
    """Keep the tokenizer's memory of words bounded."""
    if len(tokenizer.cache) > WORDS_KEPT:
        special = {token: token for token in list(tokenizer.cache)[:2]}
        tokenizer.cache = special


def load(
    folder: Path,
    *,
    threads: int | None = None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
) -> ClipEncoder:
    """Return the encoder stored in the folder.

    Args:
        folder: what `clip_model.save` has written, or the hub.
        threads: CPU threads to encode with; None for torch's own choice.
        placement: where it runs and with which numbers.

    Raises:
        InvalidData: the folder does not hold a whole model.
        InvalidValue: there is no such device.
        NotSupported: the model needs something that is not open_clip's own, or it
            cannot have this precision.
    """
    place = place_of(placement)
    architecture, network = open_folder(folder)
    try:
        tokenizer = architecture.tokenizer(folder)
    except (OSError, EOFError, ValueError) as error:
        raise InvalidData(
            "the model's vocabulary is damaged or missing; build or get it again"
        ) from error
    int8 = _int8_tower(folder, architecture, network, threads) if place.int8 else None
    return ClipEncoder(architecture, network, tokenizer, threads, place, int8)


def _int8_tower(
    folder: Path, architecture: Architecture, network: Network, threads: int | None
) -> Int8Tower:
    """Return the image tower in whole numbers; the exact one is dropped."""
    from thanosql_server.ml.int8_tower import open_tower  # of the extra `int8`

    network.requires_grad_(False)
    tower = open_tower(
        folder, architecture, network, threads or torch.get_num_threads()
    )
    network.visual = None
    return tower
