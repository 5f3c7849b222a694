"""Names of column types, Arrow's or SQL's, as SQLAlchemy types."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import types as sqltypes

# information_schema gives Arrow's names in DataFusion's spelling, DESCRIBE the same.
_BY_NAME: dict[str, type[sqltypes.TypeEngine[Any]]] = {
    "boolean": sqltypes.BOOLEAN,
    "int8": sqltypes.SMALLINT,
    "int16": sqltypes.SMALLINT,
    "int32": sqltypes.INTEGER,
    "int64": sqltypes.BIGINT,
    "uint8": sqltypes.SMALLINT,
    "uint16": sqltypes.INTEGER,
    "uint32": sqltypes.BIGINT,
    "uint64": sqltypes.BIGINT,
    "float16": sqltypes.REAL,
    "float32": sqltypes.REAL,
    "float64": sqltypes.FLOAT,
    "utf8": sqltypes.VARCHAR,
    "largeutf8": sqltypes.VARCHAR,
    "utf8view": sqltypes.VARCHAR,
    "binary": sqltypes.LargeBinary,
    "largebinary": sqltypes.LargeBinary,
    "binaryview": sqltypes.LargeBinary,
    "fixedsizebinary": sqltypes.LargeBinary,
    "date32": sqltypes.DATE,
    "date64": sqltypes.DATE,
    "time32": sqltypes.TIME,
    "time64": sqltypes.TIME,
    "timestamp": sqltypes.TIMESTAMP,
    "duration": sqltypes.Interval,
    "interval": sqltypes.Interval,
    "tinyint": sqltypes.SMALLINT,
    "smallint": sqltypes.SMALLINT,
    "integer": sqltypes.INTEGER,
    "bigint": sqltypes.BIGINT,
    "real": sqltypes.REAL,
    "double": sqltypes.FLOAT,
    "varchar": sqltypes.VARCHAR,
    "varbinary": sqltypes.LargeBinary,
    "date": sqltypes.DATE,
    "time": sqltypes.TIME,
}

_VECTOR = re.compile(r"(fixedsizelist|largelist|list)\(|.*\[\d*\]$", re.IGNORECASE)
_DECIMAL = re.compile(r"decimal\w*\((\d+),\s*(-?\d+)\)", re.IGNORECASE)


class Vector(sqltypes.TypeEngine[Any]):
    """An embedding, or another list of numbers; read as a Python list."""

    __visit_name__ = "vector"


def sqlalchemy_type(name: str) -> sqltypes.TypeEngine[Any]:
    """Return the SQLAlchemy type for a type's name, NullType for an unknown one."""
    if _VECTOR.match(name):
        return Vector()
    decimal = _DECIMAL.match(name)
    if decimal:
        return sqltypes.DECIMAL(int(decimal[1]), int(decimal[2]))
    return _BY_NAME.get(re.split(r"[ (]", name)[0].lower(), sqltypes.NullType)()
