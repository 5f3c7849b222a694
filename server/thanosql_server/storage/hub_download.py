"""Downloads that resume where they broke off, and are checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidData
from thanosql_server.storage.hub_reading import Broken
from thanosql_server.storage.hub_waiting import pause_for, transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.hub_manifest import HubFile
    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_waiting import Patience


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
            Missing, Refused, Broken: it cannot be had; see `hub_reading`.
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
                pause = self.patience.pause * 2 ** max(fruitless - 1, 0)
                pause_for(pause, self.control)
        raise Broken(f"it broke off {self.patience.breaks} times")

    def _append(self) -> None:
        """Fetch what `part` lacks; from the beginning, if the source cannot go on."""
        have = self._have()
        if have == self.file.size:
            return
        silence = self.patience.silence
        answer = transfer(self.source, self.path, have, self.control, silence, silence)
        with answer as (opened, chunks), self.part.open("r+b") as output:
            if opened.start > have:
                raise Broken("it left a part of the file out")
            output.seek(opened.start)
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
