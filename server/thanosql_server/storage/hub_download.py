"""Downloads that can be waited for: cancelled at once, resumed, checked.

A thread of its own reads from the source, because nothing else ends a wait for a name
server or a silent peer at a chosen time. It hands over through a short queue, so memory
stays bounded.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidData
from thanosql_server.storage.hub_sources import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import HubFile
    from thanosql_server.storage.hub_sources import Source

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
        self._queue: queue.Queue[int | bytes | Exception | None] = queue.Queue(
            QUEUED_CHUNKS
        )
        self._abandoned = threading.Event()
        threading.Thread(
            target=self._run, args=(source, path, offset), name="hub", daemon=True
        ).start()

    def next(self, control: Control, seconds: float) -> int | bytes | None:
        """Return the start of the answer, then its bytes, then None at its end."""
        deadline = time.monotonic() + seconds
        while True:
            control.check()
            try:
                item = self._queue.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise Broken("it does not answer") from None
                continue
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
                self._put(opened.start)
                for chunk in chunks:
                    if not self._put(chunk):
                        return
            self._put(None)
        except Exception as failure:
            self._put(failure)

    def _put(self, item: int | bytes | Exception | None) -> bool:
        """Hand over; return False once nobody takes anything any more."""
        while not self._abandoned.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def _transfer(
    source: Source, path: str, offset: int, control: Control, first: float, then: float
) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Give the offset at which the answer begins, and its bytes as they come."""
    relay = _Relay(source, path, offset)

    def chunks() -> Iterator[bytes]:
        while isinstance(chunk := relay.next(control, then), bytes):
            yield chunk

    try:
        start = relay.next(control, first)
        yield (start if isinstance(start, int) else 0), chunks()
    finally:
        relay.abandon()


def read_small(
    source: Source, path: str, limit: int, control: Control, patience: Patience
) -> bytes:
    """Return a whole file of at most `limit` bytes.

    Raises:
        InvalidData: it is longer.
        Missing, Refused, Broken: it cannot be had; see `hub_sources`.
    """
    deadline = time.monotonic() + patience.first
    attempt = 0
    while True:
        attempt += 1
        left = max(deadline - time.monotonic(), 0)
        try:
            return _read_once(source, path, limit, control, left, patience.silence)
        except Broken:
            pause = patience.pause * 2 ** (attempt - 1)
            late = time.monotonic() + pause > deadline
            if late or attempt >= patience.attempts:
                raise
            _wait(pause, control)


def _read_once(
    source: Source, path: str, limit: int, control: Control, first: float, then: float
) -> bytes:
    content = bytearray()
    with _transfer(source, path, 0, control, first, then) as (_, chunks):
        for chunk in chunks:
            content += chunk
            if len(content) > limit:
                raise InvalidData(f"{path} of {source.shown} is too long to be one")
    return bytes(content)


@dataclass(frozen=True)
class Download:
    """One file on its way from a hub to this machine.

    Attributes:
        source: the hub.
        path: the file's place in the hub.
        file: its announced size and hash.
        part: where to; it stays when the download fails, unless its content is wrong.
        patience: how long to wait, and how often to try.
        control: cancels.
        report: gets the number of bytes that are there, after every chunk.
    """

    source: Source
    path: str
    file: HubFile
    part: Path
    patience: Patience
    control: Control
    report: Callable[[int], None]

    def run(self) -> None:
        """Make `part` hold the file's bytes, checked; go on with what is there.

        Raises:
            InvalidData: the content is not what was announced.
            Missing, Refused, Broken: it cannot be had; see `hub_sources`.
        """
        resumed = self.part.exists()
        if not resumed or self._have() > self.file.size:
            self.part.write_bytes(b"")
        self._until_complete()
        if sha256_of(self.part, self.control) == self.file.sha256:
            return
        self.part.unlink()
        if resumed:
            # The beginning came with an earlier download, which may be at fault.
            self.run()
            return
        raise self._wrong("is not what the hub announces, its SHA-256 is another")

    def _until_complete(self) -> None:
        """Ask for the rest of the file until there is none."""
        most = self._have()
        fruitless = 0
        for _ in range(self.patience.breaks):
            try:
                return self._append()
            except Broken as failure:
                have = self._have()
                fruitless = 0 if have > most else fruitless + 1
                most = max(have, most)
                if fruitless >= self.patience.attempts:
                    reason = f"{failure} after {have} of {self.file.size} bytes"
                    raise Broken(reason) from None
                _wait(self.patience.pause * 2 ** max(fruitless - 1, 0), self.control)
        raise Broken(f"it broke off {self.patience.breaks} times")

    def _append(self) -> None:
        """Fetch what `part` lacks; from the beginning, if the source cannot go on."""
        have = self._have()
        if have == self.file.size:
            return
        silence = self.patience.silence
        transfer = _transfer(
            self.source, self.path, have, self.control, silence, silence
        )
        with transfer as (start, chunks), self.part.open("r+b") as output:
            if start > have:
                raise Broken("it left a part of the file out")
            output.seek(start)
            output.truncate()
            for chunk in chunks:
                if output.tell() + len(chunk) > self.file.size:
                    raise self._wrong("is longer than the hub announces")
                output.write(chunk)
                self.report(output.tell())
        if self._have() < self.file.size:
            raise Broken("it broke off the connection")

    def _have(self) -> int:
        return self.part.stat().st_size

    def _wrong(self, what: str) -> InvalidData:
        return InvalidData(
            f"'{self.file.path}' from {self.source.shown} {what}; nothing was changed"
        )


def sha256_of(path: Path, control: Control) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            control.check()
            digest.update(chunk)
    return digest.hexdigest()


def _wait(seconds: float, control: Control) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        control.check()
        time.sleep(min(left, POLL_SECONDS))
