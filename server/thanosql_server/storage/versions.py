"""Finding a version of a table, and forgetting those replaced long ago."""

from __future__ import annotations

import logging
import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import lance

from thanosql_server.config import KEPT_HOURS
from thanosql_server.errors import InvalidValue
from thanosql_server.storage.newest import is_there, removing_versions

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

KEPT = timedelta(hours=KEPT_HOURS)
"""How long replaced versions stay, unless the server is told otherwise."""


def number_of(folder: Path, version: int | datetime, name: str) -> int:
    """Return the number of a version that is there, of the newest one at a time.

    Raises:
        InvalidValue: there is no such version, or no longer.
    """
    if isinstance(version, int) and is_there(folder, version):
        return version
    there: Any = lance.dataset(folder).versions()
    if isinstance(version, int):
        if any(one["version"] == version for one in there):
            return version
        raise InvalidValue(
            f"table '{name}' has no version {version}; it has {there[0]['version']} to "
            f"{there[-1]['version']}, and SHOW VERSIONS {name} lists them"
        )
    before = [one for one in there if in_utc(one["timestamp"]) <= version]
    if before:
        return int(before[-1]["version"])
    oldest = in_utc(there[0]["timestamp"])
    raise InvalidValue(
        f"table '{name}' has no version of {version:%Y-%m-%d %H:%M:%S} UTC; the oldest "
        f"is of {oldest:%Y-%m-%d %H:%M:%S}, and SHOW VERSIONS {name} lists them"
    )


def forget_old_versions(folder: Path, kept: timedelta = KEPT) -> None:
    """Remove versions that were replaced long ago, and what failed writers left."""
    try:
        with removing_versions(folder):
            lance.dataset(folder).cleanup_old_versions(older_than=kept)
    except Exception:
        if not folder.exists():
            return  # dropped meanwhile, and everything of it is gone
        logger.warning("old versions of a table could not be removed", exc_info=True)


def has_older(folder: Path, kept: timedelta) -> bool:
    """Return whether a version but the newest may have been made longer ago."""
    before = time.time() - kept.total_seconds()
    with os.scandir(folder / "_versions") as entries:
        names = sorted(one.name for one in entries if one.name.endswith(".manifest"))
    # The names count down, so that the oldest comes last.
    return (
        len(names) > 1 and os.stat(folder / "_versions" / names[-1]).st_mtime < before
    )


def in_utc(local: datetime) -> datetime:
    """Return Lance's time, which is in the server's time zone and does not say so."""
    return local.astimezone(timezone.utc)
