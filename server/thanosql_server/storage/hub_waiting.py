"""Waiting for hubs: within limits of time, and cancelled at once.

A thread of its own reads from the source, because nothing else ends a wait for a name
server or a silent peer at a chosen time. It hands over through a short queue, so memory
stays bounded.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from thanosql_server.errors import InvalidData
from thanosql_server.storage.hub_reading import Broken, Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_reading import Source

Answer = TypeVar("Answer")

POLL_SECONDS = 0.05
QUEUED_CHUNKS = 8


@dataclass(frozen=True)
class Patience:
    """How long a hub is waited for.

    Attributes:
        first: seconds until hub.toml begins to arrive, all attempts together; a
            statement without a network ends after this.
        silence: seconds without a byte after which a transfer is given up.
        attempts: tries in a row that bring nothing new.
        breaks: tries in all for one file.
        pause: seconds before the second try; every further pause is twice as long.
    """

    first: float = 4.0
    silence: float = 15.0
    attempts: int = 4
    breaks: int = 100
    pause: float = 0.25


class _Relay:
    """Bytes of one file, read on a thread that is left behind when it hangs."""

    def __init__(self, source: Source, path: str, offset: int) -> None:
        self._queue: queue.Queue[Opened | bytes | Exception | None] = queue.Queue(
            QUEUED_CHUNKS
        )
        self._abandoned = threading.Event()
        threading.Thread(
            target=self._run, args=(source, path, offset), name="hub", daemon=True
        ).start()

    def next(self, control: Control, seconds: float) -> Opened | bytes | None:
        """Return how the answer begins, then its bytes, then None at its end."""
        item = _take(self._queue, control, seconds)
        if isinstance(item, Exception):
            raise item
        return item

    def abandon(self) -> None:
        """Let the thread go, whatever it waits for."""
        self._abandoned.set()

    def _run(self, source: Source, path: str, offset: int) -> None:
        try:
            opened = source.open(path, offset)
            with closing(opened.chunks) as chunks:
                self._put(opened)
                for chunk in chunks:
                    if not self._put(chunk):
                        return
            self._put(None)
        except Exception as failure:
            self._put(failure)

    def _put(self, item: Opened | bytes | Exception | None) -> bool:
        """Hand over; return False once nobody takes anything any more."""
        while not self._abandoned.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def _take(items: queue.Queue[Answer], control: Control, seconds: float) -> Answer:
    """Return the next item; raise Broken if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        control.check()
        try:
            return items.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if time.monotonic() > deadline:
                raise Broken("it does not answer") from None


@contextmanager
def transfer(
    source: Source, path: str, offset: int, control: Control, first: float, then: float
) -> Iterator[tuple[Opened, Iterator[bytes]]]:
    """Give what an answer says of itself, and its bytes as they come."""
    relay = _Relay(source, path, offset)

    def chunks() -> Iterator[bytes]:
        while isinstance(chunk := relay.next(control, then), bytes):
            yield chunk

    try:
        opened = relay.next(control, first)
        assert isinstance(opened, Opened)  # the relay begins with it
        yield opened, chunks()
    finally:
        relay.abandon()


def read_small(
    source: Source, path: str, limit: int, control: Control, patience: Patience
) -> bytes:
    """Return a whole file of at most `limit` bytes.

    Raises:
        InvalidData: it is longer.
        Missing, Refused, Broken: it cannot be had; see `hub_reading`.
    """

    def read(seconds: float) -> bytes:
        return _read_once(source, path, limit, control, seconds, patience.silence)

    return _soon(read, control, patience)


def size_of(
    source: Source, path: str, control: Control, patience: Patience
) -> int | None:
    """Return how many bytes a file has, None if the source does not say.

    Raises:
        Missing, Refused, Broken: it cannot be had; see `hub_reading`.
    """

    def read(seconds: float) -> int | None:
        with transfer(source, path, 0, control, seconds, seconds) as (opened, _):
            return opened.size

    return _soon(read, control, patience)


def called(work: Callable[[], Answer], control: Control, patience: Patience) -> Answer:
    """Return what `work` returns, called on a thread that is left when it hangs.

    Raises:
        Missing, Refused, Broken: whatever `work` raises, or it takes too long.
    """

    def call(seconds: float) -> Answer:
        answers: queue.Queue[Answer | Exception] = queue.Queue()

        def run() -> None:
            try:
                answers.put(work())
            except Exception as failure:
                answers.put(failure)

        threading.Thread(target=run, name="hub", daemon=True).start()
        answer = _take(answers, control, seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return _soon(call, control, patience)


def _soon(
    work: Callable[[float], Answer], control: Control, patience: Patience
) -> Answer:
    """Return what `work` returns; it gets the seconds that are left for it.

    What is broken is tried again as long as `patience.first` allows.
    """
    deadline = time.monotonic() + patience.first
    attempt = 0
    while True:
        attempt += 1
        try:
            return work(max(deadline - time.monotonic(), 0))
        except Broken:
            pause = patience.pause * 2 ** (attempt - 1)
            late = time.monotonic() + pause > deadline
            if late or attempt >= patience.attempts:
                raise
            pause_for(pause, control)


def _read_once(
    source: Source, path: str, limit: int, control: Control, first: float, then: float
) -> bytes:
    content = bytearray()
    with transfer(source, path, 0, control, first, then) as (_, chunks):
        for chunk in chunks:
            content += chunk
            if len(content) > limit:
                raise InvalidData(f"{path} of {source.shown} is too long to be one")
    return bytes(content)


def pause_for(seconds: float, control: Control) -> None:
    """Wait, and stop waiting when the statement is cancelled."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        control.check()
        time.sleep(min(left, POLL_SECONDS))
