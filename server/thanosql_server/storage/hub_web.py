"""Hubs on web servers: redirects, ranges, tokens, and what their answers mean."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from thanosql_server.storage.hub_reading import (
    Broken,
    Missing,
    Opened,
    Refused,
    chunks_of,
    of_network,
)

if TYPE_CHECKING:
    from email.message import Message

SOCKET_SECONDS = 60.0
"""After this a connection that nobody waits for any more lets go of its thread."""

MAX_REDIRECTS = 5

_BEYOND_THE_END = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@dataclass(frozen=True)
class HttpSource:
    """A hub on a web server; its answers are believed no further than their hashes.

    Attributes:
        address: what every path is below.
        query: what follows every path, such as `?w=640`.
        token: proves to this host, and to no other, who asks.
    """

    address: str
    query: str = ""
    token: str | None = field(default=None, repr=False)
    is_local = False

    @property
    def shown(self) -> str:
        """The address as configured."""
        return f"the hub {self.address}"

    def open(self, path: str, offset: int = 0) -> Opened:
        """Begin to read a file; see `Source.open`."""
        request = self._request(path)
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        try:
            answer = _OPENER.open(request, timeout=SOCKET_SECONDS)
        except urllib.error.HTTPError as failure:
            failure.close()
            # Nothing comes after the offset: what is there is of another file.
            if offset and failure.code == _BEYOND_THE_END:
                return self.open(path)
            raise _of_status(failure.code) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as failure:
            raise of_network(failure) from failure
        return Opened(_start(answer), chunks_of(answer), _size(answer))

    def headers(self, path: str) -> Message:
        """Return what this host says about a file, wherever the file itself may be.

        Raises:
            Missing, Refused, Broken: see `Source.open`.
        """
        request = self._request(path)
        request.method = "HEAD"
        try:
            with _HEADS.open(request, timeout=SOCKET_SECONDS) as answer:
                headers: Message = answer.headers
                return headers
        except urllib.error.HTTPError as failure:
            failure.close()
            if 300 <= failure.code < 400:
                return failure.headers
            raise _of_status(failure.code) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as failure:
            raise of_network(failure) from failure

    def _request(self, path: str) -> urllib.request.Request:
        request = urllib.request.Request(
            f"{self.address}/{quote(path)}{self.query}",
            headers={"Accept-Encoding": "identity", "User-Agent": "thanosql"},
        )
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to web servers only, never from https to http, and without the token."""

    max_redirections = MAX_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            fp.close()
            raise Refused("it leads to an address that is not secure")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl).netloc != req.host:
            following.remove_header("Authorization")
        return following


class _OwnRedirects(_Redirects):
    """Follow within one host; the answer that leads elsewhere is the last."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).netloc != req.host:
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.method = req.get_method()
        return following


_OPENER = urllib.request.build_opener(_Redirects())
_HEADS = urllib.request.build_opener(_OwnRedirects())


def _start(answer: Any) -> int:
    """Return the offset at which an answer begins: `Content-Range: bytes 5-9/10`."""
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    given = str(answer.headers.get("Content-Range", ""))
    start = given.removeprefix("bytes ").partition("-")[0]
    if not start.isdecimal():
        answer.close()
        raise Refused("it answers with a part of the file and does not say which")
    return int(start)


def _size(answer: Any) -> int | None:
    """Return the bytes of the whole file: `Content-Range: bytes 5-9/10`."""
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        given = str(answer.headers.get("Content-Range", "")).rpartition("/")[2]
    else:
        given = str(answer.headers.get("Content-Length", ""))
    return int(given) if given.isdecimal() else None


def _of_status(code: int) -> Exception:
    if code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
        return Missing()
    busy = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS)
    kind = Broken if code >= 500 or code in busy else Refused
    return kind(f"it answers with status {code}")
