"""Where a hub's bytes come from: a folder, a web server or an object store.

A source opens a file at an offset and yields its bytes as they come. What may succeed
when tried again is `Broken`; the rest is said at once. Nobody else waits here: see
`hub_download` for time limits and cancelling.
"""

from __future__ import annotations

import errno
import http.client
import importlib
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from thanosql_server.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Generator

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 18

SOCKET_SECONDS = 60.0
"""After this a connection that nobody waits for any more lets go of its thread."""

MAX_REDIRECTS = 5

_BEYOND_THE_END = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class Missing(Exception):
    """The hub has no such file."""


class Refused(Exception):
    """The hub will not give the file, however often it is asked; str is the reason."""


class Broken(Exception):
    """The transfer failed and may succeed when tried again; str is the reason."""


@dataclass(frozen=True)
class Opened:
    """A file on its way: the offset at which the bytes really begin, and the bytes.

    Attributes:
        start: 0 if the source cannot continue where it was asked to.
        chunks: the bytes; closing it closes the connection. It may end early, which
            only the caller can tell from the size.
    """

    start: int
    chunks: Generator[bytes, None, None]


class Source(Protocol):
    """One hub."""

    @property
    def shown(self) -> str:
        """The hub as errors name it, without passwords and paths of the server."""

    @property
    def is_local(self) -> bool:
        """Whether reading it needs no network."""

    def open(self, path: str, offset: int = 0) -> Opened:
        """Begin to read a file at `offset`.

        Raises:
            Missing: there is no such file.
            Refused: it cannot be had.
            Broken: it may be had when tried again.
        """


def source_of(location: str) -> Source:
    """Return the source for a location as the configuration gives it.

    Raises:
        InvalidValue: it is no folder and no address that this server can read.
    """
    wrong = InvalidValue(f"'{location}' is no folder and no address of a hub")
    if not location:
        raise wrong
    if "://" not in location:
        return FolderSource(Path(location))
    try:
        parts = urlsplit(location)
    except ValueError:
        raise wrong from None
    if parts.username is not None or parts.password is not None:
        raise InvalidValue("the location of a hub cannot hold a name or a password")
    if parts.query or parts.fragment:
        raise InvalidValue("the location of a hub cannot hold '?' or '#'")
    if parts.scheme == "file":
        return FolderSource(Path(parts.path))
    if not parts.netloc:
        raise wrong
    if parts.scheme in ("http", "https"):
        return HttpSource(location.rstrip("/"))
    return ObjectSource(location.rstrip("/"))


@dataclass(frozen=True)
class FolderSource:
    """A hub that is a folder of this machine."""

    folder: Path
    is_local = True

    @property
    def shown(self) -> str:
        """The folder's own name; the path above it is nobody's business."""
        return f"the hub in folder '{self.folder.name}'"

    def open(self, path: str, offset: int = 0) -> Opened:
        """Begin to read a file; see `Source.open`."""
        if not self.folder.is_dir():
            raise Refused("the folder is not there")
        try:
            file = (self.folder / path).open("rb")
            file.seek(offset)
        except OSError as failure:
            raise _of_os(failure) from failure
        return Opened(offset, _chunks(file))


@dataclass(frozen=True)
class HttpSource:
    """A hub on a web server; its answers are believed no further than their hashes."""

    address: str
    is_local = False

    @property
    def shown(self) -> str:
        """The address as configured."""
        return f"the hub {self.address}"

    def open(self, path: str, offset: int = 0) -> Opened:
        """Begin to read a file; see `Source.open`."""
        request = urllib.request.Request(
            f"{self.address}/{quote(path)}",
            headers={"Accept-Encoding": "identity", "User-Agent": "thanosql"},
        )
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
            raise _of_network(failure) from failure
        return Opened(_start(answer), _chunks(answer))


@dataclass(frozen=True)
class ObjectSource:
    """A hub in an object store, or whatever else fsspec can read."""

    location: str
    is_local = False

    @property
    def shown(self) -> str:
        """The location as configured."""
        return f"the hub {self.location}"

    def open(self, path: str, offset: int = 0) -> Opened:
        """Begin to read a file; see `Source.open`."""
        try:
            # fsspec comes with torch; only hubs of this kind need to load it.
            fsspec: Any = importlib.import_module("fsspec")
            files, root = fsspec.core.url_to_fs(self.location)
            file = files.open(f"{root}/{path}", "rb")
            file.seek(offset)
        except (ImportError, ValueError) as failure:
            logger.warning("%s: %s", self.location, failure)
            raise Refused("this server has no package that reads it") from failure
        except OSError as failure:
            raise _of_os(failure) from failure
        # Each store raises errors of its own library.
        except Exception as failure:
            raise Broken(type(failure).__name__) from failure
        return Opened(offset, _chunks(file))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to web servers only, and never from https to http."""

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
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects())


def _chunks(file: Any) -> Generator[bytes, None, None]:
    """Yield what is read, as soon as it is there; close the file at the end."""
    # A network stream's read() waits until all of its bytes are there.
    read = getattr(file, "read1", file.read)
    try:
        while chunk := read(CHUNK_BYTES):
            yield chunk
        # http.client takes an early end for the end; here are the bytes that miss.
        if getattr(file, "length", None):
            raise Broken("it broke off the connection")
    except (http.client.HTTPException, OSError) as failure:
        raise _of_network(failure) from failure
    finally:
        file.close()


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


def _of_status(code: int) -> Exception:
    if code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
        return Missing()
    busy = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS)
    kind = Broken if code >= 500 or code in busy else Refused
    return kind(f"it answers with status {code}")


def _of_network(failure: BaseException) -> Exception:
    """Return what a failed connection means; its reason, without addresses."""
    cause = getattr(failure, "reason", failure)
    logger.info("a hub could not be read: %s", failure)
    if isinstance(cause, TimeoutError):
        return Broken("it does not answer")
    if isinstance(cause, ConnectionRefusedError):
        return Broken("nothing answers at this address")
    if isinstance(cause, (http.client.HTTPException, ConnectionError)):
        return Broken("it broke off the connection")
    if isinstance(cause, OSError) and cause.strerror:
        return Broken(cause.strerror[:1].lower() + cause.strerror[1:])
    return Broken("it cannot be reached")


def _of_os(failure: OSError) -> Exception:
    absent = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
    if failure.errno in absent or isinstance(failure, FileNotFoundError):
        return Missing()
    reason = os.strerror(failure.errno) if failure.errno else "it cannot be read"
    return Refused(reason[:1].lower() + reason[1:])
