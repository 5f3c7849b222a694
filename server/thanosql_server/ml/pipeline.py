"""Paths in, embeddings out, in order: decode threads run ahead of the encoder.

Memory is bounded: at most `2 * batch_size + decode_threads` preprocessed pictures
wait, however many paths there are and however slowly the embeddings are taken.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from thanosql_server.errors import InvalidData, ThanoSQLError
from thanosql_server.ml.media import UnreadableImage, open_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder


@dataclass
class Unreadable:
    """Counts pictures that could not be used and remembers the first few."""

    EXAMPLES = 3

    seen: int = 0
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, path: str, reason: str) -> None:
        """Note one picture and why it could not be used."""
        self.count += 1
        if len(self.examples) < self.EXAMPLES:
            self.examples.append(f"'{path}' ({reason})")

    def warn(self, control: Control, consequence: str) -> None:
        """Give the statement one warning for all of them, if there were any."""
        if not self.count:
            return
        more = ", ..." if self.count > len(self.examples) else ""
        control.warn(
            f"{self.count} of {self.seen} pictures could not be read and "
            f"{consequence}: {', '.join(self.examples)}{more}"
        )


@dataclass(frozen=True)
class Failure:
    """Why one picture has no pixels."""

    path: str
    reason: str


Decoded: TypeAlias = "NDArray[np.uint8] | Failure | None"
"""Pixels, or why there are none, or None where the path is NULL."""


def embed_paths(
    paths: Iterable[str | None],
    resolve: Callable[[str], Path],
    encoder: Encoder,
    control: Control,
    *,
    batch_size: int = 32,
    decode_threads: int = 2,
    fail_on_error: bool = False,
    total: int = 0,
    unreadable: Unreadable | None = None,
) -> Iterator[pa.Array]:
    """Yield the embeddings of the pictures, one array per `batch_size` paths.

    Args:
        paths: as their user wrote them; taken lazily, a few ahead of the encoder.
        resolve: turns such a text into a file; its ThanoSQLErrors count as unreadable.
        encoder: what embeds.
        control: checked before each micro-batch and given the progress.
        batch_size: pictures per call of the encoder.
        decode_threads: threads that read and decode.
        fail_on_error: stop at the first unreadable picture.
        total: number of paths if known, for the progress.
        unreadable: where to count; given, its owner also gives the warning (for a
            statement that makes several calls). By default this call warns once.

    Yields:
        FixedSizeList<float32, dim> arrays in the order of the paths, NULL where the
        path is NULL or the picture unreadable.

    Raises:
        InvalidData: a picture is unreadable and `fail_on_error` is set.
        Cancelled: the statement was cancelled.
    """
    counted = Unreadable() if unreadable is None else unreadable
    done = 0
    pictures = decode_batches(
        paths,
        resolve,
        encoder.preprocess,
        control,
        batch_size=batch_size,
        threads=decode_threads,
        decode_side=encoder.decode_side,
    )
    try:
        with closing(pictures):
            for batch in pictures:
                _count(batch, counted, fail_on_error=fail_on_error)
                yield _encode(batch, encoder)
                done += len(batch)
                control.report("embedding", done, total)
    finally:
        if unreadable is None:
            counted.warn(control, "have no embedding")


def decode_batches(
    paths: Iterable[str | None],
    resolve: Callable[[str], Path],
    preprocess: Callable[[Image.Image], NDArray[np.uint8]],
    control: Control,
    *,
    batch_size: int,
    threads: int,
    decode_side: int = 0,
) -> Generator[list[Decoded], None, None]:
    """Yield the decoded pictures in order, `batch_size` at a time, a few ahead.

    The arguments are those of `embed_paths`. Closing the iterator waits for at most
    one picture per thread.
    """

    def decode(path: str | None) -> Decoded:
        return _decode(path, resolve, preprocess, decode_side)

    source = iter(paths)
    ahead: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            room = 2 * batch_size + threads - len(ahead)
            ahead.extend(pool.submit(decode, path) for path in islice(source, room))
            if not ahead:
                return
            taken = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
            control.check()
            yield [picture.result() for picture in taken]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decode(
    path: str | None,
    resolve: Callable[[str], Path],
    preprocess: Callable[[Image.Image], NDArray[np.uint8]],
    decode_side: int,
) -> Decoded:
    """Read, decode and preprocess one picture; runs in a decode thread."""
    if path is None:
        return None
    try:
        image = open_image(resolve(path), decode_side=decode_side)
    except UnreadableImage as error:
        return Failure(path, error.reason)
    except ThanoSQLError as error:
        return Failure(path, error.message)
    return preprocess(image)


def _count(
    batch: list[Decoded], unreadable: Unreadable, *, fail_on_error: bool
) -> None:
    """Count the failures of a batch, or raise the first of them."""
    for picture in batch:
        if picture is None:
            continue
        unreadable.seen += 1
        if isinstance(picture, Failure):
            if fail_on_error:
                raise InvalidData(
                    f"picture '{picture.path}' cannot be read ({picture.reason})"
                )
            unreadable.add(picture.path, picture.reason)


def _encode(batch: list[Decoded], encoder: Encoder) -> pa.Array:
    """Return the embeddings of a decoded batch, NULL where there are no pixels."""
    pixels = [picture for picture in batch if isinstance(picture, np.ndarray)]
    missing = np.array([not isinstance(picture, np.ndarray) for picture in batch])
    vectors = np.zeros((len(batch), encoder.dim), dtype=np.float32)
    if pixels:
        vectors[~missing] = encoder.encode_images(np.stack(pixels))
    return pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), encoder.dim, mask=pa.array(missing)
    )
