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
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from thanosql_server.errors import InvalidData
from thanosql_server.ml.clip_model import BASE, FAMILY, Architecture, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from open_clip.tokenizer import SimpleTokenizer
    from PIL import Image
    from torch import Tensor

Network: TypeAlias = Any
"""One of open_clip's networks, which have no type information."""
MICRO_BATCH = 32
"""Inputs per forward pass; ViT-B/32 on two cores: 29 images/s, 22 with 128."""
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
    ) -> None:
        self.architecture = architecture
        self.dim = architecture.dim
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device).eval()
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._threads = threads or torch.get_num_threads()
        preprocess = architecture.preprocess
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
        self._mean = torch.tensor(preprocess.mean, device=self._device)[:, None, None]
        self._std = torch.tensor(preprocess.std, device=self._device)[:, None, None]

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the picture resized and cut as open_clip does, (3, height, width)."""
        for step in self._to_square:
            image = step(image)
        return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of preprocessed pictures (n, 3, h, w)."""
        vectors = np.empty((len(pixels), self.dim), dtype=np.float32)
        with self._ready():
            for start in range(0, len(pixels), MICRO_BATCH):
                part = slice(start, start + MICRO_BATCH)
                features = self._network.encode_image(self._inputs(pixels[part]))
                vectors[part] = _unit(features)
        return vectors

    def encode_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of the texts; overlong ones are cut."""
        tokens = self.tokenize(texts)
        # Texts of like length together: each batch is as long as its longest.
        order = np.argsort(lengths(tokens), kind="stable")
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        with self._ready():
            for start in range(0, len(texts), MICRO_BATCH):
                part = order[start : start + MICRO_BATCH]
                batch = tokens[torch.from_numpy(part)].to(self._device)
                vectors[part] = _unit(encode_tokens(self._network, batch))
        return vectors

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return the tokens (n, context length), zeros after the end."""
        cut = [" ".join(text.split())[:MAX_CHARACTERS] for text in texts]
        with self._lock:  # the tokenizer remembers words, without a lock of its own
            tokens: Tensor = self._tokenizer(cut)
            _forget(self._tokenizer)
        return tokens

    def _inputs(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return bytes as the network's normalised input."""
        given = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device)
        return (given.float() / 255 - self._mean) / self._std

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


def _unit(features: Tensor) -> NDArray[np.float32]:
    """Return the rows with length 1."""
    unit: NDArray[np.float32] = F.normalize(features.float(), dim=-1).cpu().numpy()
    return unit


def load(folder: Path, *, threads: int | None = None) -> ClipEncoder:
    """Return the encoder stored in the folder.

    Args:
        folder: what `clip_model.save` has written, or the hub.
        threads: CPU threads to encode with; None for torch's own choice.

    Raises:
        InvalidData: the folder does not hold a whole model.
        NotSupported: the model needs something that is not open_clip's own.
    """
    architecture, network = open_folder(folder)
    try:
        tokenizer = architecture.tokenizer(folder)
    except (OSError, EOFError, ValueError) as error:
        raise InvalidData(
            "the model's vocabulary is damaged or missing; build or get it again"
        ) from error
    return ClipEncoder(architecture, network, tokenizer, threads)
