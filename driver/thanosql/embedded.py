"""The server inside this process, one per workspace folder, shared and counted.

The server is found through an entry point and never imported by name, so that the
client can be installed without it.
"""

from __future__ import annotations

import atexit
import dataclasses
import inspect
import os
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from thanosql import forks
from thanosql.conninfo import nearest
from thanosql.errors import InterfaceError, error_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql.conninfo import Conninfo

ENTRY_POINTS = "thanosql.server"


class Server(Protocol):
    """What `serve_embedded` returns."""

    location: str
    token: str

    def close(self) -> None:
        """Stop serving."""


def find(name: str) -> Callable[..., Any]:
    """Return what the server's distribution registers under `name`.

    Raises:
        InterfaceError: the server is not installed.
    """
    found = list(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise _not_installed(None)
    try:
        loaded: Callable[..., Any] = found[0].load()
    except ModuleNotFoundError as ex:
        # The entry point is there, for it is one distribution; the extra is not.
        raise _not_installed(ex.name) from None
    return loaded


def _not_installed(missing: str | None) -> InterfaceError:
    why = f" ('{missing}' is missing)" if missing else ""
    return InterfaceError(
        f"the server is not installed here{why}; "
        "pip install 'thanosql-flight[server]', or connect to a running server with grpc://host:port"
    )


class Lease:
    """One connection's share of the server of a workspace."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._released = False

    def conninfo(self, info: Conninfo) -> Conninfo:
        """Return `info` pointed at the server."""
        server = self._shared.server
        return dataclasses.replace(
            info,
            workspace=None,
            location=server.location,
            user=None,
            token=server.token,
        )

    def release(self) -> None:
        """Give the share back; the last one closes the server."""
        if not self._released:
            self._released = True
            _release(self._shared)


@dataclasses.dataclass
class _Shared:
    folder: Path
    options: dict[str, Any]
    server: Server
    leases: int = 0


_running: dict[Path, _Shared] = {}
_lock = threading.Lock()


def start(workspace: str, options: dict[str, Any]) -> Lease:
    """Return a share of the server of a workspace, started if nobody has one.

    Raises:
        InterfaceError: the server is not installed, or runs with other settings, or
            this process was forked from one that had connected.
    """
    forks.check()
    folder = Path(workspace).expanduser().resolve()
    with _lock:
        shared = _running.get(folder)
        if shared is None:
            server = _started(folder, options)
            shared = _running[folder] = _Shared(folder, options, server)
            forks.keep(server)
        elif options and options != shared.options:
            raise InterfaceError(
                f"'{workspace}' is served in this process already with other "
                "settings; close its connections first"
            )
        shared.leases += 1
        return Lease(shared)


def _started(folder: Path, options: dict[str, Any]) -> Server:
    serve = find("embedded")
    _check_options(serve, options)
    try:
        server: Server = serve(str(folder), **options)
    except Exception as ex:
        # The server's own errors are no exceptions of PEP 249; this is how one knows
        # them without importing the server.
        sqlstate = getattr(ex, "sqlstate", None)
        if not isinstance(sqlstate, str):
            raise
        raise error_class(sqlstate)(str(ex), sqlstate=sqlstate) from None
    return server


def _check_options(serve: Callable[..., Any], options: dict[str, Any]) -> None:
    parameters = inspect.signature(serve).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for name in options:
        if name not in known and not takes_any:
            raise InterfaceError(f"unknown argument '{name}'{nearest(name, known)}")


def _release(shared: _Shared) -> None:
    with _lock:
        shared.leases -= 1
        # At exit all servers are closed before the connections that hold them.
        if shared.leases == 0 and _running.pop(shared.folder, None) is shared:
            shared.server.close()


def _leave_to_parent() -> None:
    """Forget the servers in a forked child: they run in the parent."""
    global _lock
    _lock = threading.Lock()
    _running.clear()  # what was in it stays alive, by forks.keep()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


@atexit.register
def _close_all() -> None:
    """Close what the program left open, so that its folders are left in order."""
    with _lock:
        while _running:
            _running.popitem()[1].server.close()
