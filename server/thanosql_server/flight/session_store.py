"""The sessions of clients: what each has set, for as long as it is in use.

A session is known by its user and its id, which the client names or which its signed
token carries. Only sessions that have set something are remembered; the others are as
new whenever they come.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

from thanosql_server.errors import NotSupported, SessionEnded
from thanosql_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.callers import Caller
    from thanosql_server.config import Limits

    Key: TypeAlias = tuple[str, str]


class SessionStore:
    """The sessions of this server; safe from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._seconds = limits.session_timeout
        self._limit = limits.max_sessions
        self._lock = threading.RLock()
        self._kept: OrderedDict[Key, tuple[float, Settings]] = OrderedDict()
        self._ended: OrderedDict[Key, None] = OrderedDict()
        # What statements that run now share, although they have set nothing.
        self._fresh: WeakValueDictionary[Key, Settings] = WeakValueDictionary()

    def __len__(self) -> int:
        with self._lock:
            self._end_unused()
            return len(self._kept)

    def settings(self, caller: Caller) -> Settings:
        """Return what the caller's session has set, which prolongs its life.

        Raises:
            SessionEnded: it had set something and then went unused for too long. It is
                new the next time.
        """
        if not caller.session:
            return Settings(_refuse)
        key = (caller.user, caller.session)
        with self._lock:
            self._end_unused()
            if key in self._ended:
                del self._ended[key]
                raise SessionEnded(
                    "the session went unused for too long and has ended, and with it "
                    "what was SET in it"
                )
            if key in self._kept:
                self._keep(key, self._kept[key][1])
                return self._kept[key][1]
            if (fresh := self._fresh.get(key)) is None:
                fresh = self._fresh[key] = Settings(self._keeper(key))
            return fresh

    def touch(self, caller: Caller) -> None:
        """Note that the session of a caller is in use."""
        key = (caller.user, caller.session)
        with self._lock:
            if key in self._kept:
                self._keep(key, self._kept[key][1])

    def close(self, caller: Caller) -> bool:
        """End a session; return whether anything was remembered of it."""
        key = (caller.user, caller.session)
        with self._lock:
            self._fresh.pop(key, None)
            self._ended.pop(key, None)
            return self._kept.pop(key, None) is not None

    def _keeper(self, key: Key) -> Callable[[Settings], None]:
        return lambda settings: self._keep(key, settings)

    def _keep(self, key: Key, settings: Settings) -> None:
        with self._lock:
            self._kept[key] = (time.monotonic(), settings)
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._end_oldest()

    def _end_unused(self) -> None:
        last = time.monotonic() - self._seconds
        while self._kept and next(iter(self._kept.values()))[0] < last:
            self._end_oldest()

    def _end_oldest(self) -> None:
        key, (_, settings) = self._kept.popitem(last=False)
        self._fresh.pop(key, None)
        if settings.changed:
            self._ended[key] = None
        while len(self._ended) > self._limit:
            self._ended.popitem(last=False)


def _refuse(settings: Settings) -> None:
    raise NotSupported(
        "this client has no session that could keep a setting; connect with a user and "
        "a password, which opens one"
    )
