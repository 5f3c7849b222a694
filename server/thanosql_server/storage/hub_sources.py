"""Where a hub's bytes come from: a folder, a web server or an object store.

A source opens a file at an offset and yields its bytes as they come.
"""

from __future__ import annotations

import errno
import importlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from thanosql_server.errors import InvalidValue
from thanosql_server.storage.hub_reading import (
    Broken,
    Missing,
    Opened,
    Refused,
    chunks_of,
)
from thanosql_server.storage.hub_web import HttpSource

if TYPE_CHECKING:
    from thanosql_server.storage.hub_reading import Source

logger = logging.getLogger(__name__)


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
            size = os.fstat(file.fileno()).st_size
            file.seek(offset)
        except OSError as failure:
            raise _of_os(failure) from failure
        return Opened(offset, chunks_of(file), size)


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
        return Opened(offset, chunks_of(file))


def _of_os(failure: OSError) -> Exception:
    absent = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
    if failure.errno in absent or isinstance(failure, FileNotFoundError):
        return Missing()
    reason = os.strerror(failure.errno) if failure.errno else "it cannot be read"
    return Refused(reason[:1].lower() + reason[1:])
