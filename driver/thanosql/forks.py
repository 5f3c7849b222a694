"""Forked processes: gRPC lives on in the parent only, and its ends must not run here.

In a forked child gRPC has none of its threads. A call there, a new client too, waits
for ever, and so does the destructor of an inherited client when the child exits
(pyarrow 26, with and without GRPC_ENABLE_FORK_SUPPORT).
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

from thanosql.errors import InterfaceError

_live: weakref.WeakSet[Any] = weakref.WeakSet()
_grpc_process: int | None = None


def keep(thing: Any) -> None:
    """Never destroy an object of gRPC in a child that is forked while it is there."""
    global _grpc_process
    _grpc_process = _grpc_process or os.getpid()
    _live.add(thing)


def check() -> None:
    """Refuse to connect in a child of a process that has connected.

    Raises:
        InterfaceError: this is such a process.
    """
    if _grpc_process not in (None, os.getpid()):
        raise InterfaceError(
            "this process was forked from one that had connected, where no connection "
            "can be made; start it with multiprocessing's 'spawn' or 'forkserver', or "
            "fork before the first connection"
        )


def _leak() -> None:
    for thing in list(_live):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leak)
