"""How SQLAlchemy's statements are spelled where the server's SQL differs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import CompileError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import Numeric, String

_TEXT = String()
_MARK = "chr(1)"
"""Stands for an escaped escape character while a pattern is turned into another."""


class ThanoSQLCompiler(SQLCompiler):
    """Queries, INSERT, UPDATE and DELETE."""

    # ---- LIMIT ----------------------------------------------------------------

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """Return LIMIT and OFFSET; without a limit there is no LIMIT -1."""
        text = ""
        if select._limit_clause is not None:
            text += f"\n LIMIT {self.process(select._limit_clause, **kw)}"
        if select._offset_clause is not None:
            text += f"\n OFFSET {self.process(select._offset_clause, **kw)}"
        return text

    def fetch_clause(
        self,
        select: Any,
        fetch_clause: Any = None,
        require_offset: Any = False,
        use_literal_execute_for_simple_int: Any = False,
        **kw: Any,
    ) -> str:
        """Return FETCH FIRST as LIMIT.

        Raises:
            CompileError: WITH TIES or PERCENT is asked for.
        """
        options = select._fetch_clause_options or {}
        if options.get("with_ties") or options.get("percent"):
            raise CompileError("ThanoSQL has no FETCH ... WITH TIES and no PERCENT")
        text = f"\n LIMIT {self.process(select._fetch_clause, **kw)}"
        if select._offset_clause is not None:
            text += f"\n OFFSET {self.process(select._offset_clause, **kw)}"
        return text

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Return nothing: a statement sees one version of each table throughout."""
        return ""

    # ---- UPDATE and DELETE with other tables ----------------------------------

    def update_from_clause(
        self,
        update_stmt: Any,
        from_table: Any,
        extra_froms: Any,
        from_hints: Any,
        **kw: Any,
    ) -> str:
        """Return the other tables of an UPDATE."""
        tables = (
            one._compiler_dispatch(self, asfrom=True, **kw) for one in extra_froms
        )
        return "FROM " + ", ".join(tables)

    def delete_extra_from_clause(
        self,
        delete_stmt: Any,
        from_table: Any,
        extra_froms: Any,
        from_hints: Any,
        **kw: Any,
    ) -> str:
        """Return the other tables of a DELETE."""
        tables = (
            one._compiler_dispatch(self, asfrom=True, **kw) for one in extra_froms
        )
        return "USING " + ", ".join(tables)

    # ---- Operators --------------------------------------------------------------

    def _like(self, binary: Any, operator: str, **kw: Any) -> str:
        left = self.process(binary.left, **kw)
        right = self.process(binary.right, **kw)
        escape = binary.modifiers.get("escape")
        if escape is not None:
            right = self._with_backslashes(right, escape)
        return f"{left} {operator} {right}"

    def _with_backslashes(self, pattern: str, escape: str) -> str:
        r"""Return a pattern with `\` as its escape character, the only one there is."""
        if escape == "\\":
            return pattern
        char = self.render_literal_value(escape, _TEXT)
        steps = (
            (f"{char} || {char}", _MARK),
            (r"'\'", r"'\\'"),
            (f"{char} || '%'", r"'\%'"),
            (f"{char} || '_'", r"'\_'"),
            (_MARK, char),
        )
        for old, new in steps:
            pattern = f"replace({pattern}, {old}, {new})"
        return pattern

    def visit_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return LIKE."""
        return self._like(binary, "LIKE", **kw)

    def visit_not_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return NOT LIKE."""
        return self._like(binary, "NOT LIKE", **kw)

    def visit_ilike_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return ILIKE."""
        return self._like(binary, "ILIKE", **kw)

    def visit_not_ilike_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return NOT ILIKE."""
        return self._like(binary, "NOT ILIKE", **kw)

    def visit_ilike_case_insensitive_operand(self, element: Any, **kw: Any) -> str:
        """Return the operand as it is: ILIKE does the rest."""
        return str(element.element._compiler_dispatch(self, **kw))

    def visit_regexp_match_op_binary(
        self, binary: Any, operator: Any, **kw: Any
    ) -> str:
        """Return `~`, or `~*` with the flag i."""
        return self._matches(binary, "~", **kw)

    def visit_not_regexp_match_op_binary(
        self, binary: Any, operator: Any, **kw: Any
    ) -> str:
        """Return `!~`, or `!~*` with the flag i."""
        return self._matches(binary, "!~", **kw)

    def _matches(self, binary: Any, operator: str, **kw: Any) -> str:
        flags = binary.modifiers.get("flags")
        if flags not in (None, "i"):
            raise CompileError(f"ThanoSQL knows the flag 'i' of regexes, not '{flags}'")
        left = self.process(binary.left, **kw)
        right = self.process(binary.right, **kw)
        return f"{left} {operator}{'*' if flags else ''} {right}"

    def visit_regexp_replace_op_binary(
        self, binary: Any, operator: Any, **kw: Any
    ) -> str:
        """Return regexp_replace(text, pattern, replacement, flags)."""
        flags = binary.modifiers.get("flags")
        arguments = [self.process(binary.left, **kw), self.process(binary.right, **kw)]
        if flags is not None:
            arguments.append(self.render_literal_value(flags, _TEXT))
        return f"regexp_replace({', '.join(arguments)})"

    def visit_concat_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return `||`; a parameter gets a type, which two of them would not have."""
        left, right = self._text(binary.left, **kw), self._text(binary.right, **kw)
        return f"{left} || {right}"

    def visit_concat_op_expression_clauselist(
        self, clauselist: Any, operator: Any, **kw: Any
    ) -> str:
        """Return `a || b || c`; see above."""
        return " || ".join(self._text(one, **kw) for one in clauselist.clauses)

    def _text(self, element: Any, **kw: Any) -> str:
        text = str(self.process(element, **kw))
        is_text = isinstance(element, BindParameter) and isinstance(
            element.type, String
        )
        return f"CAST({text} AS VARCHAR)" if is_text else text

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Return a division that keeps the fraction, of whole numbers, too.

        The quotient of decimals has four digits more, for which 38 leave no room.
        """
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        types = [binary.left.type, binary.right.type]
        if any((getattr(one, "precision", 0) or 0) - _scale(one) > 30 for one in types):
            wide = f"DECIMAL(60, {max(10, *map(_scale, types))})"
            return f"CAST({left} AS {wide}) / CAST({right} AS {wide})"
        if any(isinstance(one, Numeric) for one in types):
            return f"{left} / {right}"
        return f"{left} / CAST({right} AS DOUBLE)"

    def visit_frame_clause(self, frameclause: Any, **kw: Any) -> str:
        """Return the bounds of a window as numbers: they cannot be parameters."""
        parent: Any = super()
        return str(parent.visit_frame_clause(frameclause, **kw, literal_execute=True))

    def _format_frame_clause(self, range_: Any, **kw: Any) -> str:
        """Return the same in SQLAlchemy 1.4 and 2.0."""
        parent: Any = super()
        return str(parent._format_frame_clause(range_, **kw, literal_execute=True))

    # ---- SEARCH (see `search`) ------------------------------------------------------

    def visit_thanosql_search(self, search: Any, **kw: Any) -> str:
        """Return a SEARCH clause."""
        inputs = [self.process(one, **kw) for one in search.inputs]
        wanted = inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"
        by = search.by if len(inputs) == 1 else f"{search.by}s"
        options = ", ".join(f"{key}={value}" for key, value in search.options)
        body = self.process(search.body, asfrom=True)
        model = self.preparer.quote_identifier(search.model)
        return (
            f"SEARCH {search.medium} {by}={wanted} USING {model} "
            f"OPTIONS({options}) AS {body}"
        )

    # ---- Other things -------------------------------------------------------------

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        """Return a query without rows, of as many columns."""
        columns = ", ".join("1" for _ in element_types or (None,))
        return f"SELECT {columns} WHERE 1 != 1"

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        """Return now(), the moment of the statement."""
        return "now()"


def _scale(type_: Any) -> int:
    return getattr(type_, "scale", 0) or 0
