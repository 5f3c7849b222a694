"""Reading a file of a hub: what a source is, and in which three ways it fails.

What may succeed when tried again is `Broken`; the rest is said at once. Nobody waits
here: see `hub_download` for time limits and cancelling.
"""

from __future__ import annotations

import http.client
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 18


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
        size: bytes of the whole file, None if the source does not say.
    """

    start: int
    chunks: Generator[bytes, None, None]
    size: int | None = None


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


def chunks_of(file: Any) -> Generator[bytes, None, None]:
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
        raise of_network(failure) from failure
    finally:
        file.close()


def of_network(failure: BaseException) -> Exception:
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
