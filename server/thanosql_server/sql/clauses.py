"""Queries: plain SQL text with ThanoSQL clauses and calls found in it, at any depth.

The body of a clause is either in parentheses, and then ends with them, or it reaches
to the end of the statement or to the parenthesis around the clause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.sql.calls import Place, is_call, read_call
from thanosql_server.sql.many import is_search_many, read_search_many
from thanosql_server.sql.nodes import (
    Convert,
    ListObjects,
    Placeholder,
    Print,
    Query,
    Search,
    Span,
)
from thanosql_server.sql.recognition import (
    MEDIA,
    PRINTED,
    QUERY_WORDS,
    is_clause,
    starts_query,
)
from thanosql_server.sql.search_items import items_before_using, items_in_options
from thanosql_server.sql.tokens import Kind
from thanosql_server.sql.versions import is_as_of, read_table_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from thanosql_server.sql.cursor import Cursor
    from thanosql_server.sql.nodes import Call, Clause
    from thanosql_server.sql.options import Options
    from thanosql_server.sql.versions import TableVersion


class UnsupportedClause(Exception):
    """The statement holds a clause that is known but not served."""

    def __init__(self, verb: str, span: Span) -> None:
        super().__init__(verb)
        self.verb = verb
        self.span = span


def read_query(cursor: Cursor, ends: Callable[[Cursor], bool] | None = None) -> Query:
    """Read a query up to the end of the statement.

    Args:
        cursor: at its beginning.
        ends: says outside parentheses where it ends before that.
    """
    if ends is None:
        return _scan(cursor)
    return _Scan(cursor, _outside(ends), whole=True).query()


def read_body(cursor: Cursor, after: str) -> Query:
    """Read `AS` and the query of a statement, which reaches to its end."""
    _expect_as(cursor, after)
    return _scan(cursor)


def _clause_body(cursor: Cursor, after: str) -> Query:
    """Read `AS` and the query of a clause, in parentheses or bare."""
    _expect_as(cursor, after)
    opening = cursor.peek()
    if not cursor.take_symbol("("):
        return _scan(cursor)
    if not starts_query(cursor):
        raise cursor.error("a query in the parentheses", QUERY_WORDS)
    body = _scan(cursor)
    if not cursor.take_symbol(")"):
        raise cursor.error_at("'(' is not closed", opening)
    return body


def _expect_as(cursor: Cursor, after: str) -> None:
    cursor.expect_words("AS", expected=f"AS and a query after {after}")
    if not starts_query(cursor):
        raise cursor.error("a query after AS", QUERY_WORDS)


def read_expression(
    cursor: Cursor, expected: str, ends: Callable[[Cursor], bool]
) -> Query:
    """Read SQL up to where `ends` says outside parentheses, or as far as a query."""
    first = cursor.index
    read = _Scan(cursor, _outside(ends)).query()
    if cursor.index == first:
        raise cursor.error(expected)
    return read


def _outside(ends: Callable[[Cursor], bool]) -> Callable[[Cursor], bool]:
    """Return `ends`, asked outside parentheses only."""
    depth = 0

    def ended(here: Cursor) -> bool:
        nonlocal depth
        if not depth and ends(here):
            return True
        token = here.peek()
        if token is not None and token.kind is Kind.SYMBOL:
            depth += (token.text in "([{") - (token.text in ")]}")
        return False

    return ended


def _scan(cursor: Cursor) -> Query:
    """Read up to the end of the statement or a parenthesis opened before here."""
    return _Scan(cursor).query()


def _never(cursor: Cursor) -> bool:
    return False


class _Scan:
    """One query, or an expression, on its way through its tokens.

    Args:
        cursor: at its beginning.
        ends: is asked at every token whether an expression ends there.
        whole: whether it is a query all the same.
    """

    def __init__(
        self,
        cursor: Cursor,
        ends: Callable[[Cursor], bool] = _never,
        *,
        whole: bool = False,
    ) -> None:
        self._cursor = cursor
        self._ends = ends
        self._first = cursor.index if whole or ends is _never else -1
        self._start = cursor.here()
        self._place = Place(self._start)
        self._clauses: list[Clause] = []
        self._placeholders: list[Placeholder] = []
        self._calls: list[Call] = []
        self._versions: list[TableVersion] = []

    def query(self) -> Query:
        cursor = self._cursor
        while (token := cursor.peek()) is not None:
            ends = token.kind is Kind.SYMBOL and token.text in ";)"
            if ends and (token.text == ";" or not self._place.depth):
                break
            if self._ends(cursor):
                break
            self._step()
        if self._place.opening is not None:
            raise cursor.error_at("'(' is not closed", self._place.opening)
        calls = sorted(self._calls, key=lambda call: call.span.start)
        return Query(
            cursor.text,
            cursor.span_from(self._start),
            tuple(self._clauses),
            tuple(self._placeholders),
            tuple(calls),
            tuple(self._versions),
        )

    def _step(self) -> None:
        """Read a clause, a call, a table's version or a token."""
        cursor, token = self._cursor, self._cursor.tokens[self._cursor.index]
        if token.kind is Kind.WORD or token.kind is Kind.QUOTED:
            if is_clause(cursor, surely=cursor.index == self._first):
                self._clauses.append(_read_clause(cursor))
                return
            if is_search_many(cursor, self._place):
                self._clauses.append(read_search_many(cursor, _scan))
                return
            if is_call(cursor, self._place):
                call = read_call(cursor, self._place, self._step, self._calls)
                self._calls.append(call)
                return
            if is_as_of(cursor):
                self._versions.append(read_table_version(cursor))
                return
            self._place.see(cursor)
        elif token.kind is Kind.PARAMETER:
            index = cursor.parameter(token).index
            span = Span(token.start, token.end)
            self._placeholders.append(Placeholder(index, span))
        elif token.kind is Kind.SYMBOL and token.text in "()":
            self._place.see(cursor)
        cursor.index += 1


def _read_clause(cursor: Cursor) -> Clause:
    cursor.enter()
    clause = _READERS[cursor.word()](cursor)
    cursor.leave()
    return clause


def _read_convert(cursor: Cursor) -> Convert:
    start = cursor.here()
    cursor.expect_words("CONVERT")
    cursor.expect_words("USING", expected="USING and a model after CONVERT")
    model, position = cursor.name("the name of a model")
    options = cursor.options()
    body = _clause_body(cursor, _after(options, f"CONVERT USING {model}"))
    return Convert(model, options, body, cursor.span_from(start), position)


def _read_search(cursor: Cursor) -> Search:
    start, first = cursor.here(), cursor.peek()
    cursor.expect_words("SEARCH")
    if cursor.word() in MEDIA - {"IMAGE", "TEXT"}:
        verb = f"SEARCH {cursor.advance().word}"
        raise UnsupportedClause(verb, cursor.span_from(start))
    medium: Literal["IMAGE", "TEXT"] = "IMAGE"
    if cursor.take_words("TEXT"):
        medium = "TEXT"
    else:
        cursor.expect_words("IMAGE", expected="IMAGE or TEXT after SEARCH")
    verb = f"SEARCH {medium}"
    items = items_before_using(cursor, verb)
    cursor.expect_words("USING", expected=f"USING and a model after {verb} ...")
    model, position = cursor.name("the name of a model")
    options = cursor.options()
    items = items_in_options(items, options)
    if not items:
        message = (
            f"{verb} needs what to search for: text='...' or image='...' "
            "before USING, or OPTIONS(search_by='text', search_input='...')"
        )
        raise cursor.error_at(message, first)
    body = _clause_body(cursor, _after(options, f"USING {model}"))
    span = cursor.span_from(start)
    return Search(medium, items, model, options, body, span, position)


def _read_print(cursor: Cursor) -> Print:
    start = cursor.here()
    cursor.expect_words("PRINT")
    medium = PRINTED.get(cursor.word())
    if medium is None:
        raise cursor.error("IMAGE, AUDIO or VIDEO after PRINT", PRINTED)
    cursor.advance()
    options = cursor.options()
    body = _clause_body(cursor, _after(options, f"PRINT {medium}"))
    return Print(medium, options, body, cursor.span_from(start))


def _read_list(cursor: Cursor) -> ListObjects:
    start = cursor.here()
    cursor.expect_words("LIST")
    if cursor.take_words("MODEL"):
        return ListObjects("MODEL", cursor.span_from(start))
    if cursor.take_words("TABLE"):
        return ListObjects("TABLE", cursor.span_from(start))
    if cursor.take_words("INDEX"):
        return ListObjects("INDEX", cursor.span_from(start))
    expected = "MODEL, TABLE, INDEX, THANOSQL MODEL or THANOSQL DATASET after LIST"
    if cursor.take_words("THANOSQL", "MODEL"):
        return ListObjects("THANOSQL MODEL", cursor.span_from(start))
    cursor.expect_words("THANOSQL", "DATASET", expected=expected)
    return ListObjects("THANOSQL DATASET", cursor.span_from(start))


def _read_unsupported(cursor: Cursor) -> Clause:
    token = cursor.advance()
    raise UnsupportedClause(token.word, Span(token.start, token.end))


def _after(options: Options, otherwise: str) -> str:
    return "OPTIONS(...)" if options else otherwise


_READERS: dict[str, Callable[[Cursor], Clause]] = {
    "CONVERT": _read_convert,
    "SEARCH": _read_search,
    "PRINT": _read_print,
    "LIST": _read_list,
    "FUNCTION": _read_unsupported,
    "PREDICT": _read_unsupported,
    "EVALUATE": _read_unsupported,
    "TRANSFORM": _read_unsupported,
    "GENERATE": _read_unsupported,
}
