"""Files of other machines that statements may read: which ones, and how they come.

An address must lie below one that the server was given; nothing of it comes from a
statement but the path below that. Whole files are fetched into the scratch folder,
since types are found by reading them twice.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from thanosql_server.errors import (
    InvalidValue,
    NotSupported,
    PermissionDenied,
    ResourceExhausted,
    UndefinedFile,
)
from thanosql_server.storage.globs import Found, is_glob, limited, matches, split
from thanosql_server.storage.remote_s3 import objects_below, read_object
from thanosql_server.storage.remote_web import read_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.storage.scratch import Scratch

_PORTS = {"http": 80, "https": 443, "s3": None}


class RemoteFiles:
    """What of other machines may be read.

    Args:
        allowed: addresses below which files may be read, `https://host/folder`,
            `http://...` or `s3://bucket/folder`.
        most: bytes that one file may have.
        scratch: where files are kept while they are read.

    Raises:
        InvalidValue: one of the addresses is none.
    """

    def __init__(self, allowed: tuple[str, ...], most: int, scratch: Scratch) -> None:
        self._allowed = allowed
        self._most = most
        self._scratch = scratch
        for address in allowed:
            if not is_remote(address) or not urlsplit(address).hostname:
                raise InvalidValue(
                    "--allow-url takes an address such as https://example.org/data or "
                    f"s3://bucket/data, not '{address}'"
                )

    def require(self, address: str) -> str:
        """Return the address if it may be read.

        Raises:
            PermissionDenied: it lies below none that the server was given.
            InvalidValue: it is no address.
        """
        if any(_is_below(address, one) for one in self._allowed):
            return address
        raise PermissionDenied(
            f"'{address}' is none of the addresses this server may read; start it with "
            "--allow-url for what lies there"
        )

    def fetched_files(
        self, address: str, kept: ExitStack, control: Control | None
    ) -> list[Found]:
        """Fetch the file of an address, or those of a pattern of S3, sorted by name.

        They are removed at the end of `kept`.

        Raises:
            UndefinedFile: there is none.
            ResourceExhausted: all together are larger than one file may be.
            Exception: see `fetched`.
        """
        if not is_glob(_path_of(address)):
            path = kept.enter_context(self.fetched(address, control))
            return [Found(path, address)]
        found = self._objects(address)
        return [
            Found(kept.enter_context(self.fetched(one, control)), one) for one in found
        ]

    def _objects(self, pattern: str) -> list[str]:
        """Return the addresses of the objects of S3 that a pattern means, sorted."""
        base, parts = split(pattern.partition("://")[2])
        self.require(f"s3://{base}/")
        sizes = {
            f"s3://{key}": size
            for key, size in objects_below(base, is_deep=len(parts) > 1)
            if matches(parts, PurePosixPath(key).relative_to(base).parts)
        }
        if not sizes:
            raise UndefinedFile(f"no file matches '{pattern}'")
        if sum(sizes.values()) > self._most:
            raise ResourceExhausted(
                f"the files of '{pattern}' are larger than the {self._most:,} bytes "
                "that a statement may fetch; give the server a larger "
                "--max-fetched-bytes"
            )
        return list(limited(pattern, sorted(sizes)))

    @contextmanager
    def fetched(self, address: str, control: Control | None) -> Iterator[Path]:
        """Fetch a file, and remove it at the end.

        The path that it yields ends as the address does.

        Raises:
            PermissionDenied: it may not be read, or leads to what may not.
            UndefinedFile: there is no such file.
            HubUnreachable: the other machine does not answer, or refuses.
            ResourceExhausted: the file is too large, or the disk is full.
        """
        self.require(address)
        parts = urlsplit(address)
        suffix = PurePosixPath(unquote(parts.path)).suffix
        path = self._scratch.new_path().with_suffix(suffix or ".none")
        chunks = (
            read_object(address)
            if parts.scheme == "s3"
            else read_page(address, self.require, self._allowed)
        )
        try:
            self._keep(path, chunks, address, control)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _keep(
        self,
        path: Path,
        chunks: Iterator[bytes],
        address: str,
        control: Control | None,
    ) -> None:
        size = 0
        with path.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > self._most:
                    raise ResourceExhausted(
                        f"'{address}' is larger than the {self._most:,} bytes that a "
                        "fetched file may have; give the server a larger "
                        "--max-fetched-bytes"
                    )
                try:
                    file.write(chunk)
                except OSError as failure:
                    raise ResourceExhausted(
                        f"'{address}' does not fit on the server's disk: "
                        f"{failure.strerror}"
                    ) from failure
                if control is not None:
                    control.report("fetching", size)


def require_listable(address: str) -> None:
    """Raise NotSupported for a pattern of files of a web server, which lists none."""
    if not address.lower().startswith("s3:") and is_glob(_path_of(address)):
        raise NotSupported(
            f"'{address}' is a pattern, and web servers do not list their files; copy "
            "them one by one, or write %2A for a '*' that belongs to a name"
        )


def _path_of(address: str) -> str:
    """Return what of an address may hold a pattern; web servers read '?' otherwise."""
    if address.lower().startswith("s3:"):
        return address.partition("://")[2]
    return urlsplit(address).path


def is_remote(text: str) -> bool:
    """Return whether a path of a statement is an address on another machine."""
    return text.partition("://")[0].lower() in _PORTS and "://" in text


def _is_below(address: str, allowed: str) -> bool:
    """Return whether an address is an allowed one, or lies below it."""
    try:
        given, listed = urlsplit(address), urlsplit(allowed)
        places = [
            (one.scheme, one.hostname, one.port or _PORTS[one.scheme])
            for one in (given, listed)
        ]
    except (ValueError, KeyError):
        raise InvalidValue(f"'{address}' is not an address") from None
    if places[0] != places[1] or given.username or given.password:
        return False
    # A server may read `%2e%2e`, and a backslash, as a step out of the folder.
    steps = unquote(unquote(given.path)).replace("\\", "/").split("/")
    if ".." in steps or any(ord(sign) < 33 for sign in address):
        return False
    top = listed.path.rstrip("/")
    return given.path == top or given.path.startswith(f"{top}/")
