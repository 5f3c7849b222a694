"""What a statement says, as frozen data with its places in the text.

Every span holds offsets into the text that was given to `parse`; the text of a query
outside ThanoSQL clauses is kept as written and is never taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias

from thanosql_server.sql.options import Options, Parameter, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.errors import Position
    from thanosql_server.sql.constraints import Constraint
    from thanosql_server.sql.generation import DropExpression, Generation
    from thanosql_server.sql.many import SearchMany
    from thanosql_server.sql.versions import TableVersion

__all__ = [
    "AddColumn",
    "AlterTable",
    "AlterType",
    "Alteration",
    "Argument",
    "Assignment",
    "BuildModel",
    "Call",
    "Clause",
    "ColumnDefinition",
    "Comment",
    "Convert",
    "Copy",
    "CreateSchema",
    "CreateTable",
    "CreateTableAs",
    "CreateTableUsing",
    "CreateView",
    "Delete",
    "DeleteModel",
    "DropColumn",
    "DropSchema",
    "DropTable",
    "DropView",
    "GetThanosql",
    "Insert",
    "ListObjects",
    "Medium",
    "Options",
    "Parameter",
    "Placeholder",
    "Print",
    "Query",
    "RenameColumn",
    "RenameTable",
    "Search",
    "SearchItem",
    "SelectStatement",
    "SetDefault",
    "SetNullable",
    "Span",
    "Statement",
    "TableName",
    "Truncate",
    "TypeText",
    "Unsupported",
    "Update",
    "Value",
]

Medium: TypeAlias = Literal["IMAGE", "AUDIO", "VIDEO"]
Listing: TypeAlias = Literal[
    "MODEL", "TABLE", "INDEX", "THANOSQL MODEL", "THANOSQL DATASET"
]


@dataclass(frozen=True)
class Span:
    """A piece of the text: from offset `start` up to, not including, `end`."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the piece of `text`."""
        return text[self.start : self.end]


@dataclass(frozen=True)
class TableName:
    """A table's name as SQL reads it: unquoted parts in lower case."""

    parts: tuple[str, ...]
    position: Position

    @property
    def name(self) -> str:
        """The last part, without schema and catalog."""
        return self.parts[-1]

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True)
class Placeholder:
    """A parameter in the SQL text of a query; `index` counts from 1."""

    index: int
    span: Span


@dataclass(frozen=True)
class Argument:
    """One argument of a `Call`.

    Attributes:
        span: its text.
        position: where it begins.
        value: a text, a parameter, a list of numbers, or a call that is the whole
            argument; None for any other expression.
    """

    span: Span
    position: Position
    value: str | Parameter | tuple[float, ...] | Call | None = None


@dataclass(frozen=True)
class Call:
    """A call of a function of ours in the SQL text of a query.

    Attributes:
        function: its name in lower case.
        arguments: what stands between the parentheses.
        span: from the name to the closing parenthesis.
        position: where the name is.
        key: the same for calls that mean the same: those that are spelled alike in
            one SELECT.
        title: its column's name, the call as written, if it is an item of a select
            list and has no alias.
    """

    function: str
    arguments: tuple[Argument, ...]
    span: Span
    position: Position
    key: tuple[object, ...]
    title: str | None = None


@dataclass(frozen=True)
class Query:
    """A query: its text in the statement and the clauses directly inside it.

    Attributes:
        source: the whole text of the statement.
        span: the query's own text, without the parentheses around a clause's body.
        clauses: ThanoSQL clauses in text order; those inside a clause's body
            belong to that body.
        parameters: placeholders outside the clauses, in text order.
        calls: calls of our functions outside the clauses, in text order, those
            inside another call's arguments too.
        versions: tables outside the clauses of which a certain version is read.
    """

    source: str
    span: Span
    clauses: tuple[Clause, ...] = ()
    parameters: tuple[Placeholder, ...] = ()
    calls: tuple[Call, ...] = ()
    versions: tuple[TableVersion, ...] = ()

    @property
    def text(self) -> str:
        """The query as written."""
        return self.span.of(self.source)

    @property
    def placeholder(self) -> int | None:
        """The number of the parameter that is all there is, if it is one."""
        if len(self.parameters) != 1 or self.parameters[0].span != self.span:
            return None
        return self.parameters[0].index

    @property
    def clause(self) -> Clause | None:
        """The clause that the whole query consists of, if it is nothing else."""
        if len(self.clauses) != 1:
            return None
        inner = self.clauses[0].span
        before = self.source[self.span.start : inner.start]
        after = self.source[inner.end : self.span.end]
        if before.strip("( \t\r\n") or after.strip(") \t\r\n"):
            return None
        return self.clauses[0]

    def walk(self) -> Iterator[Clause]:
        """Yield all clauses, those in a body before the clause around it."""
        for clause in self.clauses:
            if not isinstance(clause, ListObjects):
                yield from clause.body.walk()
            yield clause


@dataclass(frozen=True)
class Convert:
    """`CONVERT USING model [OPTIONS(...)] AS body`."""

    model: str
    options: Options
    body: Query
    span: Span
    model_position: Position


@dataclass(frozen=True)
class SearchItem:
    """One thing to search for: a text, or the path of a picture."""

    kind: Literal["text", "image"]
    value: str | Parameter
    position: Position


@dataclass(frozen=True)
class Search:
    """`SEARCH IMAGE|TEXT text='...' USING model [OPTIONS(...)] AS body`.

    The medium is what the rows hold, not what they are compared with. `items` holds
    the query items of both forms, `text=|image=` before USING and
    OPTIONS(search_by=, search_input=).
    """

    medium: Literal["IMAGE", "TEXT"]
    items: tuple[SearchItem, ...]
    model: str
    options: Options
    body: Query
    span: Span
    model_position: Position

    @property
    def by_options(self) -> bool:
        """Whether the later form was used, which sorts and cuts to the best."""
        return "search_by" in self.options


@dataclass(frozen=True)
class Print:
    """`PRINT IMAGE|AUDIO|VIDEO [OPTIONS(...)] AS body`."""

    medium: Medium
    options: Options
    body: Query
    span: Span


@dataclass(frozen=True)
class ListObjects:
    """`LIST MODEL`, `LIST TABLE`, `LIST THANOSQL MODEL|DATASET`."""

    kind: Listing
    span: Span


Clause: TypeAlias = "Convert | Search | Print | ListObjects | SearchMany"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What all statements have.

    Attributes:
        text: the text as given to `parse`.
        parameter_count: the values that must be given to execute the statement.
    """

    text: str = ""
    parameter_count: int = 0

    @property
    def queries(self) -> tuple[Query, ...]:
        """The query of the statement, if it has one."""
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(value for value in values if isinstance(value, Query))


@dataclass(frozen=True)
class SelectStatement(Statement):
    """Anything that returns rows: SELECT, SHOW, EXPLAIN, a clause on its own."""

    query: Query


@dataclass(frozen=True)
class BuildModel(Statement):
    """`BUILD MODEL name USING family [OPTIONS(...)] AS body`."""

    name: str
    family: str
    options: Options
    body: Query
    name_position: Position
    family_position: Position


@dataclass(frozen=True)
class Copy(Statement):
    """`COPY table [OPTIONS(...)] FROM 'path'`; `source` is the path or a parameter."""

    table: TableName
    options: Options
    source: str | Parameter
    source_position: Position


@dataclass(frozen=True)
class CreateTableUsing(Statement):
    """`CREATE TABLE table USING model [OPTIONS(...)] FROM 'folder'`."""

    table: TableName
    model: str
    options: Options
    source: str | Parameter
    if_not_exists: bool
    model_position: Position
    source_position: Position


@dataclass(frozen=True)
class CreateTableAs(Statement):
    """`CREATE [OR REPLACE] TABLE [IF NOT EXISTS] table AS query`."""

    table: TableName
    or_replace: bool
    if_not_exists: bool
    query: Query


@dataclass(frozen=True)
class TypeText:
    """The type of a column as it is written."""

    text: str
    position: Position


@dataclass(frozen=True)
class ColumnDefinition:
    """A column of CREATE TABLE or ALTER TABLE ... ADD, and what is declared of it."""

    name: str
    position: Position
    type: TypeText
    not_null: bool = False
    default: Query | None = None
    comment: str | None = None
    constraints: tuple[Constraint, ...] = ()
    generation: Generation | None = None

    @property
    def is_key(self) -> bool:
        """Whether the column alone is declared the primary key."""
        return any(one.kind == "PRIMARY KEY" for one in self.constraints)


@dataclass(frozen=True)
class CreateTable(Statement):
    """`CREATE [OR REPLACE] TABLE [IF NOT EXISTS] table (columns) [COMMENT 'text']`."""

    table: TableName
    or_replace: bool
    if_not_exists: bool
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[Constraint, ...]
    comment: str | None

    @property
    def key(self) -> tuple[tuple[str, Position], ...]:
        """The columns of the primary key, with their places."""
        keys = [one.columns for one in self.constraints if one.kind == "PRIMARY KEY"]
        return keys[0] if keys else ()


@dataclass(frozen=True)
class Comment(Statement):
    """`COMMENT ON TABLE table|COLUMN table.column IS 'text'|NULL`."""

    table: TableName
    column: str | None
    comment: str | None


@dataclass(frozen=True)
class AddColumn:
    """`ADD [COLUMN] [IF NOT EXISTS] column type ...`."""

    column: ColumnDefinition
    if_not_exists: bool


@dataclass(frozen=True)
class DropColumn:
    """`DROP [COLUMN] [IF EXISTS] name [CASCADE]`."""

    name: str
    position: Position
    if_exists: bool
    cascade: bool = False


@dataclass(frozen=True)
class RenameColumn:
    """`RENAME [COLUMN] name TO new`."""

    name: str
    position: Position
    new: str
    new_position: Position


@dataclass(frozen=True)
class RenameTable:
    """`RENAME TO new`."""

    new: TableName


@dataclass(frozen=True)
class AlterType:
    """`ALTER [COLUMN] name [SET DATA] TYPE type [USING value]`."""

    name: str
    position: Position
    type: TypeText
    using: Query | None


@dataclass(frozen=True)
class SetNullable:
    """`ALTER [COLUMN] name SET|DROP NOT NULL`."""

    name: str
    position: Position
    nullable: bool


@dataclass(frozen=True)
class SetDefault:
    """`ALTER [COLUMN] name SET DEFAULT value|DROP DEFAULT`."""

    name: str
    position: Position
    default: Query | None


Alteration: TypeAlias = (
    "AddColumn | DropColumn | RenameColumn | RenameTable | AlterType | SetNullable "
    "| SetDefault | DropExpression"
)


@dataclass(frozen=True)
class AlterTable(Statement):
    """`ALTER TABLE [IF EXISTS] table change`."""

    table: TableName
    if_exists: bool
    change: Alteration


@dataclass(frozen=True)
class CreateSchema(Statement):
    """`CREATE SCHEMA [IF NOT EXISTS] name`; its name may have the catalog in front."""

    name: TableName
    if_not_exists: bool


@dataclass(frozen=True)
class DropSchema(Statement):
    """`DROP SCHEMA [IF EXISTS] name [CASCADE]`."""

    name: TableName
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class Insert(Statement):
    """`INSERT INTO table [(columns)] query`; without a query, DEFAULT VALUES.

    `rows` holds the places of the values of each row of VALUES, if they are few or
    parameters or DEFAULT are among them.
    """

    table: TableName
    columns: tuple[str, ...] | None
    query: Query | None
    rows: tuple[tuple[Span, ...], ...] = ()


@dataclass(frozen=True)
class Delete(Statement):
    """`DELETE FROM table [AS alias] [USING others] [WHERE condition]`."""

    table: TableName
    alias: str
    others: Query | None
    where: Query | None


@dataclass(frozen=True)
class Assignment:
    """`column = value` of an UPDATE; no value is DEFAULT."""

    column: str
    value: Query | None
    position: Position


@dataclass(frozen=True)
class Update(Statement):
    """`UPDATE table [AS alias] SET a = x, ... [FROM others] [WHERE condition]`."""

    table: TableName
    alias: str
    assignments: tuple[Assignment, ...]
    others: Query | None
    where: Query | None


@dataclass(frozen=True)
class Truncate(Statement):
    """`TRUNCATE [TABLE] table [, ...]`."""

    tables: tuple[TableName, ...]


@dataclass(frozen=True)
class DropTable(Statement):
    """`DROP TABLE [IF EXISTS] table [, ...] [CASCADE]`."""

    tables: tuple[TableName, ...]
    if_exists: bool
    cascade: bool = False


@dataclass(frozen=True)
class CreateView(Statement):
    """`CREATE [OR REPLACE] VIEW [IF NOT EXISTS] view [(columns)] AS query`."""

    view: TableName
    or_replace: bool
    if_not_exists: bool
    columns: tuple[str, ...] | None
    query: Query


@dataclass(frozen=True)
class DropView(Statement):
    """`DROP VIEW [IF EXISTS] view [, ...] [CASCADE]`."""

    views: tuple[TableName, ...]
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class DeleteModel(Statement):
    """`DELETE MODEL name`."""

    name: str
    name_position: Position


@dataclass(frozen=True)
class GetThanosql(Statement):
    """`GET THANOSQL DATASET|MODEL name [OPTIONS(...)] [AS alias]`."""

    what: Literal["DATASET", "MODEL"]
    name: str
    options: Options
    alias: str | None
    name_position: Position


@dataclass(frozen=True)
class Unsupported(Statement):
    """A statement that is known but not served; `verb` names it: "UPDATE"."""

    verb: str
    span: Span
