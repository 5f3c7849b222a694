"""Work behind the scenes: one thread that looks again whenever it is woken."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from thanosql_server.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.control import Control

logger = logging.getLogger(__name__)

AFTER_A_FAILURE_SECONDS = 60.0
"""Until it looks again, unless woken earlier."""


class Background:
    """A thread that begins when it is first woken; nothing waits for it.

    Args:
        name: what it looks after.
        look: looks once; returns in how many seconds to look again unwoken, None for
            not before it is woken. What it raises is logged, and tried again.
        pause: how long to rest after a look that took so many seconds.
        control: of the work; cancelled when it is to end.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], float | None],
        pause: Callable[[float], float],
        control: Control,
    ) -> None:
        self._name = name
        self._look = look
        self._pause = pause
        self._control = control
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Have it look: something has changed."""
        if self._wanted.is_set():
            return
        self._wanted.set()
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._run, name=self._name, daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Stop, and wait for it; what is half done leaves nothing."""
        with self._lock:
            self._closing.set()
            self._control.cancel()
            thread = self._thread
        self._wanted.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        again: float | None = None
        while not self._closing.is_set():
            self._wanted.wait(again)
            self._wanted.clear()
            started = time.monotonic()
            try:
                again = self._look()
            except Cancelled:
                return
            except Exception:
                logger.exception("the %s could not be looked after", self._name)
                again = AFTER_A_FAILURE_SECONDS
            self._closing.wait(self._pause(time.monotonic() - started))
