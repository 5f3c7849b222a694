"""Keeps secrets out of IPython's history, which lives on in a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "..."
_LATEST = ("_i", "_ii", "_iii", "_i00")
_INPUT = re.compile(r"_i{1,3}|_i\d+")


def redact(history: Any, user_ns: dict[str, Any], secret: str) -> None:
    """Replace a secret in the inputs of this session, in memory and on disk.

    IPython notes an input before it runs: in `In`, in the variables `_i`, `_i1` and so
    on, and, from another thread, in the table `history` of an SQLite file.

    Args:
        history: IPython's HistoryManager, or None.
        user_ns: the variables of the notebook.
        secret: what was written in a cell.
    """
    # Only where a secret stands: a short one may occur in other words too.
    pattern = re.compile(
        rf"((?:API_TOKEN\s*=\s*|token=|:)\W{{0,2}}){re.escape(secret)}"
    )

    def masked(text: str) -> str:
        return pattern.sub(rf"\1{MASK}", text)

    for name, value in list(user_ns.items()):
        if _INPUT.fullmatch(name) and isinstance(value, str):
            user_ns[name] = masked(value)
    if history is None:
        return
    for inputs in (history.input_hist_parsed, history.input_hist_raw):
        inputs[:] = [masked(text) for text in inputs]
    for name in _LATEST:
        setattr(history, name, masked(getattr(history, name, "")))
    if history.enabled:
        _mask_file(history, masked)


def _mask_file(history: Any, masked: Callable[[str], str]) -> None:
    history.writeout_cache()
    with history.db as database:
        database.create_function("masked", 1, masked)
        database.execute(
            "UPDATE history SET source = masked(source), "
            "source_raw = masked(source_raw) WHERE session = ?",
            (history.session_number,),
        )
