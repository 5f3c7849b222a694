"""Connections: one client of one server, in another process or in this one."""

from __future__ import annotations

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

    Every statement commits itself; there are no transactions to roll back.
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

    def __init__(
        self, transport: Transport, on_close: Callable[[], None] | None = None
    ) -> None:
        self._transport = transport
        self._on_close = on_close
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._closed = False

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        self._check_open()
        cursor = Cursor(self)
        self._cursors.add(cursor)
        return cursor

    def commit(self) -> None:
        """Do nothing: every statement has committed itself."""
        self._check_open()

    def rollback(self) -> None:
        """Do nothing: every statement has committed itself."""
        self._check_open()

    def close(self) -> None:
        """Stop what is running and leave the server; may be called twice."""
        if self._closed:
            return
        for cursor in list(self._cursors):
            cursor.close()
        self._closed = True
        self._transport.close()
        if self._on_close is not None:
            self._on_close()

    def cancel_statement(self, statement_id: str) -> bool:
        """Stop a statement of any connection by its id (extension of PEP 249).

        Returns whether the server was running it.
        """
        self._check_open()
        return self._transport.cancel(statement_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the connection is closed")


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
        server_options: settings of the server for a workspace folder, such as
            ``allowed_paths``.

    Raises:
        InterfaceError: an argument cannot be used.
        OperationalError: no server answers, or it refuses the token.
    """
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
        return _connect_embedded(info, server_options)
    if server_options:
        wrong = next(iter(server_options))
        hint = conninfo.nearest(wrong, settings)
        raise errors.InterfaceError(
            f"unknown argument '{wrong}'{hint} (settings of a server can be given only "
            "when it runs in this process)"
        )
    return Connection(Transport(info))


def _connect_embedded(info: conninfo.Conninfo, options: dict[str, Any]) -> Connection:
    server = embedded.start(info.workspace or "", options)
    try:
        return Connection(Transport(server.conninfo(info)), server.release)
    except BaseException:
        server.release()
        raise
