"""Files of web servers: no way past the list of addresses, nor into a private network.

A name is looked up once, and the connection goes to an address that was checked: a
name that leads to a private address a moment later does not help (DNS rebinding).
Private addresses are those that are not global (RFC 6890).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from thanosql_server.errors import HubUnreachable, PermissionDenied, UndefinedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

MAX_REDIRECTS = 5

_SECONDS = 30.0
"""For which a server may be silent."""

_CHUNK = 1 << 20
_SAFE = "/%:@!$&'()*+,;=~-._?"
"""What stands in an address as it is; RFC 3986."""

_REDIRECTS = (301, 302, 303, 307, 308)


def read_page(
    address: str, require: Callable[[str], str], allowed: tuple[str, ...]
) -> Iterator[bytes]:
    """Yield the bytes of a file of a web server.

    Args:
        address: of the file.
        require: raises for an address that may not be read; asked before each redirect
            is followed.
        allowed: the addresses that the server was given; a private one is only read if
            it is listed as it is.

    Raises:
        PermissionDenied: it leads to an address that may not be read.
        UndefinedFile: there is no such file.
        HubUnreachable: the server does not answer, refuses, or breaks off.
    """
    listed = {urlsplit(one).hostname for one in allowed}
    target = address
    for _ in range(MAX_REDIRECTS + 1):
        try:
            following = yield from _answer(target, address, listed)
        except (OSError, http.client.HTTPException) as failure:
            reason = (
                "it takes too long"
                if isinstance(failure, TimeoutError)
                else ("the connection failed or broke off")
            )
            raise HubUnreachable(f"'{address}' cannot be read: {reason}") from failure
        if following is None:
            return
        target = require(urljoin(target, following))
    raise HubUnreachable(f"'{address}' cannot be read: it is redirected too often")


def _answer(
    target: str, address: str, listed: set[str | None]
) -> Generator[bytes, None, str | None]:
    """Yield the bytes of one answer; return where it leads instead, if it does."""
    parts = urlsplit(target)
    host = parts.hostname or ""
    connection = _connected(host, parts.port, parts.scheme == "https", host in listed)
    try:
        path = quote(parts.path or "/", safe=_SAFE)
        connection.request(
            "GET",
            f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path,
            headers={"Accept-Encoding": "identity", "User-Agent": "thanosql"},
        )
        with closing(connection.getresponse()) as answer:
            if answer.status in _REDIRECTS:
                return answer.headers.get("Location") or target
            _require_found(answer.status, address)
            while chunk := answer.read(_CHUNK):
                yield chunk
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
    finally:
        connection.close()
    return None


def _require_found(status: int, address: str) -> None:
    if status in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
        raise UndefinedFile(f"there is no file '{address}'")
    if status != http.HTTPStatus.OK:
        raise HubUnreachable(
            f"'{address}' cannot be read: the server answers with status {status}"
        )


def _connected(
    host: str, port: int | None, secure: bool, listed: bool
) -> http.client.HTTPConnection:
    place = _checked_place(host, port or (443 if secure else 80), listed)
    raw = socket.create_connection(place, timeout=_SECONDS)
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        if secure:
            context = ssl.create_default_context()
            raw = context.wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise
    connection.sock = raw
    return connection


def _checked_place(host: str, port: int, listed: bool) -> tuple[str, int]:
    """Return an address of the host that may be spoken to.

    Raises:
        PermissionDenied: a name that leads into a private network, or an address in one
            that is not listed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = [(str(one[4][0]), port) for one in found]
    # Who lists `http://10.0.0.5/` or localhost knows where it leads; a public name
    # that leads there is a trap.
    if listed and (host == "localhost" or _is_literal(host)):
        return places[0]
    for place in places:
        if not ipaddress.ip_address(place[0].partition("%")[0]).is_global:
            raise PermissionDenied(
                f"'{host}' leads to a private address, which this server reads only if "
                "--allow-url lists the address itself"
            )
    return places[0]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
