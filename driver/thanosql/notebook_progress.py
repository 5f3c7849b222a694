"""The progress of a statement as one updating line under a notebook's cell."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from thanosql.result import Progress

PATIENCE = 0.5
"""Seconds that a statement may run before its progress is worth a line."""

LINE = 78
"""Characters of a line without tqdm."""

_WITH_TOTAL = (
    "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} "
    "[{elapsed}<{remaining}{postfix}]"
)
_WITHOUT_TOTAL = "{desc} [{elapsed}{postfix}]"


class ProgressBar:
    """One bar per phase of a statement, gone when the statement is done.

    With tqdm installed it is tqdm's: a widget where ipywidgets is installed too, text
    elsewhere. Without tqdm it is a line of text.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._of: tuple[str, int] | None = None
        self._shown: tuple[int, str, int] | None = None
        self._closed = False

    def show(self, progress: Progress) -> None:
        """Show how far the statement is; calls after `close` do nothing."""
        if self._closed or progress.seconds < PATIENCE:
            return
        if self._of != (progress.phase, progress.total):
            self._clear()
            self._of = (progress.phase, progress.total)
            self._bar = _bar(progress.phase, progress.total)
        state = (progress.done, progress.message, int(progress.seconds))
        if state == self._shown:
            return
        self._shown = state
        self._bar.n = progress.done
        self._bar.set_postfix_str(progress.message, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Remove the bar; more progress is not shown."""
        self._closed = True
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _bar(phase: str, total: int) -> Any:
    try:
        with warnings.catch_warnings():
            # It says that a bar of text is shown when ipywidgets is not installed.
            warnings.simplefilter("ignore")
            tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return TextBar(phase, total)
    # Not on stderr, which notebooks show in red and apart from what is said next.
    return tqdm(
        desc=phase,
        total=total or None,
        leave=False,
        file=sys.stdout,
        bar_format=_WITH_TOTAL if total else _WITHOUT_TOTAL,
    )


class TextBar:
    """What is used of a tqdm bar, as a line of text."""

    def __init__(self, phase: str, total: int) -> None:
        self.n = 0
        self._phase = phase
        self._total = total
        self._message = ""

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Set what stands at the end of the line."""
        self._message = text

    def refresh(self) -> None:
        """Write the line over the one before."""
        share = f" {min(self.n / self._total, 1):4.0%}" if self._total else ""
        line = f"{self._phase}{share}  {self._message}"
        # Spaces instead of an escape sequence, which not every front end knows.
        sys.stdout.write(f"\r{line[:LINE]:{LINE}}")
        sys.stdout.flush()

    def close(self) -> None:
        """Make the line empty."""
        sys.stdout.write(f"\r{'':{LINE}}\r")
        sys.stdout.flush()
