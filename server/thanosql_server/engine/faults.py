"""DataFusion's exceptions as errors a user can act on.

DataFusion raises bare ValueError (planning) or Exception (running), told apart only by
their text. This is the one place that reads that text.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import TYPE_CHECKING

from thanosql_server.errors import (
    InternalError,
    InvalidData,
    InvalidStatement,
    NotSupported,
    OutOfMemory,
    Position,
    SyntaxError_,
    ThanoSQLError,
    UndefinedColumn,
    UndefinedObject,
    UndefinedTable,
    nearest,
)
from thanosql_server.sql.names import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PARSER = re.compile(
    r'ParserError\("(.*?)(?: at Line: (\d+), Column: (\d+))?"\)\Z', re.DOTALL
)
_TABLE = re.compile(r"table '(?:thanosql\.)?(?:public\.)?(.+?)' not found")
_COLUMN = re.compile(r"No field named (.+?)\.(?:\s|\Z)")
_FIELDS = re.compile(r"Valid fields are (.+?)\.?\Z", re.DOTALL)
_FUNCTION = re.compile(r"Invalid function '(.+?)'")
_SIGNATURE = re.compile(r"Function '(\w+)' failed to match any signature")
_RECEIVED = re.compile(r"received (?:\w+ \(DataType: )?(\w+)")
logger = logging.getLogger(__name__)

_NOISE = re.compile(
    r"^(?:DataFusion error: |External error: |Error during planning: |Schema error: |"
    r"SQL error: |Arrow error: |Execution error: |Optimizer rule '\w+' failed\s+"
    r"caused by\s+|type_coercion\s+caused by\s+|caused by\s+)+"
)
_PYTHON = re.compile(r"PyErr \{|Traceback \(most recent call last\)")
"""An exception of Python code below a scan or a function, with its traceback."""

_DATA = re.compile(
    r"Divide by zero|Cast error|Cannot cast|Overflow|Invalid argument error|"
    r"Parser error|(?:LIMIT|OFFSET) must be|Execution error: |regex parse error"
)


def unknown_column(error: Exception) -> tuple[str, list[str]] | None:
    """Return the name of the missing column and the valid ones, if it is about one."""
    text = str(error)
    match = _COLUMN.search(text)
    if not match:
        return None
    valid = _FIELDS.search(text)
    fields = _split_fields(valid.group(1)) if valid else []
    return _bare(match.group(1)), fields


def translate(
    error: BaseException,
    text: str,
    *,
    original: Callable[[int], int] | None = None,
    tables: Sequence[str] = (),
    rewritten: str = "",
) -> ThanoSQLError:
    """Return the error of ours that says what `error` means.

    Args:
        error: what DataFusion raised.
        text: the statement as the user wrote it, for positions.
        original: maps an offset in `rewritten` to one in `text`.
        tables: the tables there are, to suggest the nearest.
        rewritten: the text that DataFusion saw.
    """
    if isinstance(error, ThanoSQLError):
        return error
    message = str(error)
    if _PYTHON.search(message):
        return _fault_of_ours(error)
    parser = _PARSER.search(message)
    if parser:
        return _syntax_error(parser, text, rewritten, original)
    missing = unknown_column(error) if isinstance(error, Exception) else None
    if missing:
        name, fields = missing
        if name in fields:
            return _wrong_relation(message, name, text)
        hint = nearest(name, fields) or _listing(fields)
        return UndefinedColumn(
            f"there is no column '{name}'{hint}", position=locate(text, name)
        )
    table = _TABLE.search(message)
    if table:
        name = table.group(1)
        hint = nearest(name, tables) or "; LIST TABLE shows the tables there are"
        position = locate(text, name.rpartition(".")[2])
        return UndefinedTable(f"there is no table '{name}'{hint}", position=position)
    function = _FUNCTION.search(message)
    if function:
        name = function.group(1)
        return UndefinedObject(
            f"there is no function '{name}'", position=locate(text, name)
        )
    return _by_kind(message, error)


def _fault_of_ours(error: BaseException) -> InternalError:
    log_id = secrets.token_hex(4)
    logger.error("internal error %s", log_id, exc_info=error)
    return InternalError(f"internal error; the server's log has it under id {log_id}")


def _wrong_relation(message: str, name: str, text: str) -> UndefinedTable:
    """Return the error for `x.name` where only `x` is wrong."""
    match = _COLUMN.search(message)
    relation = _bare(match.group(1).rpartition(".")[0]) if match else ""
    return UndefinedTable(
        f"there is no table or alias '{relation}' with a column '{name}' in this query",
        position=locate(text, relation),
    )


def _by_kind(message: str, error: BaseException) -> ThanoSQLError:
    plain = _plain(message)
    if "DDL not supported: CreateMemoryTable" in message:
        return NotSupported(
            "SELECT INTO is not supported; CREATE TABLE ... AS SELECT does the same"
        )
    signature = _SIGNATURE.search(message)
    if signature:
        return InvalidStatement(
            f"function '{signature.group(1)}' does not take {_given(message)}"
        )
    if "Resources exhausted" in message:
        return OutOfMemory(
            "the statement needs more memory than the server may use; select fewer "
            "rows or columns, or give the server a larger --memory-limit"
        )
    if re.search(r"not supported|not implemented|unsupported", message, re.IGNORECASE):
        return NotSupported(plain)
    if _DATA.search(message):
        return InvalidData(plain)
    if isinstance(error, ValueError) or "Error during planning" in message:
        return InvalidStatement(plain)
    return InternalError(plain)


def _given(message: str) -> str:
    """Return what a function was given: "2 arguments" or "Utf8"."""
    received = _RECEIVED.search(message)
    given = received.group(1) if received else "these arguments"
    return f"{given} arguments" if given.isdigit() else given


def _syntax_error(
    match: re.Match[str],
    text: str,
    rewritten: str,
    original: Callable[[int], int] | None,
) -> SyntaxError_:
    said, line, column = match.groups()
    said = said.replace('\\"', '"').replace("\\'", "'")
    position = None
    if line and int(line):
        offset = _offset(rewritten or text, int(line), int(column))
        position = Position.of(text, original(offset) if original else offset)
    return SyntaxError_(_lower_first(said), position=position)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.splitlines(keepends=True)
    return min(sum(len(part) for part in lines[: line - 1]) + column - 1, len(text))


def _plain(message: str) -> str:
    text = _NOISE.sub("", message.strip())
    text = re.split(r"\n\nbacktrace|\nThis issue was likely|\n\n", text)[0]
    text = text.replace("thanosql.public.", "")
    return _lower_first(" ".join(text.split()))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _bare(name: str) -> str:
    """Return the column's own name of `t."A"`, `a`, `"x.y"`."""
    quoted = re.search(r'"((?:[^"]|"")*)"\Z', name)
    if quoted:
        return quoted.group(1).replace('""', '"')
    return name.rpartition(".")[2]


def _split_fields(text: str) -> list[str]:
    parts = re.findall(r'((?:[^,"]|"(?:[^"]|"")*")+)', text)
    return [_bare(part.strip()) for part in parts if part.strip()]


def _listing(fields: list[str]) -> str:
    visible = [name for name in fields if not name.startswith(("__", "_rowid"))]
    if not visible:
        return ""
    return "; there are " + ", ".join(dict.fromkeys(visible[:12]))
