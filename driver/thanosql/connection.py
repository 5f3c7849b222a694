"""Connections: one client of one server, in another process or in this one."""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from thanosql import conninfo, embedded, errors
from thanosql.cursor import Cursor
from thanosql.transport import Transport

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from typing_extensions import Self


class Connection:
    """One session with a server; see PEP 249.

    Every statement commits itself; there are no transactions to roll back. Threads may
    share a connection, each with cursors of its own; a forked process may not.

    Attributes:
        autocommit: always True.
        vectors: what vectors are in fetched rows, ``list`` or ``numpy``.
    """

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    autocommit = True

    _closed = True

    def __init__(
        self,
        transport: Transport,
        on_close: Callable[[], None] | None = None,
        *,
        vectors: str = "list",
    ) -> None:
        self.vectors = vectors
        self._transport = transport
        self._on_close = on_close
        self._lock = threading.Lock()
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._closed = False

    def cursor(self) -> Cursor:
        """Return a new cursor.

        Raises:
            InterfaceError: the connection is closed, or another process made it.
        """
        self._check_open()
        cursor = Cursor(self)
        with self._lock:
            self._cursors.add(cursor)
        return cursor

    def commit(self) -> None:
        """Do nothing: every statement has committed itself.

        Raises:
            InterfaceError: the connection is closed, or another process made it.
        """
        self._check_open()

    def rollback(self) -> None:
        """Do nothing: every statement has committed itself.

        Raises:
            InterfaceError: the connection is closed, or another process made it.
        """
        self._check_open()

    def close(self) -> None:
        """Stop what is running and leave the server.

        Raises:
            InterfaceError: it is closed already; PEP 249 and its test suite want it so.
        """
        with self._lock:
            if self._closed:
                raise errors.InterfaceError("the connection is closed already")
            self._closed = True
            cursors = list(self._cursors)
        for cursor in cursors:
            cursor.close()
        self._transport.close()
        if self._on_close is not None and self._transport.of_this_process:
            self._on_close()

    def cancel(self, query_id: str) -> bool:
        """Stop what a cursor of any connection runs, by its `Cursor.query_id`.

        Returns whether the server was running it.

        Raises:
            InterfaceError: this connection is closed, or another process made it.
            OperationalError: the server is gone.
        """
        self._check_open()
        return self._transport.cancel(query_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self._closed:
            self.close()

    def __del__(self) -> None:
        # At the end of the program the system closes everything.
        if self._closed or sys.is_finalizing() or not self._transport.of_this_process:
            return
        warnings.warn(
            f"unclosed connection to {self._transport.location}; use it in a with "
            "statement, or close() it",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
        self._transport.close()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a connection cannot be pickled; connect again where it is needed"
        )

    def _check_open(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the connection is closed")
        if not self._transport.of_this_process:
            raise errors.InterfaceError(
                "the connection was made before this process was forked; connect again "
                "in this one"
            )


def connect(
    target: str | os.PathLike[str] | None = None,
    *,
    token: str | None = None,
    user: str | None = None,
    password: str | None = None,
    tls_root_certs: bytes | str | os.PathLike[str] | None = None,
    tls_client_cert: bytes | str | os.PathLike[str] | None = None,
    tls_client_key: bytes | str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    vectors: str = "list",
    **server_options: Any,
) -> Connection:
    """Connect to a server, or serve a workspace folder inside this process.

    Args:
        target: ``grpc://host:port``, ``grpc+tls://host:port``,
            ``grpc+unix:///path``, ``thanosql://user:token@host:port/?tls=true``, or
            the path of a workspace folder. THANOSQL_URL if not given.
        token: the server's secret. THANOSQL_TOKEN if not given.
        user: name for the handshake, with `password`; not needed with a token.
        password: the same secret as `token`.
        tls_root_certs: certificates to trust, as PEM bytes or the path of a file.
        tls_client_cert: this client's own certificate, likewise, for servers that want
            one.
        tls_client_key: its private key, likewise.
        timeout: seconds that one statement may take; no limit if not given.
        connect_timeout: seconds to wait for the server's first answer, 10 if not given.
        vectors: what vectors are in fetched rows: ``list``, or ``numpy`` for arrays of
            numpy, which are made faster and take less memory.
        server_options: settings of the server for a workspace folder, such as
            ``allowed_paths``.

    Raises:
        InterfaceError: an argument cannot be used.
        OperationalError: no server answers, or it refuses the token.
    """
    if vectors not in ("list", "numpy"):
        raise errors.InterfaceError(
            f"'vectors' must be 'list' or 'numpy', not {vectors!r}"
        )
    settings = {
        "token": token,
        "user": user,
        "password": password,
        "tls_root_certs": tls_root_certs,
        "tls_client_cert": tls_client_cert,
        "tls_client_key": tls_client_key,
        "timeout": timeout,
        "connect_timeout": connect_timeout,
    }
    info = conninfo.parse(target, settings)
    if info.workspace is not None:
        return _connect_embedded(info, vectors, server_options)
    if server_options:
        wrong = next(iter(server_options))
        hint = conninfo.nearest(wrong, [*settings, "vectors"])
        raise errors.InterfaceError(
            f"unknown argument '{wrong}'{hint} (settings of a server can be given only "
            "when it runs in this process)"
        )
    return Connection(Transport(info), vectors=vectors)


def _connect_embedded(
    info: conninfo.Conninfo, vectors: str, options: dict[str, Any]
) -> Connection:
    server = embedded.start(info.workspace or "", options)
    try:
        transport = Transport(server.conninfo(info))
        return Connection(transport, server.release, vectors=vectors)
    except BaseException:
        server.release()
        raise
