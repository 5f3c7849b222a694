"""How SQLAlchemy's types are spelled for ThanoSQL; its SQL needs no changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler


class ThanoSQLDDLCompiler(DDLCompiler):
    """Statements that define things."""

    def visit_create_index(self, create: Any, *_: Any, **options: Any) -> str:
        """Return a statement that does nothing: pandas asks for an index by default."""
        return "SELECT 1"

    def visit_drop_index(self, drop: Any, **options: Any) -> str:
        """Return a statement that does nothing; see above."""
        return "SELECT 1"


class ThanoSQLTypeCompiler(GenericTypeCompiler):
    """Names of types that DataFusion's parser accepts."""

    def visit_VARCHAR(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return VARCHAR without a length, which DataFusion does not enforce."""
        return "VARCHAR"

    def visit_TEXT(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return VARCHAR, the one type of texts."""
        return "VARCHAR"

    def visit_BLOB(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return BYTEA, the one type of bytes."""
        return "BYTEA"

    def visit_FLOAT(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return DOUBLE; DataFusion's FLOAT has 32 bits."""
        return "DOUBLE"

    def visit_DATETIME(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return TIMESTAMP, the one type of date and time, or that with a zone."""
        return "TIMESTAMPTZ" if type_.timezone else "TIMESTAMP"

    def visit_TIMESTAMP(self, type_: Any, **options: Any) -> str:  # noqa: N802
        """Return the same for a timestamp."""
        return "TIMESTAMPTZ" if type_.timezone else "TIMESTAMP"

    def visit_vector(self, type_: Any, **options: Any) -> str:
        """Return an array of 32-bit floats."""
        return "REAL[]"
