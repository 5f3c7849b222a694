"""Names of tables and models as file names, and back."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

MAX_CHARACTERS = 128
"""Longest name of a table or a model."""

MAX_BYTES = 240
"""Longest file name, suffix not counted; file systems allow 255 bytes (NAME_MAX).

Capitals take three bytes and a Korean syllable nine, so 26 of the latter fit;
PostgreSQL's limit of 63 bytes holds 21.
"""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")
_QUOTED = re.compile(r"(?:[a-z0-9_]|%[0-9A-F]{2})+")


def quote_name(name: str, what: str) -> str:
    """Return `name` as a file name: all but ``[a-z0-9_]`` percent-encoded.

    Capitals are encoded too, so that names which differ only in case stay apart on
    file systems that ignore case.

    Raises:
        InvalidValue: the name is empty, too long or holds control characters.
    """
    _require_usable(name, what)
    encoded = name.encode("utf-8")
    quoted = "".join(chr(b) if b in _PLAIN else f"%{b:02X}" for b in encoded)
    if len(quoted) > MAX_BYTES:
        raise InvalidValue(
            f"the name of the {what} '{name}' is too long to be stored; choose a "
            f"shorter one ({MAX_BYTES} plain letters, or {MAX_BYTES // 9} in Korean)"
        )
    return quoted


def unquote_name(quoted: str) -> str | None:
    """Return the name that `quote_name` made this of, or None if it made it not."""
    if not _QUOTED.fullmatch(quoted):
        return None
    plain = re.sub(r"%(..)", lambda found: chr(int(found[1], 16)), quoted)
    try:
        name = plain.encode("latin-1").decode("utf-8")
        return name if quote_name(name, "entry") == quoted else None
    except (UnicodeDecodeError, InvalidValue):
        return None


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing if it is not there."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _require_usable(name: str, what: str) -> None:
    if not name:
        raise InvalidValue(f"the name of a {what} cannot be empty")
    if len(name) > MAX_CHARACTERS:
        raise InvalidValue(
            f"the name of the {what} '{name[:20]}...' has {len(name)} characters; "
            f"at most {MAX_CHARACTERS} are possible"
        )
    # Cc: control characters, Cs: halves of surrogate pairs, which UTF-8 cannot hold.
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise InvalidValue(
            f"the name of the {what} {name!a} holds a control character; "
            "choose one without"
        )
