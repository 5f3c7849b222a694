"""The elements of a JSON array, read without holding the whole array."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from thanosql_server.errors import InvalidData
    from thanosql_server.storage.source_file import SourceFile

LONGEST_ROW = 64 << 20
"""Characters of one element at most."""

_CHUNK = 1 << 18
_BLANK = re.compile(r"[ \t\r\n]*")

_TAIL = 16
"""How near to the end a cut token (``-Infinity``, ``\\u12``) makes the decoder fail."""


def not_json(source: SourceFile, failure: Exception, line: int) -> InvalidData:
    """Return the error for text that is not JSON."""
    if isinstance(failure, RecursionError):
        return source.invalid("objects are nested too deeply", line)
    reason = failure.msg if isinstance(failure, json.JSONDecodeError) else "bad number"
    return source.invalid(f"this is not JSON ({reason})", line)


def too_long(source: SourceFile, line: int) -> InvalidData:
    """Return the error for an object that does not fit in memory's share."""
    return source.invalid(f"an object is longer than {LONGEST_ROW >> 20} MiB", line)


class JsonArray:
    """A window that moves over the text of one array."""

    def __init__(self, source: SourceFile, text: TextIO) -> None:
        self._source = source
        self._text = text
        self._decoder = json.JSONDecoder()
        self._window = ""
        self._position = 0
        self._line = 1

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield line number and value of each element.

        Raises:
            InvalidData: the text is not one array.
        """
        self._expect("[")
        if self._next_character() != "]":
            yield self._element()
            while self._next_character() == ",":
                self._expect(",")
                yield self._element()
        self._expect("]")
        if self._next_character():
            raise self._source.invalid("there is more text after the array", self._line)

    def _element(self) -> tuple[int, Any]:
        self._next_character()
        line = self._line
        while True:
            start = self._position
            try:
                value, end = self._decoder.raw_decode(self._window, start)
            except json.JSONDecodeError as failure:
                if self._may_be_cut(failure) and self._read_more():
                    continue
                line += failure.doc.count("\n", start, failure.pos)
                raise not_json(self._source, failure, line) from failure
            except (ValueError, RecursionError) as failure:
                raise not_json(self._source, failure, line) from failure
            if end == len(self._window):  # a number may go on
                if self._read_more():
                    continue
                end -= start
            self._advance(end)
            return line, value

    def _may_be_cut(self, failure: json.JSONDecodeError) -> bool:
        is_open = failure.msg.startswith("Unterminated string")
        return is_open or failure.pos >= len(self._window) - _TAIL

    def _expect(self, character: str) -> None:
        found = self._next_character()
        if found != character:
            what = f"'{found}'" if found else "the end of the file"
            raise self._source.invalid(
                f"expected '{character}', found {what}", self._line
            )
        self._advance(self._position + 1)

    def _next_character(self) -> str:
        """Move to the next character that is not blank; it is empty at the end."""
        while True:
            blank = _BLANK.match(self._window, self._position)
            self._advance(blank.end() if blank else self._position)
            if self._position < len(self._window):
                return self._window[self._position]
            if not self._read_more():
                return ""

    def _advance(self, position: int) -> None:
        self._line += self._window.count("\n", self._position, position)
        self._position = position

    def _read_more(self) -> bool:
        """Drop what is behind and read on, each time as much as there is to keep."""
        kept = self._window[self._position :]
        if len(kept) > LONGEST_ROW:
            raise too_long(self._source, self._line)
        more = self._text.read(max(_CHUNK, len(kept)))
        self._window, self._position = kept + more, 0
        return bool(more)
