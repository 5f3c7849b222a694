"""Texts in, embeddings out, in order and in batches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import TextEncoder

TEXT_COLUMNS = ("text", "caption")
"""Where texts are looked for when a statement does not name their column."""
BATCH_SIZE = 256
"""Texts per call of the encoder, which puts those of like length together."""


@dataclass
class EmptyTexts:
    """Counts texts that hold nothing but blanks."""

    seen: int = 0
    count: int = 0

    def warn(self, control: Control, consequence: str) -> None:
        """Give the statement one warning for all of them, if there were any."""
        if self.count:
            control.warn(
                f"{self.count} of {self.seen} texts are empty and {consequence}"
            )


def embed_texts(
    texts: Iterable[str | None],
    encoder: TextEncoder,
    control: Control,
    empty: EmptyTexts,
    *,
    batch_size: int = BATCH_SIZE,
    total: int = 0,
) -> Iterator[pa.Array]:
    """Yield the embeddings of the texts, one array per `batch_size` texts.

    What the model cannot hold is cut off the end of a text, as it was in its training.

    Args:
        texts: taken lazily.
        encoder: what embeds.
        control: checked before each batch and given the progress.
        empty: where texts without a word are counted; its owner gives the warning.
        batch_size: texts per call of the encoder.
        total: number of texts if known, for the progress.

    Yields:
        FixedSizeList<float32, dim> arrays in the order of the texts, NULL where the
        text is NULL or empty.

    Raises:
        Cancelled: the statement was cancelled.
    """
    source, done = iter(texts), 0
    while batch := list(islice(source, batch_size)):
        control.check()
        empty.seen += sum(text is not None for text in batch)
        empty.count += sum(text is not None and not text.strip() for text in batch)
        yield _encoded(batch, encoder)
        done += len(batch)
        control.report("embedding", done, total)


def _encoded(batch: list[str | None], encoder: TextEncoder) -> pa.Array:
    """Return the embeddings of a batch; equal texts are encoded once."""
    places: dict[str, int] = {}
    for text in batch:
        if text is not None and text.strip():
            places.setdefault(text, len(places))
    vectors = np.zeros((len(batch), encoder.dim), dtype=np.float32)
    rows = [places.get(text, -1) if text is not None else -1 for text in batch]
    known = np.array(rows) >= 0
    if places:
        vectors[known] = encoder.encode_texts(list(places))[np.array(rows)[known]]
    return pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), encoder.dim, mask=pa.array(~known)
    )
