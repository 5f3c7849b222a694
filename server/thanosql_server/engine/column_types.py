"""Types of columns as they are written -> Arrow types.

DataFusion knows most spellings: it is asked for the type of CAST(NULL AS ...). Those
that it does not know, or gives a type of nanoseconds, are in the table below.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import session
from thanosql_server.errors import UndefinedObject, nearest

if TYPE_CHECKING:
    from datafusion import SessionContext

    from thanosql_server.sql.nodes import TypeText

MEDIA = ("IMAGE", "AUDIO", "VIDEO")
"""Types of columns that hold paths of such files, as texts."""

_NAMES = (
    *(
        "TINYINT",
        "SMALLINT",
        "INT",
        "INTEGER",
        "BIGINT",
        "REAL",
        "DOUBLE",
        "DECIMAL(p, s)",
    ),
    *("BOOLEAN", "TEXT", "VARCHAR(n)", "CHAR(n)", "BYTEA", "DATE", "TIME", "TIMESTAMP"),
    *("TIMESTAMPTZ", "VECTOR(n)", "STRUCT<name type, ...>", "type[]", "type[n]"),
    *MEDIA,
)
_SUFFIX = re.compile(r"\s*\[\s*(\d*)\s*\]$")
_VECTOR = re.compile(r"VECTOR\s*\(\s*(\d{1,6})\s*\)")
_FLOAT = re.compile(r"FLOAT\s*\(\s*(\d+)\s*\)")
_TIMESTAMP = re.compile(
    r"(TIMESTAMPTZ|TIMESTAMP|DATETIME)\s*(?:\(\s*(\d)\s*\))?"
    r"( WITH TIME ZONE| WITHOUT TIME ZONE)?"
)
_TIME = re.compile(r"TIME\s*\(\s*(\d)\s*\)( WITHOUT TIME ZONE)?")
_UNITS = ("s", *["ms"] * 3, *["us"] * 3, *["ns"] * 3)
"""Units that have so many digits behind the point, or the next ones that do."""

_LENGTH = r"(\s*\(\s*\d+\s*\))?"
_PLAIN = (
    (r"(CHARACTER VARYING|CHARACTER|NVARCHAR|NCHAR|CLOB)" + _LENGTH, pa.utf8()),
    (r"(BLOB|BINARY|VARBINARY|BYTES)" + _LENGTH, pa.binary()),
)
_UNSIGNED = {
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
}


def media_of(written: TypeText) -> str | None:
    """Return image, audio or video if the type is one of these."""
    word = written.text.strip().upper()
    return word.lower() if word in MEDIA else None


def spelled(written: TypeText) -> str:
    """Return a type as it was written, in capitals and without needless spaces."""
    return " ".join(written.text.upper().split())


def column_type(context: SessionContext, written: TypeText) -> pa.DataType:
    """Return the type of a column.

    Timestamps have microseconds unless they say otherwise, since nanoseconds end in
    2262; with a time zone they are kept in UTC.

    Raises:
        UndefinedObject: there is no such type.
    """
    text = " ".join(written.text.split())
    found = _own(text.upper()) or _array(context, written, text)
    return found if found is not None else _by_datafusion(context, written, text)


def _array(context: SessionContext, written: TypeText, text: str) -> pa.DataType | None:
    suffix = _SUFFIX.search(text)
    if suffix is None:
        return None
    item = type(written)(text[: suffix.start()], written.position)
    inner = column_type(context, item)
    return pa.list_(inner, int(suffix[1])) if int(suffix[1] or 0) else pa.list_(inner)


def _own(text: str) -> pa.DataType | None:
    """Return the type of a spelling that DataFusion lacks or reads otherwise."""
    if text in MEDIA:
        return pa.utf8()
    if text in _UNSIGNED:
        return _UNSIGNED[text]
    if (vector := _VECTOR.fullmatch(text)) and int(vector[1]):
        return pa.list_(pa.float32(), int(vector[1]))
    if digits := _FLOAT.fullmatch(text):
        return pa.float32() if int(digits[1]) < 25 else pa.float64()
    if moment := _TIMESTAMP.fullmatch(text):
        zoned = moment[1] == "TIMESTAMPTZ" or moment[3] == " WITH TIME ZONE"
        return pa.timestamp(_UNITS[int(moment[2] or 6)], "UTC" if zoned else None)
    if time := _TIME.fullmatch(text):
        unit = _UNITS[int(time[1])]
        return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    for pattern, kind in _PLAIN:
        if re.fullmatch(pattern, text):
            return kind
    return None


def _by_datafusion(
    context: SessionContext, written: TypeText, text: str
) -> pa.DataType:
    try:
        frame = session.sql(context, f"SELECT CAST(NULL AS {text}\n)")
        return frame.schema().field(0).type
    except Exception:
        # It is not known, whatever DataFusion calls it: unsupported, a syntax error.
        word = text.split("(")[0].split(" ")[0]
        hint = nearest(word, [name.split("(")[0] for name in _NAMES])
        raise UndefinedObject(
            f"there is no column type '{text}'{hint or '; there are '}"
            + ("" if hint else ", ".join(_NAMES)),
            position=written.position,
        ) from None
