"""Paths in, pixels out, in order: threads read and decode ahead of who takes them."""

from __future__ import annotations

import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from thanosql_server.errors import InvalidData, ThanoSQLError
from thanosql_server.ml.media import UnreadableImage, open_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder

    Read: TypeAlias = Callable[[Path], NDArray[np.uint8]]


NICE = 10
"""How far decoding stands back (nice(2)): a tenth of an encoder's share."""


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

    def add_batch(self, batch: Sequence[Decoded], *, fail_on_error: bool) -> None:
        """Note what became of some pictures; NULL paths do not count.

        Raises:
            InvalidData: one is unreadable and `fail_on_error` is set.
        """
        for picture in batch:
            self.seen += picture is not None
            if not isinstance(picture, Failure):
                continue
            if fail_on_error:
                raise InvalidData(
                    f"picture '{picture.path}' cannot be read ({picture.reason})"
                )
            self.add(picture.path, picture.reason)

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


def read_pixels(path: Path, encoder: Encoder) -> NDArray[np.uint8]:
    """Return the picture in a file as the encoder takes it, (C, H, W).

    Raises:
        UnreadableImage: there is no such file, or it is not a usable picture.
    """
    if encoder.framing is not None:
        from thanosql_server.ml.jpeg import read_jpeg  # torch takes seconds to import

        pixels = read_jpeg(path)
        if pixels is not None:
            return encoder.framing.apply(pixels)
    return encoder.preprocess(open_image(path, decode_side=encoder.decode_side))


class DecodeStage:
    """Threads that turn paths into pixels.

    Args:
        paths: as their user wrote them; taken when asked to, in the caller's thread.
        resolve: turns such a text into a file; its ThanoSQLErrors are failures.
        read: turns a file into pixels; its UnreadableImages are failures.
        threads: how many pictures at a time.

    Attributes:
        exhausted: whether the last path was taken.
    """

    def __init__(
        self,
        paths: Iterable[str | None],
        resolve: Callable[[str], Path],
        read: Read,
        threads: int,
    ) -> None:
        self._paths = iter(paths)
        self._resolve = resolve
        self._read = read
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="decode", initializer=_stand_back
        )
        self.exhausted = False

    def submit(self, count: int) -> list[Future[Decoded]]:
        """Begin with the next `count` paths, or those that are left."""
        begun = [
            self._pool.submit(self._decode, path)
            for path in islice(self._paths, max(count, 0))
        ]
        self.exhausted = self.exhausted or len(begun) < count
        return begun

    def close(self) -> None:
        """Drop what has not begun and wait for at most one picture per thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _decode(self, path: str | None) -> Decoded:
        if path is None:
            return None
        try:
            return self._read(self._resolve(path))
        except UnreadableImage as error:
            return Failure(path, error.reason)
        except ThanoSQLError as error:
            return Failure(path, error.message)


def _stand_back() -> None:
    """Let the encoder's threads run first, where there are too few processors for all.

    They wait for each other in every product of matrices: one that has to share its
    processor with a decoder holds up the rest.
    """
    if sys.platform.startswith("linux"):  # elsewhere this is of the whole process
        os.nice(NICE)


def decode_batches(
    paths: Iterable[str | None],
    resolve: Callable[[str], Path],
    read: Read,
    control: Control,
    *,
    batch_size: int,
    threads: int,
) -> Generator[list[Decoded], None, None]:
    """Yield the decoded pictures in order, `batch_size` at a time, a few ahead.

    The first four arguments are those of `DecodeStage`; at most `2 * batch_size +
    threads` pictures wait. Closing the iterator waits for one picture per thread.
    """
    stage = DecodeStage(paths, resolve, read, threads)
    ahead: deque[Future[Decoded]] = deque()
    try:
        while True:
            ahead.extend(stage.submit(2 * batch_size + threads - len(ahead)))
            if not ahead:
                return
            taken = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
            control.check()
            yield [picture.result() for picture in taken]
    finally:
        stage.close()
