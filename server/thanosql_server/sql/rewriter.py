"""A query with ThanoSQL clauses -> plain SQL for DataFusion.

Each clause's text is replaced by a query around its body, innermost first; all other
text stays as it is. What the text cannot know (names of columns and functions) comes
from the engine as `Facts`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from thanosql_server.errors import Position
from thanosql_server.sql.nodes import (
    Convert,
    ListObjects,
    Placeholder,
    Print,
    Search,
)
from thanosql_server.sql.tokens import quote

if TYPE_CHECKING:
    from thanosql_server.sql.nodes import Clause, Query


@dataclass(frozen=True)
class SearchFacts:
    """How to compute a SEARCH clause.

    Attributes:
        column: the embedding's column in the body.
        functions: one similarity function per query item; each knows its vector.
        names: the similarity columns, one per query item.
        top_k: sort by the first similarity and keep so many rows; None keeps all.
    """

    column: str
    functions: tuple[str, ...]
    names: tuple[str, ...]
    top_k: int | None = None


@dataclass(frozen=True)
class ConvertFacts:
    """How to compute a CONVERT clause.

    Attributes:
        function: the model's embedding function.
        image_column: the path column of the body.
        name: the new column.
        replaces: whether the body has a column of that name already.
    """

    function: str
    image_column: str
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


class Facts(Protocol):
    """What the engine knows about a clause; `body` is its query as plain SQL."""

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
    writer = _Writer()
    _write_query(writer, query, facts)
    return Rewritten(writer.sql, query.source, tuple(writer.segments))


class _Writer:
    """SQL under construction with its segments."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.segments: list[Segment] = []

    @property
    def sql(self) -> str:
        return "".join(self._pieces)

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
    """Copy the query's text, writing clauses and placeholders in their places."""
    offset = query.span.start
    inserts = (*query.clauses, *query.parameters)
    for insert in sorted(inserts, key=lambda one: one.span.start):
        before = query.source[offset : insert.span.start]
        writer.add(before, offset, verbatim=True)
        if isinstance(insert, Placeholder):
            _write_placeholder(writer, query.source, insert)
        else:
            _write_clause(writer, insert, facts)
        offset = insert.span.end
    writer.add(query.source[offset : query.span.end], offset, verbatim=True)


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
    body = _Writer()
    _write_query(body, clause.body, facts)
    around = _around(clause, body.sql, facts)
    if isinstance(around, str):
        writer.add(f"({around})", origin, verbatim=False)
        return
    head, tail = around
    # The line break keeps a comment at the end of the body from eating the rest.
    writer.add(f"(SELECT {head} FROM (", origin, verbatim=False)
    writer.add_all(body)
    writer.add(f"\n) AS __s{tail})", origin, verbatim=False)


def _around(
    clause: Convert | Search | Print, body: str, facts: Facts
) -> tuple[str, str] | str:
    """Return the select list before the body and what follows, or all there is."""
    if isinstance(clause, Search):
        return _search(facts.search(clause, body))
    if isinstance(clause, Convert):
        convert = facts.convert(clause, body)
        if isinstance(convert, str):
            return convert
        every = f"__s.* EXCEPT ({quote(convert.name)})" if convert.replaces else "__s.*"
        return f"{every}, {_call(convert)}", ""
    printed = facts.print_files(clause, body)
    path = f"CAST(__s.{quote(printed.path_column)} AS VARCHAR)"
    return f"__s.*, CAST({path} AS BYTEA) AS {quote(printed.name)}", ""


def _call(facts: ConvertFacts) -> str:
    path = f"CAST(__s.{quote(facts.image_column)} AS VARCHAR)"
    return f"{facts.function}({path}) AS {quote(facts.name)}"


def _search(facts: SearchFacts) -> tuple[str, str]:
    similarities = "".join(
        f", {function}(__s.{quote(facts.column)}) AS {quote(name)}"
        for function, name in zip(facts.functions, facts.names, strict=True)
    )
    if facts.top_k is None:
        return f"__s.*{similarities}", ""
    best = f" ORDER BY {quote(facts.names[0])} DESC LIMIT {facts.top_k}"
    return f"__s.*{similarities}", best
