"""What tables need from time to time: few fragments, and no versions kept too long.

Whoever looks after a workspace asks again and again; only tables that have changed are
looked at closely. Several processes may do so at once.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thanosql_server.errors import Conflict, ThanoSQLError
from thanosql_server.storage.compaction import compact
from thanosql_server.storage.merging import QUIET_RATIO, RATIO
from thanosql_server.storage.versions import forget_old_versions, has_older

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from thanosql_server.storage.schemas import SchemaStore

logger = logging.getLogger(__name__)

FEWEST_BUSY, FEWEST_QUIET = 32, 8
"""Small fragments that are merged together while a table is changed, and afterwards."""

QUIET_SECONDS = 1.0
"""Without a change, after which a table counts as quiet."""

RETRY_SECONDS = 1.0
"""After which a table is looked at again whose rows were in use."""

CLEAN_SECONDS, LEAST_CLEAN_SECONDS = 60.0, 1.0
"""Between two removals of old versions of a table, at least."""

CLEAN_SHARE = 100
"""Removing takes at most one of so many seconds: it reads all versions."""


@dataclass
class _Seen:
    """One table, as it was when it was last looked at.

    Attributes:
        changed_ns: when its versions last changed; -1 if it has to be looked at again.
        cleaned: when old versions were last removed; None if not by this process.
        clean_seconds: how long that took.
    """

    changed_ns: int = -1
    cleaned: float | None = None
    clean_seconds: float = 0.0


@dataclass(frozen=True)
class Looked:
    """What became of a look at all tables.

    Attributes:
        moved: whether rows of a table got other ids.
        again: seconds after which to look again though nothing changes, or None.
    """

    moved: bool
    again: float | None


@dataclass
class Upkeep:
    """Looks after all tables of a workspace.

    Attributes:
        schemas: the tables.
        check: called every now and then; what it raises stops the work.
    """

    schemas: SchemaStore
    check: Callable[[], None]
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _began_ns: int = field(default_factory=time.time_ns)

    def look(self) -> Looked:
        """Do for every table what is to be done now."""
        there: dict[Path, _Seen] = {}
        looked = Looked(moved=False, again=None)
        for space in self.schemas.all():
            for name in space.tables.names():
                self.check()
                try:
                    folder = space.tables.folder_of(name)
                    seen = there[folder] = self._seen.get(folder, _Seen())
                    one = self._tend(name, folder, seen, space.tables.kept)
                except Conflict:
                    seen.changed_ns = -1
                    one = Looked(moved=False, again=RETRY_SECONDS)
                except (ThanoSQLError, OSError) as failure:
                    # A damaged table is no reason to neglect the others.
                    self.check()
                    logger.warning("table '%s' was not looked after: %s", name, failure)
                    continue
                looked = _both(looked, one)
        self._seen = there
        return looked

    def _tend(self, name: str, folder: Path, seen: _Seen, kept: timedelta) -> Looked:
        changed_ns = _changed_ns(folder)
        if changed_ns == seen.changed_ns:
            return Looked(moved=False, again=None)
        seen.changed_ns = changed_ns
        rests = (time.time_ns() - changed_ns) / 1e9 >= QUIET_SECONDS
        how = (FEWEST_QUIET, QUIET_RATIO) if rests else (FEWEST_BUSY, RATIO)
        done = compact(name, folder, how[0], self.check, how[1])
        again = None if rests or done.after < FEWEST_QUIET else QUIET_SECONDS
        if changed_ns >= self._began_ns:
            left = self._clean(folder, seen, kept)
            again = min(filter(None, (again, left)), default=None)
        seen.changed_ns = -1 if again else _changed_ns(folder)
        return Looked(done.after < done.before, again)

    def _clean(self, folder: Path, seen: _Seen, kept: timedelta) -> float | None:
        """Remove old versions, or return in how many seconds that may be."""
        now = time.monotonic()
        if seen.cleaned is not None:
            if not has_older(folder, kept):
                return None
            pause = max(
                min(CLEAN_SECONDS, kept.total_seconds()),
                CLEAN_SHARE * seen.clean_seconds,
                LEAST_CLEAN_SECONDS,
            )
            if now - seen.cleaned < pause:
                return seen.cleaned + pause - now
        forget_old_versions(folder, kept)
        seen.cleaned = time.monotonic()
        seen.clean_seconds = seen.cleaned - now
        return None


def _both(one: Looked, other: Looked) -> Looked:
    again = min(filter(None, (one.again, other.again)), default=None)
    return Looked(one.moved or other.moved, again)


def _changed_ns(folder: Path) -> int:
    return os.stat(folder / "_versions").st_mtime_ns
