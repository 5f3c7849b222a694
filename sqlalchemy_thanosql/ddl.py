"""CREATE TABLE and the like, and how types and names are spelled."""

from __future__ import annotations

import warnings
from typing import Any

from sqlalchemy.exc import CompileError
from sqlalchemy.sql.compiler import (
    DDLCompiler,
    GenericTypeCompiler,
    IdentifierPreparer,
)

NOTHING = "SELECT 1"
"""A statement that does nothing."""

RANDOM_KEY = (
    "CAST(random() * 2147483647 AS BIGINT) * 4294967296 "
    "+ CAST(random() * 4294967295 AS BIGINT)"
)
"""A number of 63 random bits: the key of a row that comes without one.

Nothing counts rows here, and several clients may insert at once. Of a million rows two
have the same number with a chance of 1 in 18 million.
"""


class NotEnforced(UserWarning):
    """A constraint was left out that the server would not keep."""


_RESERVED = (
    "all and any array as asc between by case cast cross current_date current_time "
    "current_timestamp date default desc describe distinct else end except exists "
    "explain false fetch filter for from full grant group having if in inner insert "
    "intersect interval into is join lateral left like limit list natural not null "
    "offset on or order outer over partition primary print qualify references right "
    "row search select set show similar some table tablesample then time timestamp to "
    "true truncate union unique unnest update user using values when where window "
    "with"
)


class ThanoSQLIdentifierPreparer(IdentifierPreparer):
    """Names: DataFusion reads those without quotes in lower case."""

    reserved_words = IdentifierPreparer.reserved_words | {*_RESERVED.split()}


class ThanoSQLDDLCompiler(DDLCompiler):
    """Statements that define things."""

    def visit_create_index(self, create: Any, *_: Any, **options: Any) -> str:
        """Return a statement that does nothing: tables have no ordinary indexes.

        An index changes how fast a query is and nothing else, so it may be left out;
        pandas asks for one by default. A unique one would change what may be stored.
        """
        if create.element.unique:
            _left_out("unique index", create.element.name)
        return NOTHING

    def visit_drop_index(self, drop: Any, **options: Any) -> str:
        """Return a statement that does nothing; see above."""
        return NOTHING

    def visit_check_constraint(self, constraint: Any, **options: Any) -> Any:
        """Leave a condition out: the server refuses what it would not check."""
        _left_out("CHECK", constraint.name)

    def visit_column_check_constraint(self, constraint: Any, **options: Any) -> Any:
        """Leave a condition out; see above."""
        _left_out("CHECK", constraint.name)

    def get_column_default_string(self, column: Any) -> str | None:
        """Return a column's default; of a key that numbers itself random numbers."""
        default: str | None = super().get_column_default_string(column)
        if default is None and numbers_itself(column):
            return f"({RANDOM_KEY})"
        return default

    def get_column_specification(self, column: Any, **options: Any) -> str:
        """Return a column's name, type and facts; numbers of keys have 64 bits."""
        text = str(super().get_column_specification(column, **options))
        if not numbers_itself(column):
            return text
        name = self.preparer.format_column(column)
        type_ = self._type(column)
        return text.replace(f"{name} {type_}", f"{name} BIGINT", 1)

    def _type(self, column: Any) -> str:
        compiler = self.dialect.type_compiler
        instance = getattr(self.dialect, "type_compiler_instance", compiler)
        return str(instance.process(column.type, type_expression=column))

    def visit_computed_column(self, generated: Any, **options: Any) -> str:
        """Return the clause of a column of embeddings, which the server keeps fresh.

        Raises:
            CompileError: it is computed in another way.
        """
        compile_: Any = super().visit_computed_column  # it has no types
        clause = str(compile_(generated, **options))
        if " embed_" not in clause.replace("(", " "):
            raise CompileError(
                "ThanoSQL computes embeddings only, as embed_image('model', column); "
                "make a view"
            )
        return clause

    def visit_identity_column(self, identity: Any, **options: Any) -> str:
        """Refuse a column that numbers itself.

        Raises:
            CompileError: always.
        """
        raise CompileError("ThanoSQL counts no rows; leave Identity() out")


def numbers_itself(column: Any) -> bool:
    """Return whether a column is a key that gets a number if none is given."""
    return (
        column.table is not None
        and column is column.table._autoincrement_column
        and column.default is None
        and (
            column.server_default is None
            or column.server_default.__visit_name__ == "identity_column"
        )
    )


def _left_out(what: str, name: Any) -> None:
    warnings.warn(
        f"ThanoSQL keeps no {what}; {name or 'it'} is left out, and nothing is checked",
        NotEnforced,
        stacklevel=2,
    )


class ThanoSQLTypeCompiler(GenericTypeCompiler):
    """Names of types that the server knows."""

    def visit_VARCHAR(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return VARCHAR with its length, which is kept and not enforced."""
        length = getattr(type_, "length", None)
        return f"VARCHAR({length})" if length else "VARCHAR"

    def visit_CHAR(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return CHAR with its length; texts are not filled up to it."""
        return f"CHAR({type_.length})" if type_.length else "CHAR"

    # The one type of texts has one name here.
    visit_NVARCHAR = visit_NCHAR = visit_VARCHAR  # noqa: N815
    visit_JSON = visit_UUID = visit_VARCHAR  # noqa: N815

    def visit_TEXT(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return TEXT, which is VARCHAR without a length."""
        return "TEXT"

    visit_CLOB = visit_TEXT  # noqa: N815

    def visit_image(self, type_: Any, **options: Any) -> str:
        """Return IMAGE: a text that is the path of a picture."""
        return "IMAGE"

    def visit_BLOB(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return BYTEA, the one type of bytes."""
        return "BYTEA"

    visit_BINARY = visit_VARBINARY = visit_BLOB  # noqa: N815

    def visit_FLOAT(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return DOUBLE; the server's FLOAT has 32 bits."""
        return "DOUBLE"

    visit_DOUBLE = visit_DOUBLE_PRECISION = visit_FLOAT  # noqa: N815

    def visit_REAL(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return REAL, which has 32 bits."""
        return "REAL"

    def visit_DATETIME(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return TIMESTAMP, the one type of date and time, or that with a zone."""
        return "TIMESTAMPTZ" if type_.timezone else "TIMESTAMP"

    visit_TIMESTAMP = visit_DATETIME  # noqa: N815

    def visit_TIME(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return TIME, which has no zone."""
        return "TIME"

    def visit_NUMERIC(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return DECIMAL with its digits: 38 of them, 10 behind the point, if none."""
        if type_.precision is None:
            return "DECIMAL(38, 10)"
        return f"DECIMAL({type_.precision}, {type_.scale or 0})"

    visit_DECIMAL = visit_NUMERIC  # noqa: N815

    def visit_ARRAY(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return the type of a list."""
        item = self.process(type_.item_type, **options)
        return item + "[]" * (type_.dimensions or 1)

    def visit_INTERVAL(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return INTERVAL, a span of time."""
        return "INTERVAL"

    def visit_vector(self, type_: Any, **options: Any) -> str:
        """Return VECTOR(n), or a list of 32-bit floats of any length."""
        return f"VECTOR({type_.dim})" if type_.dim else "REAL[]"
