"""Types: vectors and pictures, and what the server's names of types mean."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlalchemy import types as sqltypes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql.elements import ColumnElement

    Processor = Callable[[Any], Any] | None
    _Comparator = sqltypes.TypeEngine.Comparator[Any]
else:
    _Comparator = sqltypes.TypeEngine.Comparator  # in 1.4 it takes no parameter

# ---- Types of ours -----------------------------------------------------------


class Vector(sqltypes.TypeEngine[Any]):
    """A vector of 32-bit floats, such as an embedding; read as a Python list.

    Args:
        dim: how many numbers each has; any number of them if not given.
    """

    __visit_name__ = "vector"
    cache_ok = True

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    class comparator_factory(_Comparator):  # noqa: N801
        """Comparisons with another vector: a list, a numpy array, or a column."""

        def cosine_similarity(self, other: Any) -> ColumnElement[float]:
            """Return the cosine of the angle, from -1 to 1; the most similar is 1."""
            return self._compared("cosine_similarity", other, sqltypes.REAL())

        def l2_distance(self, other: Any) -> ColumnElement[float]:
            """Return the Euclidean distance; the most similar is 0."""
            return self._compared("l2_distance", other, sqltypes.FLOAT())

        def inner_product(self, other: Any) -> ColumnElement[float]:
            """Return the inner product; the most similar is the greatest."""
            return self._compared("inner_product", other, sqltypes.FLOAT())

        def _compared(self, name: str, other: Any, type_: Any) -> ColumnElement[float]:
            from sqlalchemy import literal

            if not hasattr(other, "__clause_element__") and not hasattr(
                other, "compile"
            ):
                other = literal(other, Vector())
            compare = getattr(func, name)
            found: ColumnElement[float] = compare(self.expr, other, type_=type_)
            return found

    def bind_processor(self, dialect: Any) -> Processor:
        """Return what makes a list of floats of a list or a numpy array."""
        return lambda value: None if value is None else [float(one) for one in value]

    def literal_processor(self, dialect: Any) -> Processor:
        """Return what spells a vector in SQL."""

        def spelled(value: Any) -> str:
            numbers = ", ".join(repr(float(one)) for one in value)
            return f"arrow_cast([{numbers}], 'List(Float32)')"

        return spelled


class Image(sqltypes.TypeDecorator[str]):
    """The path of a picture, as text; PRINT IMAGE and SEARCH IMAGE know it by this."""

    impl = sqltypes.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Return the type with the server's name, IMAGE."""
        return dialect.type_descriptor(_ImagePath())


class _ImagePath(sqltypes.String):
    __visit_name__ = "image"


class INTERVAL(sqltypes.TypeEngine[datetime.timedelta]):
    """A span of time, as the server has it; read as `timedelta`."""

    __visit_name__ = "INTERVAL"


# ---- Types of SQLAlchemy's, as they are sent and read --------------------------


class _Numeric(sqltypes.Numeric[Any]):
    """Decimals: what is given as float or int is sent as decimal, too."""

    def bind_processor(self, dialect: Any) -> Processor:
        return _as_decimal

    def literal_processor(self, dialect: Any) -> Processor:
        return lambda value: str(_as_decimal(value))

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return _as_decimal if self.asdecimal else _as_float


class _Float(sqltypes.Float[Any]):
    """Binary floats: what is given as decimal is sent as float."""

    def bind_processor(self, dialect: Any) -> Processor:
        return _as_float

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        if not self.asdecimal:
            return None
        scale = self._effective_decimal_return_scale
        return lambda v: None if v is None else decimal.Decimal(f"{v:.{scale}f}")


class _Date(sqltypes.Date):
    """Dates: of a date with a time the date is sent."""

    def bind_processor(self, dialect: Any) -> Processor:
        return _as_date


class _LargeBinary(sqltypes.LargeBinary):
    """Bytes."""

    def literal_processor(self, dialect: Any) -> Processor:
        return lambda value: f"X'{bytes(value).hex()}'"


def _as_decimal(value: Any) -> Any:
    if value is None or isinstance(value, decimal.Decimal):
        return value
    return decimal.Decimal(str(value))


def _as_float(value: Any) -> Any:
    return None if value is None else float(value)


def _as_date(value: Any) -> Any:
    return value.date() if isinstance(value, datetime.datetime) else value


COLSPECS: dict[Any, Any] = {
    sqltypes.Numeric: _Numeric,
    sqltypes.Float: _Float,
    sqltypes.Date: _Date,
    sqltypes.LargeBinary: _LargeBinary,
}
"""SQLAlchemy's types that need to be sent or read in another way."""

# ---- Names of types ------------------------------------------------------------

_BY_NAME: dict[str, type[sqltypes.TypeEngine[Any]]] = {
    "BOOLEAN": sqltypes.BOOLEAN,
    "TINYINT": sqltypes.SMALLINT,
    "SMALLINT": sqltypes.SMALLINT,
    "INTEGER": sqltypes.INTEGER,
    "BIGINT": sqltypes.BIGINT,
    "TINYINT UNSIGNED": sqltypes.SMALLINT,
    "SMALLINT UNSIGNED": sqltypes.INTEGER,
    "INTEGER UNSIGNED": sqltypes.BIGINT,
    "BIGINT UNSIGNED": sqltypes.BIGINT,
    "REAL": sqltypes.REAL,
    "DOUBLE": sqltypes.FLOAT,
    "VARBINARY": sqltypes.LargeBinary,
    "DATE": sqltypes.DATE,
    "TIME": sqltypes.TIME,
    "TIMESTAMP": sqltypes.TIMESTAMP,
    "INTERVAL": INTERVAL,
}
_DECIMAL = re.compile(r"DECIMAL\((\d+), (-?\d+)\)")
_TEXT = re.compile(r"([A-Z ]+?)\s*\((\d+)\)")
_VECTOR = re.compile(r"(?:REAL|DOUBLE)\[(\d+)\]")


def sqlalchemy_type(
    name: str, holds: str | None = None, declared: str | None = None
) -> sqltypes.TypeEngine[Any]:
    """Return the SQLAlchemy type of a column.

    Args:
        name: the driver's name of its type, such as ``DECIMAL(10, 2)``.
        holds: what its texts are paths of: image, audio or video.
        declared: its type as it was written, which tells how long texts may be.

    Returns:
        NullType for a type that SQLAlchemy has nothing like, such as a struct.
    """
    if holds == "image":
        return Image()
    if vector := _VECTOR.fullmatch(name):
        return Vector(int(vector[1]))
    if name == "REAL[]":
        return Vector()
    if name.endswith("]"):
        return _array(name)
    if digits := _DECIMAL.fullmatch(name):
        return sqltypes.DECIMAL(int(digits[1]), int(digits[2]))
    if name == "TIMESTAMP WITH TIME ZONE":
        return sqltypes.TIMESTAMP(timezone=True)
    if name == "VARCHAR":
        return _text(declared or name)
    return _BY_NAME.get(name, sqltypes.NullType)()


def _array(name: str) -> sqltypes.TypeEngine[Any]:
    dimensions = name.count("[")
    item = sqlalchemy_type(name[: name.index("[")])
    return sqltypes.ARRAY(item, dimensions=dimensions)


def _text(declared: str) -> sqltypes.TypeEngine[Any]:
    if declared == "TEXT":
        return sqltypes.TEXT()
    found = _TEXT.fullmatch(declared)
    if found is None:
        return sqltypes.VARCHAR()
    kind = sqltypes.CHAR if found[1] in ("CHAR", "CHARACTER") else sqltypes.VARCHAR
    return kind(int(found[2]))
