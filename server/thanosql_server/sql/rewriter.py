"""A query with ThanoSQL clauses -> plain SQL for DataFusion.

Each clause's text is replaced by a query around its body, innermost first, and each
call of our functions by one that is made for it; all other text stays as it is. What
the text cannot know (names of columns and functions) comes from the engine as `Facts`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeAlias

from thanosql_server.errors import Position
from thanosql_server.sql.many import SearchMany
from thanosql_server.sql.moments import Moment, moments_in
from thanosql_server.sql.nodes import (
    Call,
    Convert,
    ListObjects,
    Placeholder,
    Print,
    Search,
)
from thanosql_server.sql.tokens import quote, quote_text
from thanosql_server.sql.versions import TableVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thanosql_server.sql.nodes import Clause, Query, Span

    _Insert: TypeAlias = Clause | Placeholder | Call | TableVersion | Moment


@dataclass(frozen=True)
class SearchFacts:
    """How to compute a SEARCH clause.

    Attributes:
        column: the embedding's column in the body.
        functions: one similarity function per query item; each knows its vector.
        labels: a text for each function, which says what it compares with.
        names: the similarity columns, one per query item.
        replaced: columns of the body that go, since they have such a name.
        is_sorted: sort by the first similarity, the best first.
        top_k: keep so many of the best rows; None keeps all.
    """

    column: str
    functions: tuple[str, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    is_sorted: bool = False
    top_k: int | None = None


@dataclass(frozen=True)
class ConvertFacts:
    """How to compute a CONVERT clause.

    Attributes:
        function: the model's embedding function.
        column: the column of the body with paths, or texts.
        name: the new column.
        replaces: whether the body has a column of that name already.
    """

    function: str
    column: str
    name: str
    replaces: bool = False


@dataclass(frozen=True)
class PrintFacts:
    """Which column PRINT adds: the path for now, the file when the rows go out.

    Attributes:
        path_column: the path column of the body.
        name: the new column.
    """

    path_column: str
    name: str


@dataclass(frozen=True)
class CallFacts:
    """How to write a call.

    Attributes:
        function: the function that stands for it.
        arguments: the number of an argument that is kept, from 0, or a text in the
            place of one that the function knows already.
    """

    function: str
    arguments: tuple[int | str, ...]


class Facts(Protocol):
    """What the engine knows about a clause; `body` is its query as plain SQL."""

    def call(self, call: Call) -> CallFacts:
        """Return how to write a call."""
        ...

    def search(self, clause: Search, body: str) -> SearchFacts:
        """Return how to compute a SEARCH clause."""
        ...

    def convert(self, clause: Convert, body: str) -> ConvertFacts | str:
        """Return how to compute a CONVERT clause, or a SELECT of its stored rows."""
        ...

    def print_files(self, clause: Print, body: str) -> PrintFacts:
        """Return which column a PRINT clause adds."""
        ...

    def listing(self, clause: ListObjects) -> str:
        """Return a SELECT that lists the objects."""
        ...

    def table_version(self, table: TableVersion) -> str:
        """Return the qualified name under which a version of a table is read."""
        ...

    def search_many(self, clause: SearchMany) -> str:
        """Return the name of a table that holds what the searches find."""
        ...


@dataclass(frozen=True)
class Segment:
    """Text from `start` in the new SQL came from `origin` in the statement.

    Verbatim segments run alongside the original; a generated one stands for the one
    place `origin`.
    """

    start: int
    origin: int
    verbatim: bool


@dataclass(frozen=True)
class Rewritten:
    """Plain SQL, and where its characters were in the statement."""

    sql: str
    source: str = field(repr=False)
    segments: tuple[Segment, ...] = field(repr=False)

    def position(self, offset: int) -> int:
        """Return the offset in the statement for an offset in `sql`."""
        place = bisect_right(self.segments, offset, key=lambda one: one.start) - 1
        segment = self.segments[max(place, 0)]
        return segment.origin + (offset - segment.start if segment.verbatim else 0)

    def place(self, line: int, column: int) -> Position:
        """Return the statement's position for a line and column of `sql`, from 1."""
        start = 0
        for _ in range(line - 1):
            start = self.sql.find("\n", start) + 1
        return Position.of(self.source, self.position(start + column - 1))


def rewrite(query: Query, facts: Facts) -> Rewritten:
    """Replace the clauses and placeholders of a query by plain SQL."""
    writer = _Writer(count(1))
    _write_query(writer, query, facts)
    return Rewritten(writer.sql, query.source, tuple(writer.segments))


def splice(source: str, pieces: Sequence[str | Query], facts: Facts) -> Rewritten:
    """Put pieces of SQL and of the statement together, as `rewrite` does for one."""
    writer = _Writer(count(1))
    origin = 0
    for piece in pieces:
        if isinstance(piece, str):
            writer.add(piece, origin, verbatim=False)
        else:
            _write_query(writer, piece, facts)
            origin = piece.span.end
    return Rewritten(writer.sql, source, tuple(writer.segments))


class _Writer:
    """SQL under construction with its segments; `aliases` numbers derived tables."""

    def __init__(self, aliases: Iterator[int]) -> None:
        self._aliases = aliases
        self._pieces: list[str] = []
        self._length = 0
        self.segments: list[Segment] = []

    @property
    def sql(self) -> str:
        return "".join(self._pieces)

    def inner(self) -> _Writer:
        """Return a writer of a piece that `add_all` takes in later."""
        return _Writer(self._aliases)

    def aliases(self) -> tuple[str, str]:
        """Return names for a clause's body and its result; two in one FROM differ."""
        number = next(self._aliases)
        return (f"__s{number}", f"__r{number}") if number > 1 else ("__s", "__r")

    def add(self, text: str, origin: int, *, verbatim: bool) -> None:
        self.segments.append(Segment(self._length, origin, verbatim))
        self._pieces.append(text)
        self._length += len(text)

    def add_all(self, other: _Writer) -> None:
        self.segments.extend(
            Segment(one.start + self._length, one.origin, one.verbatim)
            for one in other.segments
        )
        self._pieces.extend(other._pieces)
        self._length += other._length


def _write_query(writer: _Writer, query: Query, facts: Facts) -> None:
    """Copy the query's text, but for clauses, calls and what else is not plain."""
    bodies = [clause.span for clause in query.clauses]
    moments = [
        moment
        for moment in moments_in(query.source, query.span)
        if not any(body.start <= moment.span.start < body.end for body in bodies)
    ]
    inserts: list[_Insert] = [*query.clauses, *query.parameters, *query.calls]
    inserts += [*query.versions, *moments]
    in_order = deque(sorted(inserts, key=lambda one: one.span.start))
    _write_piece(writer, query.source, query.span, in_order, facts)


def _write_piece(
    writer: _Writer, source: str, span: Span, inserts: deque[_Insert], facts: Facts
) -> None:
    """Copy a piece of the text and take the inserts in it off their queue."""
    offset = span.start
    while inserts and inserts[0].span.start < span.end:
        insert = inserts.popleft()
        writer.add(source[offset : insert.span.start], offset, verbatim=True)
        if isinstance(insert, Placeholder):
            _write_placeholder(writer, source, insert)
        elif isinstance(insert, Call):
            _write_call(writer, source, insert, inserts, facts)
        elif isinstance(insert, TableVersion):
            alias = "" if insert.has_alias else f" AS {quote(insert.table.name)}"
            name = facts.table_version(insert)
            writer.add(name + alias, insert.span.start, verbatim=False)
        elif isinstance(insert, Moment):
            writer.add(insert.sql, insert.span.start, verbatim=False)
        else:
            _write_clause(writer, insert, facts)
        offset = insert.span.end
    writer.add(source[offset : span.end], offset, verbatim=True)


def _write_call(
    writer: _Writer, source: str, call: Call, inserts: deque[_Insert], facts: Facts
) -> None:
    origin = call.span.start
    written = facts.call(call)
    before = f"{written.function}("
    for argument in written.arguments:
        writer.add(before, origin, verbatim=False)
        before = ", "
        if isinstance(argument, str):
            writer.add(quote_text(argument), origin, verbatim=False)
            continue
        span = call.arguments[argument].span
        while inserts and inserts[0].span.start < span.start:
            inserts.popleft()
        _write_piece(writer, source, span, inserts, facts)
    while inserts and inserts[0].span.start < call.span.end:
        inserts.popleft()
    alias = "" if call.title is None else f" AS {quote(call.title)}"
    writer.add(f"){alias}", origin, verbatim=False)


def _write_placeholder(writer: _Writer, source: str, placeholder: Placeholder) -> None:
    """Write `$n`, set apart from words: `a=?AND b` must not become `$1AND`."""
    span = placeholder.span
    before = " " if _in_word(source[span.start - 1 : span.start]) else ""
    after = " " if _in_word(source[span.end : span.end + 1]) else ""
    text = f"{before}${placeholder.index}{after}"
    writer.add(text, span.start, verbatim=False)


def _in_word(character: str) -> bool:
    return character.isalnum() or character in ("_", "$", "@", "#", "?")


def _write_clause(writer: _Writer, clause: Clause, facts: Facts) -> None:
    origin = clause.span.start
    if isinstance(clause, ListObjects):
        writer.add(f"({facts.listing(clause)}\n)", origin, verbatim=False)
        return
    if isinstance(clause, SearchMany):
        writer.add(facts.search_many(clause), origin, verbatim=False)
        return
    alias, result = writer.aliases()
    body = writer.inner()
    _write_query(body, clause.body, facts)
    around = _around(clause, alias, body.sql, facts)
    if isinstance(around, str):
        writer.add(f"({around})", origin, verbatim=False)
        return
    head, tail = around
    # Only an alias around it all makes a new column one of the same table as the rest.
    writer.add(f"(SELECT * FROM (SELECT {head} FROM (", origin, verbatim=False)
    writer.add_all(body)
    # The line break keeps a comment at the end of the body from eating the rest.
    writer.add(f"\n) AS {alias}) AS {result}{tail})", origin, verbatim=False)


def _around(
    clause: Convert | Search | Print, alias: str, body: str, facts: Facts
) -> tuple[str, str] | str:
    """Return the select list before the body and what follows, or all there is."""
    if isinstance(clause, Search):
        return _search(facts.search(clause, body), alias)
    if isinstance(clause, Convert):
        convert = facts.convert(clause, body)
        if isinstance(convert, str):
            return convert
        kept = f" EXCEPT ({quote(convert.name)})" if convert.replaces else ""
        return f"{alias}.*{kept}, {_call(convert, alias)}", ""
    printed = facts.print_files(clause, body)
    path = f"CAST({alias}.{quote(printed.path_column)} AS VARCHAR)"
    return f"{alias}.*, CAST({path} AS BYTEA) AS {quote(printed.name)}", ""


def _call(facts: ConvertFacts, alias: str) -> str:
    path = f"CAST({alias}.{quote(facts.column)} AS VARCHAR)"
    return f"{facts.function}({path}) AS {quote(facts.name)}"


def _search(facts: SearchFacts, alias: str) -> tuple[str, str]:
    similarities = "".join(
        f", {function}({alias}.{quote(facts.column)}, {quote_text(label)})"
        f" AS {quote(name)}"
        for function, label, name in zip(
            facts.functions, facts.labels, facts.names, strict=True
        )
    )
    kept = f" EXCEPT ({', '.join(map(quote, facts.replaced))})"
    columns = f"{alias}.*{kept if facts.replaced else ''}{similarities}"
    order = f" ORDER BY {quote(facts.names[0])} DESC" if facts.is_sorted else ""
    limit = "" if facts.top_k is None else f" LIMIT {facts.top_k}"
    return columns, order + limit
