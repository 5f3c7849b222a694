"""ThanoSQL's SQL for Superset, which parses and rewrites all statements with sqlglot.

It asks of a statement whether it reads or changes, which tables it reads, and for
the same statement with a LIMIT. This dialect answers that for `SEARCH` and the other
clauses, and leaves functions and types as they are written, since sqlglot would turn
some into those of other databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

CLAUSES = {
    "SEARCH": {"IMAGE", "TEXT", "AUDIO", "VIDEO"},
    "CONVERT": {"USING"},
    "PRINT": {"IMAGE", "AUDIO", "VIDEO"},
    "LIST": {"MODEL", "TABLE", "THANOSQL"},
    "BUILD": {"MODEL"},
}
"""What a query, or a statement with one, begins with: two words."""
CHANGES = {
    "COMMENT": {"ON"},
    "COPY": set[str](),
    "DELETE": {"MODEL"},
    "GET": {"THANOSQL"},
}
"""What changes begin with that Superset does not know; any word may follow COPY."""
DEFINITIONS = {"ALTER", "CREATE", "DROP", "TRUNCATE"}
SETTINGS = {"SET", "RESET", "SHOW"}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_QUOTED = {TokenType.IDENTIFIER, TokenType.STRING}


class Clause(exp.Select):
    """`SEARCH ... AS body`: a query whose rows are those of its body, with columns.

    Attributes:
        head: the text up to AS; `LIST MODEL` is all of it.
        stores: a node that makes Superset count it as a change, if it stores rows or
            a model.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        **exp.Select.arg_types,
        "head": True,
        "stores": False,
    }


class Explain(exp.Describe):
    """`EXPLAIN [ANALYZE] ... query`; `head` is the text before the query."""

    arg_types: ClassVar[dict[str, bool]] = {**exp.Describe.arg_types, "head": True}


class Change(exp.Drop):
    """A statement that changes something and is kept as its text.

    Superset knows a change by its class, of which DROP is the one without tables.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class ThanoSQL(Postgres):
    """The dialect; what is not said here is as in PostgreSQL."""

    NORMALIZE_FUNCTIONS = False
    TYPED_DIVISION = False
    INDEX_OFFSET = 0

    class Tokenizer(Postgres.Tokenizer):
        """Words: those of PostgreSQL, without types that DataFusion has not."""

        KEYWORDS: ClassVar[dict[str, Any]] = {
            word: kind
            for word, kind in Postgres.Tokenizer.KEYWORDS.items()
            if word not in ("EXPLAIN", "COPY", "COMMENT", "NAME", "MONEY", "POINT")
        }

    class Parser(Postgres.Parser):  # type: ignore[misc, valid-type]
        """Clauses are queries; functions keep their names."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: Postgres.Parser.FUNCTION_PARSERS[name]
            for name in ("CAST", "EXTRACT", "OVERLAY", "SUBSTRING", "TRIM", "TRY_CAST")
        }

        def _parse_statement(self) -> Any:
            start = self._curr
            if any(self._at(*words) for words in CLAUSES.items()):
                return self._parse_query_modifiers(
                    self._parse_set_operations(self._clause())
                )
            if self._at("EXPLAIN"):
                return self._explain()
            if any(self._at(*words) for words in CHANGES.items()) or (
                any(map(self._at, DEFINITIONS)) and not self._has_query()
            ):
                return self._change(start)
            statement = super()._parse_statement()
            known = not isinstance(statement, exp.Command)
            if known or statement.name.upper() in SETTINGS:
                return statement
            return self._change(start)

        def _parse_select(self, *args: Any, **options: Any) -> Any:
            # Where a table may stand, a clause has parentheses around it.
            opens = self._index and self._prev.token_type is TokenType.L_PAREN
            if (opens or not options.get("table")) and any(
                self._at(*words) for words in CLAUSES.items()
            ):
                return self._clause()
            return super()._parse_select(*args, **options)

        def _has_query(self) -> bool:
            """Return whether a query follows anywhere in the statement."""
            kinds = {token.token_type for token in self._tokens}
            words = {token.text.upper() for token in self._tokens}
            return bool(kinds & {TokenType.SELECT, TokenType.VALUES}) or (
                "AS" in words and not words.isdisjoint(CLAUSES)
            )

        def _at(self, first: str, second: Any = ()) -> bool:
            """Return whether the words here are `first` and one of `second`."""
            here = self._tokens[self._index : self._index + 2]
            if not here or here[0].token_type in _QUOTED:
                return False
            if here[0].text.upper() != first:
                return False
            return not second or (len(here) > 1 and here[1].text.upper() in second)

        def _clause(self) -> Clause:
            start = self._curr
            kind = start.text.upper()
            head = self._head(start)
            clause = Clause(expressions=[exp.Star()], head=head)
            if kind == "LIST":
                return clause
            if not self._match(TokenType.ALIAS):
                self.raise_error("Expected AS and a query")
            body = self._parse_ddl_select()
            if body is None:
                self.raise_error("Expected a query after AS")
            clause.set("from_", exp.From(this=exp.Subquery(this=body)))
            if kind == "BUILD" or (kind == "CONVERT" and "TABLE_NAME" in head.upper()):
                clause.set("stores", Change(this=""))
            return clause

        def _head(self, start: Any) -> str:
            """Move to the AS of a clause, or to its end; return the text before."""
            depth = 0
            while self._index < len(self._tokens):
                kind = self._curr.token_type
                if not depth and kind in (*_CLOSING, TokenType.ALIAS):
                    break
                depth += (kind in _OPENING) - (kind in _CLOSING)
                self._advance()
            return str(self._find_sql(start, self._prev))

        def _explain(self) -> Explain:
            start = self._curr
            words = ("EXPLAIN", "ANALYZE", "VERBOSE", "FORMAT", "TREE", "INDENT")
            while any(map(self._at, words)):
                self._advance()
            head = self._find_sql(start, self._prev)
            return Explain(this=self._parse_statement(), head=head)

        def _change(self, start: Any) -> Change:
            """Return the rest of the statement, from `start`, as a change."""
            while self._index < len(self._tokens):
                self._advance()
            return Change(this=self._find_sql(start, self._prev))

    class Generator(Postgres.Generator):  # type: ignore[misc, valid-type]
        """Clauses as they were written; everything else as PostgreSQL has it."""

        TRY_SUPPORTED = True
        TRANSFORMS: ClassVar[dict[type, Callable[..., str]]] = {
            **{
                kind: transform
                for kind, transform in Postgres.Generator.TRANSFORMS.items()
                # Those take QUALIFY, semi joins and TRY_CAST apart.
                if kind not in (exp.Select, exp.TryCast)
            },
            exp.Array: lambda self, node: f"[{self.expressions(node, flat=True)}]",
            Clause: lambda self, node: self.written_clause(node),
            Explain: lambda self, node: f"{node.args['head']} {self.sql(node, 'this')}",
            Change: lambda _, node: node.this,
        }

        def written_clause(self, node: Clause) -> str:
            """Return a clause, in a query of its own if it has got a LIMIT."""
            limit = self.sql(node, "limit")
            head = node.args["head"]
            source = node.args.get("from_")
            if source is None:
                return f"SELECT * FROM ({head}){limit}" if limit else head
            body = self.sql(source.this, "this")
            if limit and head[:5].upper() == "PRINT":  # which cannot stand in a query
                return f"{head} AS SELECT * FROM ({body}) AS printed{limit}"
            text = f"{head} AS {body}"
            return f"SELECT * FROM ({text}){limit}" if limit else text
