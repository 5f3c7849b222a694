"""Paths in, embeddings out, in order: reading, encoding and storing at the same time.

Threads read and decode, one thread feeds the encoder, and whoever takes the embeddings
stores them, each working while the others do. Memory is bounded: at most
`AHEAD * batch_size + decode_threads` pictures are under way, however many paths there
are and however slowly the embeddings are taken.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from thanosql_server.errors import Cancelled
from thanosql_server.ml.decoding import Decoded, DecodeStage, Unreadable, read_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder

__all__ = ["Unreadable", "embed_paths", "with_embeddings"]

AHEAD = 3
"""Batches under way: one at the encoder, one that waits for it, one being decoded."""
ENCODED_AT_ONCE = 256
"""Pictures after which the encoder's thread looks whether it shall stop."""
POLL_SECONDS = 0.05

Batch: TypeAlias = "tuple[list[Decoded], pa.Array]"
"""Decoded pictures and their embeddings."""


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
        control: checked while waiting for the encoder and given the progress.
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
    stage = DecodeStage(
        paths, resolve, lambda path: read_pixels(path, encoder), decode_threads
    )
    room = AHEAD * batch_size + decode_threads
    try:
        with closing(_encoded(stage, encoder, control, batch_size, room)) as batches:
            for pictures, embeddings in batches:
                counted.add_batch(pictures, fail_on_error=fail_on_error)
                del pictures  # whoever stores the embeddings may take long
                yield embeddings
                done += len(embeddings)
                control.report("embedding", done, total)
    finally:
        if unreadable is None:
            counted.warn(control, "have no embedding")


def with_embeddings(
    batches: Iterable[pa.RecordBatch],
    column: str,
    embed: Callable[[Iterable[str | None]], Iterable[pa.Array]],
) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    """Yield the batches with the embeddings of their pictures.

    The encoder's batches are filled across the borders of these batches, and it does
    not wait at them.

    Args:
        batches: taken lazily, a few ahead; empty ones are left out.
        column: name of the column of paths.
        embed: `embed_paths` with all but its first argument.
    """
    waiting: deque[pa.RecordBatch] = deque()
    parts: list[pa.Array] = []

    def paths() -> Iterator[str | None]:
        for batch in batches:
            waiting.append(batch)
            yield from batch.column(column).to_pylist()

    for array in embed(paths()):
        parts.append(array)
        while waiting and waiting[0].num_rows <= sum(map(len, parts)):
            batch, joined = waiting.popleft(), pa.concat_arrays(parts)
            parts = [joined.slice(batch.num_rows)]
            if batch.num_rows:
                yield batch, joined.slice(0, batch.num_rows)


def _encoded(
    stage: DecodeStage, encoder: Encoder, control: Control, batch_size: int, room: int
) -> Generator[Batch, None, None]:
    """Yield decoded batches with their embeddings, in order."""
    decoding: deque[Future[Decoded]] = deque()
    encoding: deque[tuple[int, Future[Batch]]] = deque()
    stop = threading.Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix="encode")
    try:
        while True:
            under_way = len(decoding) + sum(size for size, _ in encoding)
            decoding.extend(stage.submit(room - under_way))
            while len(encoding) < AHEAD - 1 and decoding:
                batch = [
                    decoding.popleft() for _ in range(min(batch_size, len(decoding)))
                ]
                job = pool.submit(_encode, batch, encoder, stop)
                encoding.append((len(batch), job))
            if not encoding:
                return
            yield _result(encoding.popleft()[1], control)
    finally:
        stop.set()
        stage.close()
        pool.shutdown(wait=True, cancel_futures=True)


def _result(job: Future[Batch], control: Control) -> Batch:
    """Wait for a batch as long as the statement is not cancelled."""
    control.check()
    while not wait([job], POLL_SECONDS).done:
        control.check()
    return job.result()


def _encode(
    pictures: list[Future[Decoded]], encoder: Encoder, stop: threading.Event
) -> Batch:
    """Wait for the pixels and encode them; NULL where there are none."""
    batch = [picture.result() for picture in pictures]
    filled = np.array([isinstance(picture, np.ndarray) for picture in batch])
    places = np.flatnonzero(filled)
    vectors = np.zeros((len(batch), encoder.dim), dtype=np.float32)
    for start in range(0, len(places), ENCODED_AT_ONCE):
        if stop.is_set():
            raise Cancelled("the statement was cancelled")
        part = places[start : start + ENCODED_AT_ONCE]
        vectors[part] = encoder.encode_images(np.stack([batch[i] for i in part]))
    array = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), encoder.dim, mask=pa.array(~filled)
    )
    return batch, array
