"""Plans made by GetFlightInfo for the DoGet that follows it.

A ticket holds the whole statement, so that any server can answer it. The server that
has described it also keeps its plan for some seconds, and need not plan it again when
the ticket comes at once, as it does nearly always. The rows are then those of the
versions of tables that the description was made from.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql_server.callers import Caller
    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.flight.handles import Statement
    from thanosql_server.settings import SettingValue

MOST_KEPT = 64
"""Plans kept at a time: some clients never come back for their rows."""

KEPT_SECONDS = 10.0

LONGEST = 16_384
"""Characters of a statement whose plan is kept."""


@dataclass(frozen=True)
class _Kept:
    query: str
    plan: Plan
    caller: Caller
    settings: dict[str, SettingValue]
    since: float


class PlansAhead:
    """Plans by the ids of their statements; each is handed out once, to its caller."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._drop_old()
            return len(self._kept)

    def keep(self, statement: Statement, plan: Plan, control: Control) -> None:
        """Keep a plan, if one made later would have the same meaning.

        Args:
            statement: what was planned; one with parameters may run many plans.
            plan: its plan.
            control: of the planning: whose it is, and with what settings.
        """
        long = len(statement.query) > LONGEST
        if not plan.lasts or statement.parameters or long:
            return
        kept = _Kept(
            statement.query,
            plan,
            control.caller,
            control.settings.values(),
            time.monotonic(),
        )
        with self._lock:
            self._kept[statement.id] = kept
            self._drop_old()

    def take(self, statement: Statement, control: Control) -> Plan | None:
        """Return the plan of a statement, which is then kept no more.

        None if there is none, or if whoever asks for it is another user, has another
        role by now, or other settings; then it must be planned again.
        """
        with self._lock:
            self._drop_old()
            kept = self._kept.pop(statement.id, None)
        if kept is None or kept.query != statement.query or statement.parameters:
            return None
        now = control.caller, control.settings.values()
        return kept.plan if (kept.caller, kept.settings) == now else None

    def clear(self) -> None:
        """Forget all plans."""
        with self._lock:
            self._kept.clear()

    def _drop_old(self) -> None:
        last = time.monotonic() - KEPT_SECONDS
        while self._kept and (
            len(self._kept) > MOST_KEPT or next(iter(self._kept.values())).since < last
        ):
            self._kept.popitem(last=False)
