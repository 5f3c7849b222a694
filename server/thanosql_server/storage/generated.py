"""Columns of embeddings that the server keeps fresh: what is declared of them.

Such a column names a function, a model and another column, its input. The input bears a
mark of its own, by which it is found again under any name; so a renaming is one commit.
Beside the column lies its hidden one of origins (see `Table.origins`):

- NULL: the row waits. Whoever adds rows leaves it so, and whoever changes the input
  sets the embedding and its origin to NULL in the same commit (`invalidated`).
- `NOTHING`: there is no embedding to be had, as of a picture that cannot be read.
- else the build of the model above `INPUT_BITS`, and below it a hash over the input.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.storage.columns import origin_field
from thanosql_server.storage.facts import GENERATED, MARK, fact, with_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = 0
"""Origin of a row that has been tried and has no embedding."""

INPUT_BITS = 40
"""Lower bits of an origin, a hash over the input; the 24 above tell the model."""


@dataclass(frozen=True)
class Generated:
    """A column that is kept fresh.

    Attributes:
        column: its name.
        function: `embed_image` or `embed_text`.
        model: the model's name.
        input: the column that is embedded, as it is called now.
        dim: numbers per embedding.
        mark: that of the input, which no other table's has.
    """

    column: str
    function: str
    model: str
    input: str
    dim: int
    mark: str = field(default="", compare=False)

    @property
    def origin(self) -> str:
        """The hidden column of origins."""
        return str(origin_field(self.column).name)


def generated_columns(schema: pa.Schema) -> list[Generated]:
    """Return the columns of a table that are kept fresh, in its order."""
    return [one for each in schema if (one := generated(schema, each)) is not None]


def generated(schema: pa.Schema, column: pa.Field) -> Generated | None:
    """Return what is declared of a column that is kept fresh; None of any other."""
    text = fact(column, GENERATED)
    if text is None:
        return None
    told = json.loads(text)
    mark, dim = told["input"], column.type.list_size
    for one in schema:
        if fact(one, MARK) == mark:
            function, model = told["function"], told["model"]
            return Generated(column.name, function, model, one.name, dim, mark)
    return None


def marked(column: pa.Field) -> pa.Field:
    """Return a column with a mark, by which others can name it."""
    if fact(column, MARK) is not None:
        return column
    return with_facts(column, {MARK: uuid.uuid4().hex[:12]})


def declared(column: pa.Field, function: str, model: str, input: pa.Field) -> pa.Field:
    """Return a column of vectors, declared to be kept fresh from a marked input."""
    told = {"function": function, "model": model, "input": fact(input, MARK)}
    return with_facts(column, {GENERATED: json.dumps(told)})


def with_origins(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the hidden columns of those that are kept fresh."""
    columns = generated_columns(schema)
    origins = [origin_field(one.column) for one in columns]
    return pa.schema([*schema, *origins], metadata=schema.metadata)


def invalidated(
    schema: pa.Schema, names: list[str], batches: Iterator[pa.RecordBatch]
) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """Return new values of columns, with NULLs for what was made from them.

    Args:
        schema: the table's columns, hidden ones too.
        names: the columns that are changed.
        batches: their new values.
    """
    more = [
        name
        for one in generated_columns(schema)
        if {one.input, one.column} & {*names} and one.origin not in names
        for name in (one.column, one.origin)
        if name not in names
    ]
    if not more:
        return names, batches
    types = [schema.field(name).type for name in more]

    def widened() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            empty = [pa.nulls(batch.num_rows, kind) for kind in types]
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, *empty], [*batch.schema.names, *more]
            )

    return [*names, *more], widened()
