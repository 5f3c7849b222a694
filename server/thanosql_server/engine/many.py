"""What a call of `search_many` means: table, column, queries, columns of the result.

The queries are planned as a query of their own, which runs when the rows of the result
are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.columns import find_column
from thanosql_server.engine.embedding import embed_images, embed_texts, require_medium
from thanosql_server.engine.many_rows import ManyRows, ManySearches
from thanosql_server.engine.places import place_at
from thanosql_server.engine.targets import at
from thanosql_server.errors import (
    InvalidStatement,
    InvalidValue,
    NotSupported,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)
from thanosql_server.ml.families import IMAGE_COLUMNS
from thanosql_server.ml.placement import Placement
from thanosql_server.ml.text_pipeline import TEXT_COLUMNS
from thanosql_server.search.vectors import dim_of, is_vector_type
from thanosql_server.sql.many import NAME
from thanosql_server.sql.names import quote
from thanosql_server.sql.nodes import SelectStatement
from thanosql_server.sql.options import Parameter, bind, show
from thanosql_server.sql.parser import parse
from thanosql_server.storage.facts import without_facts

if TYPE_CHECKING:
    from datafusion import DataFrame

    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.many import SearchMany
    from thanosql_server.sql.nodes import Query
    from thanosql_server.sql.options import Value
    from thanosql_server.storage.table import Table

PREFIX = "query_"
"""Stands before the names of the queries' columns."""
SIMILARITY, RANK = "similarity", "rank"

_VECTOR = "__vector"


@dataclass(frozen=True)
class _Source:
    """The column of the queries; `kind` is "vector", "text" or "image"."""

    column: str
    kind: str


def table_of(planning: Planning, clause: SearchMany) -> str:
    """Show the statement a table with what the searches find; return its name.

    Raises:
        ThanoSQLError: an argument is wrong, with its place in the statement.
    """
    call = _Call(planning, clause)
    table, column = call.searched()
    handle = call.model(table.schema.field(column).type, column)
    inner = planning.apart()
    query = call.queries()
    given = call.given(inner, query)
    source = call.source(given, column, table.schema.field(column).type, handle)
    frame, vector = _with_vectors(inner, query, source, handle)
    schema = _schema(given, table)
    dim = call.dim(table.schema.field(column).type, frame.schema().field(vector).type)
    searches = ManySearches(
        inner,
        frame,
        vector,
        dim,
        table,
        column,
        call.k() or 0,
        schema,
        given.names,
    )
    known = planning.clauses.searched_many
    known.append(searches)
    planning.clauses.counted.append(searches.incomparable)
    name = NAME if len(known) == 1 else f"{NAME}_{len(known)}"
    return planning.catalog.show(name, ManyRows(searches))


@dataclass(frozen=True)
class _Call:
    """The arguments of a call, read one by one."""

    planning: Planning
    clause: SearchMany

    def searched(self) -> tuple[Table, str]:
        """Return the table and its column of vectors."""
        name = self._name(self.clause.table, 0, "a table")
        planning = self.planning
        place = at(
            self._at(0),
            lambda: place_at(planning.environment.workspace, tuple(name.split("."))),
        )
        if place.views.exists(place.name):
            raise NotSupported(
                f"{NAME} searches stored tables, and '{name}' is a view; "
                f"CREATE TABLE ... AS SELECT * FROM {name} stores its rows",
                position=self._at(0),
            )
        table = at(self._at(0), lambda: planning.catalog.open(place))
        planning.catalog.reading.used.add(place.key)
        wanted = self._name(self.clause.column, 1, "a column of vectors")
        column = find_column(table.schema, wanted)
        if column is None:
            hint = nearest(wanted, table.schema.names)
            raise UndefinedColumn(
                f"table '{name}' has no column '{wanted}'{hint}", position=self._at(1)
            )
        dtype = table.schema.field(column).type
        if not is_vector_type(dtype):
            raise InvalidStatement(
                f"column '{column}' holds {dtype}, not vectors", position=self._at(1)
            )
        return table, column

    def model(self, dtype: pa.DataType, column: str) -> ModelHandle | None:
        """Return the model, None if none is named."""
        if self.clause.model is None:
            return None
        name = self._name(self.clause.model, 2, "a model")
        handle = self.planning.clauses.model(name, self._at(2))
        dim = dim_of(dtype)
        if dim is not None and dim != handle.dim:
            raise InvalidStatement(
                f"the vectors in '{column}' have {dim} numbers, those of model "
                f"'{handle.name}' have {handle.dim}",
                position=self._at(2),
            )
        return handle

    def queries(self) -> Query:
        """Return the query whose rows are searched for."""
        if self.clause.body.text:
            return self.clause.body
        name = self._name(self.clause.queries, 3, "a table of queries")
        statement = parse(f"SELECT * FROM {quote(name)}")
        if not isinstance(statement, SelectStatement):
            raise InvalidStatement(f"'{name}' is no table", position=self._at(3))
        return statement.query

    def given(self, inner: Planning, query: Query) -> pa.Schema:
        """Return the columns of the queries."""
        try:
            schema = inner.frame(query).schema()
        except ThanoSQLError as error:
            if not self.clause.body.text:
                error.position = self._at(3)
            raise error.at(self._at(3)) from None
        if len(set(schema.names)) < len(schema):
            raise InvalidStatement(
                "two columns of the queries have the same name; give them others with "
                "AS",
                position=self._at(3),
            )
        return schema

    def source(
        self,
        given: pa.Schema,
        column: str,
        dtype: pa.DataType,
        handle: ModelHandle | None,
    ) -> _Source:
        """Return what to search for: the column named, or the usual one."""
        clause, media = self.clause, handle.family.media if handle else frozenset()
        if clause.query_column is not None:
            found = find_column(given, clause.query_column)
            if found is None:
                raise UndefinedColumn(
                    f"the queries have no column '{clause.query_column}'"
                    f"{nearest(clause.query_column, given.names)}",
                    position=self._at(3),
                )
            source = _Source(found, clause.kind or "vector")
        else:
            source = self._usual(given, column, dtype, media)
        self._check(source, given.field(source.column).type, dtype, handle)
        return source

    def _usual(
        self, given: pa.Schema, column: str, dtype: pa.DataType, media: frozenset[str]
    ) -> _Source:
        """Return the column of that name, the only one of vectors, or a usual name."""
        vectors = [one.name for one in given if is_vector_type(one.type)]
        if column in vectors:
            return _Source(column, "vector")
        if len(vectors) == 1 and dim_of(given.field(vectors[0]).type) == dim_of(dtype):
            return _Source(vectors[0], "vector")
        for kind, usual in (("text", TEXT_COLUMNS), ("image", IMAGE_COLUMNS)):
            for name in usual if kind in media else ():
                found = find_column(given, name)
                if found is not None:
                    return _Source(found, kind)
        raise UndefinedColumn(
            f"the queries have no column '{column}' of vectors, nor one of texts or "
            "paths of pictures for a model; name theirs with vector=, text= or image=",
            position=self._at(3),
        )

    def _check(
        self,
        source: _Source,
        given: pa.DataType,
        dtype: pa.DataType,
        handle: ModelHandle | None,
    ) -> None:
        """Raise unless the column can be what is searched for."""
        position = self._at(3)
        if source.kind != "vector":
            if handle is None:
                raise InvalidStatement(
                    f"a model is needed to search for the {source.kind}s in "
                    f"'{source.column}'",
                    position=self._at(2),
                )
            require_medium(handle, source.kind, self._at(2))
            if not (pa.types.is_string(given) or pa.types.is_large_string(given)):
                raise InvalidStatement(
                    f"column '{source.column}' of the queries holds {given}, not text",
                    position=position,
                )
            return
        if not is_vector_type(given):
            raise InvalidStatement(
                f"column '{source.column}' of the queries holds {given}, not vectors",
                position=position,
            )
        own, other = dim_of(dtype), dim_of(given)
        if own is not None and other is not None and own != other:
            raise InvalidStatement(
                f"the vectors that are searched have {own} numbers, those of the "
                f"queries have {other}",
                position=position,
            )

    def dim(self, searched: pa.DataType, given: pa.DataType) -> int:
        """Return the length of the vectors, which one side must have fixed."""
        found = dim_of(searched) or dim_of(given)
        if found is None:
            raise InvalidStatement(
                f"{NAME} needs vectors of a fixed length on one side; "
                "arrow_cast(v, 'FixedSizeList(3, Float32)') makes such of 3 numbers",
                position=self._at(3),
            )
        return found

    def k(self) -> int | None:
        """Return how many rows each query gets; None while that is not known."""
        value = self._bound(self.clause.k)
        if isinstance(value, Parameter):
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidValue(
                f"k of {NAME} is a number of rows, not {show(value)}",
                position=self._at(4),
            )
        return value

    def _name(self, value: Value, index: int, what: str) -> str:
        value = self._bound(value)
        if isinstance(value, Parameter):
            raise InvalidStatement(
                f"{what} in {NAME} decides on the columns and must be known when the "
                "statement is prepared",
                position=self._at(index),
            )
        if not isinstance(value, str):
            raise InvalidValue(
                f"{NAME} takes {what} here, not {show(value)}", position=self._at(index)
            )
        return value

    def _bound(self, value: Value) -> Value:
        """Return a value, or its parameter while that has none."""
        arguments = self.planning.arguments
        if arguments is None:
            return value
        return bind(value, [one.as_py() for one in arguments])

    def _at(self, index: int) -> Position:
        return self.clause.positions[index]


def _with_vectors(
    inner: Planning, query: Query, source: _Source, handle: ModelHandle | None
) -> tuple[DataFrame, str]:
    """Return the queries, and which of their columns has the vectors."""
    if source.kind == "vector" or handle is None:
        return inner.frame(query), source.column
    encoders = inner.environment.encoders
    embed = embed_texts if source.kind == "text" else embed_images
    function = inner.clauses.function_name(f"embed_{source.kind}")
    embed(inner, function, handle, lambda: encoders.encoder(handle, Placement()))
    value = f"CAST(__q.{quote(source.column)} AS VARCHAR)"
    head = f"SELECT __q.*, {function}({value}) AS {quote(_VECTOR)} FROM ("
    return inner.spliced(head, query, "\n) AS __q"), _VECTOR


def _schema(given: pa.Schema, table: Table) -> pa.Schema:
    """Return the columns of the result: the queries', the table's, and two more.

    A column of the table that has the name of another one is left out.
    """
    fields = [one.with_name(PREFIX + one.name).remove_metadata() for one in given]
    last = [pa.field(SIMILARITY, pa.float32()), pa.field(RANK, pa.int64())]
    taken = {one.name for one in (*fields, *last)}
    own = [one for one in without_facts(table.schema) if one.name not in taken]
    return pa.schema([*fields, *own, *last])
