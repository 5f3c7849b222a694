"""Embeds rows of generated columns in the background, one column at a time.

No writer waits for it, and it is a writer like any other: what it makes is there with
its commit, and a server that is killed goes on from what was embedded when it starts
again. While there are no such columns nothing runs and no write wakes anything.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.engine.background import Background
from thanosql_server.engine.filling import Scope, most_at_once
from thanosql_server.errors import (
    Cancelled,
    Conflict,
    ThanoSQLError,
    UndefinedObject,
    UndefinedTable,
)
from thanosql_server.storage.generated import generated_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.engine.filling import Filler
    from thanosql_server.storage.generated import Generated
    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.table import Table

logger = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two looks at the tables, so that many small writes are one commit."""

REST = 4
"""The pause is so many times what the last look took: beside a stream of small writes
a fifth of one thread's time is spent on them."""

LOOK_SECONDS = 30.0
"""After which tables are looked at that another server may have written to."""

RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Trouble:
    """Why a column was given up, and what must change before it is tried again."""

    version: int
    build: int | None
    reason: str


class FreshKeeper:
    """The thread that fills the generated columns of a workspace.

    Args:
        filler: embeds rows and commits them.
        filled: called after each commit.
    """

    def __init__(self, filler: Filler, filled: Callable[[], None]) -> None:
        self._filler = filler
        self._filled = filled
        self._lock = threading.Lock()
        self._whole = True
        self._tables: set[tuple[str, str]] = set()
        self._busy: tuple[str, str] | None = None
        self._troubles: dict[tuple[str, str], Trouble] = {}
        self._refreshed: dict[tuple[str, str], float] = {}
        self._tidied: set[tuple[str, str]] = set()
        self._control = Control()
        self._thread = Background(
            "generated columns", self._look, _rest_after, self._control
        )

    def start(self) -> None:
        """Look after what a server left that was killed or stopped, if anything."""
        if any(self._filler.workspace.schemas.tables()):
            self.wake(whole=True)

    def wake(self, *, whole: bool) -> None:
        """Have the columns looked at: tables have changed.

        Args:
            whole: whether tables may have got or lost such columns, or a model was
                built; else only those known to have some are looked at.
        """
        with self._lock:
            if not (whole or self._tables):
                return
            self._whole |= whole
        self._thread.wake()

    def close(self) -> None:
        """Stop, and wait for it; what is embedded by then is not lost."""
        self._thread.close()

    def is_busy(self, table: Table, column: str) -> bool:
        """Whether it is filling this column right now."""
        return self._busy == (table.place, column)

    def trouble(self, table: Table, column: str) -> str | None:
        """Return why it gave a column up, None if it did not."""
        trouble = self._troubles.get((table.place, column))
        return None if trouble is None else trouble.reason

    def refreshed(self, table: Table, column: str) -> float | None:
        """Return when it, or a statement, filled a column last, in seconds."""
        return self._refreshed.get((table.place, column))

    def note(self, table: Table, column: str) -> None:
        """Note that a column was filled just now."""
        self._refreshed[table.place, column] = time.time()
        self._filled()

    def _look(self) -> float | None:
        done = [self._tend(space, name) for space, name in self._listed()]
        if not self._tables:
            return None
        return LOOK_SECONDS if all(done) else RETRY_SECONDS

    def _listed(self) -> Iterator[tuple[Space, str]]:
        """Yield the tables to look at: all of them, or those known."""
        with self._lock:
            whole, self._whole = self._whole, False
            known = sorted(self._tables)
        schemas = self._filler.workspace.schemas
        if whole:
            yield from schemas.tables()
            return
        for schema, name in known:
            if schemas.exists(schema):
                yield schemas.open(schema), name
            else:
                self._tables.discard((schema, name))

    def _tend(self, space: Space, name: str) -> bool:
        """Fill the columns of a table; return whether nothing is left to do."""
        self._control.check()
        key = (space.schema, name)
        try:
            table = space.tables.open(name)
        except ThanoSQLError:
            self._tables.discard(key)  # dropped, or damaged
            return True
        columns = generated_columns(table.schema)
        if not columns:
            self._tables.discard(key)
            return True
        self._tables.add(key)
        done = [self._fill(space, table, one) for one in columns]  # each of them
        return all(done)

    def _fill(self, space: Space, table: Table, column: Generated) -> bool:
        """Fill a column; return whether nothing is left that nobody will wake it for.

        It goes on as long as more rows wait than one commit takes. Those that come
        meanwhile wait for the next look, to which their writer wakes it.
        """
        place = (table.place, column.column)
        filler, freshness = self._filler, self._filler.freshness
        try:
            while (todo := freshness.counts(table, column).todo) > 0:
                if self._is_given_up(table, column):
                    return True
                self._busy = place
                name = table.name
                filler.fill(space, name, column.column, Scope.WAITING, self._control)
                self.note(table, column.column)
                if todo <= most_at_once(table.count_rows()):
                    return True
                table = space.tables.open(name)
            if place not in self._tidied:
                filler.forget_saved(space, table, column)
                self._tidied.add(place)
        except (Conflict, UndefinedTable) as meanwhile:
            logger.debug("column '%s': %s", column.column, meanwhile)
            return False
        except Cancelled:
            raise
        except Exception as error:
            self._give_up(table, column, error)
        finally:
            self._busy = None
        return True

    def _is_given_up(self, table: Table, column: Generated) -> bool:
        """Return whether nothing has changed since a column could not be filled."""
        trouble = self._troubles.get((table.place, column.column))
        if trouble is None:
            return False
        build = self._filler.freshness.current(column)
        if (trouble.version, trouble.build) == (table.version, build):
            return True
        del self._troubles[table.place, column.column]
        return False

    def _give_up(self, table: Table, column: Generated, error: Exception) -> None:
        """Leave a column until its table or its model changes."""
        reason = "it cannot be filled; the server's log says why"
        if isinstance(error, ThanoSQLError):
            reason = error.message
        else:
            logger.exception("column '%s' could not be filled", column.column)
        build = self._filler.freshness.current(column)
        trouble = Trouble(table.version, build, reason)
        self._troubles[table.place, column.column] = trouble
        if not isinstance(error, UndefinedObject):
            logger.warning(
                "column '%s' of '%s' waits: %s", column.column, table.name, reason
            )


def _rest_after(seconds: float) -> float:
    """Return how long to rest after a look that took so many seconds."""
    return min(max(REST * seconds, SHORTEST_PAUSE), LONGEST_PAUSE)
