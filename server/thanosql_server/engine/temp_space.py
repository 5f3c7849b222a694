"""How much disk the statements take for what does not fit in memory.

DataFusion has a limit for each context, which cannot be had together with a folder of
our choice (setting one takes the other back), and none for all of them. So statements
look at their folder as they run.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from thanosql_server.errors import TempSpaceExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SECONDS = 0.1
"""Between two looks of one statement; a look takes some 50 us."""


class TempSpace:
    """The folder of this process for temporary files, and how much may be in it.

    Args:
        folder: where each context makes a folder of its own.
        most: bytes that all of them may have together; 0 for no limit.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self.most = most
        self._lock = threading.Lock()
        self._owned: WeakKeyDictionary[object, set[str]] = WeakKeyDictionary()

    def noticed(self, owner: object, make: Callable[[], T]) -> T:
        """Make a context and note which folder it has made, if there is a limit.

        Args:
            owner: stands for the statement; its folders are counted together.
            make: makes the context.
        """
        if not self.most:
            return make()
        with self._lock:
            before = set(self._names())
            made = make()
            self._owned.setdefault(owner, set()).update(set(self._names()) - before)
        return made

    def of(self, owner: object) -> Share:
        """Return the part that one statement has, to look at as it runs."""
        return Share(self, owner)

    def require(self, owner: object) -> None:
        """Raise if there is too much, and most of it is this statement's.

        Raises:
            TempSpaceExceeded: so that of all statements one fails.
        """
        sizes = {name: _size(self._folder / name) for name in self._names()}
        if sum(sizes.values()) <= self.most:
            return
        with self._lock:
            own = self._owned.get(owner, set())
            others = [names for one, names in self._owned.items() if one is not owner]
        mine = sum(sizes.get(name, 0) for name in own)
        theirs = [sum(sizes.get(name, 0) for name in names) for names in others]
        if mine >= max(theirs, default=0):
            raise TempSpaceExceeded(
                "the statement's temporary files do not fit into the "
                f"{self.most:,} bytes that all statements may have; select or sort "
                "fewer rows or columns, or give the server a larger --max-temp-bytes "
                "or --memory-limit"
            )

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []


@dataclass
class Share:
    """What one statement looks at every now and then."""

    space: TempSpace
    owner: object
    looked: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raise TempSpaceExceeded if it takes too much."""
        if not self.space.most or time.monotonic() - self.looked < _SECONDS:
            return
        self.looked = time.monotonic()
        self.space.require(self.owner)


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder, as far as they are still there."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.path.getsize(Path(parent, name))
            except FileNotFoundError:
                continue
    return size
