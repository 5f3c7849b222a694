"""A file that is being imported, and what can be wrong with its text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from thanosql_server.errors import InvalidData, InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from thanosql_server.control import Control


@dataclass(frozen=True)
class SourceFile:
    """One file.

    Attributes:
        path: where it is.
        shown: the path as the user wrote it.
        encoding: name of its encoding, if it is text.
        control: the statement that reads it, if there is one.
        sheet: the name or the number (from 1) of a sheet, None for the first.
    """

    path: Path
    shown: str
    encoding: str = "utf-8"
    control: Control | None = None
    sheet: str | int | None = None

    def check(self) -> None:
        """Raise Cancelled if the statement was asked to stop."""
        if self.control is not None:
            self.control.check()

    def require_encoding(self) -> None:
        """Raise InvalidValue if Python does not know the encoding."""
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError):
            raise InvalidValue(
                f"there is no text encoding named '{self.encoding}'; "
                "try utf-8, utf-16, cp949 or latin-1"
            ) from None

    @property
    def is_utf8(self) -> bool:
        """Whether the encoding is plain UTF-8, however it is spelt."""
        return codecs.lookup(self.encoding).name == "utf-8"

    def open_text(self, errors: str = "strict") -> TextIO:
        """Open the file as text without a byte order mark, line ends kept."""
        encoding = "utf-8-sig" if self.is_utf8 else self.encoding
        return self.path.open(encoding=encoding, errors=errors, newline="")

    def fields(self, schema: pa.Schema, names: list[str]) -> list[pa.Field]:
        """Return the fields of these names, found when the file was read first.

        Raises:
            InvalidData: one of them is new.
        """
        if not set(names).issubset(schema.names):
            raise self.invalid("the file changed while it was read")
        return [schema.field(name) for name in names]

    def invalid(self, problem: str, line: int = 0) -> InvalidData:
        """Return the error that tells of a problem, and of its line (from 1)."""
        where = f", line {line}" if line else ""
        return InvalidData(f"'{self.shown}'{where}: {problem}")

    def undecodable(self) -> InvalidData:
        """Return the error for bytes that are no text in the file's encoding."""
        return self.invalid(
            f"this is no {self.encoding} text; if the file is encoded otherwise, say "
            "so with the option encoding, as in encoding='cp949'",
            self._undecodable_line(),
        )

    def _undecodable_line(self) -> int:
        """Return the first line that cannot be decoded, 0 if it cannot be told."""
        try:
            # Undecodable bytes become lone surrogates, which no text holds.
            with self.open_text(errors="surrogateescape") as lines:
                return next((n for n, s in enumerate(lines, 1) if not _is_text(s)), 0)
        except ValueError:  # utf-16 and its like do not know surrogateescape
            return 0


def _is_text(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
