"""Generated columns as statements meet them: defined, left alone, in others' way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine.column_types import column_type, spelled
from thanosql_server.engine.columns import find_column
from thanosql_server.engine.embedding import require_medium
from thanosql_server.errors import (
    DependentObjects,
    GeneratedAlways,
    InvalidStatement,
    NotSupported,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)
from thanosql_server.ml.encoder import embedding_type
from thanosql_server.sql.generation import VECTOR
from thanosql_server.sql.names import quote
from thanosql_server.storage.facts import KEY, TYPE, fact, with_facts
from thanosql_server.storage.generated import (
    Generated,
    declared,
    generated_columns,
    marked,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.generation import Generation
    from thanosql_server.sql.nodes import Assignment, ColumnDefinition, Insert
    from thanosql_server.storage.workspace import Workspace

MEDIUM = {"embed_image": "image", "embed_text": "text"}
"""What each function embeds."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def expression(column: Generated) -> str:
    """Return what a column is generated from, as SQL."""
    plain = _PLAIN.fullmatch(column.input)
    name = column.input if plain else quote(column.input)
    return f"{column.function}('{column.model}', {name})"


# Defining


def model_of(planning: Planning, generation: Generation) -> ModelHandle:
    """Return the model of a generated column.

    Raises:
        UndefinedObject: there is none of this name.
        NotSupported: it does not embed such things.
    """
    position = generation.model_position
    models = planning.environment.models
    handle = models.find(generation.model, position, planning.control)
    require_medium(handle, MEDIUM[generation.function], position)
    return handle


def generated_type(planning: Planning, column: ColumnDefinition) -> pa.DataType:
    """Return the type of a generated column: vectors as long as the model's.

    Raises:
        InvalidStatement: another type is written.
    """
    assert column.generation is not None
    handle = model_of(planning, column.generation)
    kind = embedding_type(handle.dim)
    if spelled(column.type) == VECTOR:
        return kind
    written = column_type(planning.context, column.type)
    if written != kind:
        raise InvalidStatement(
            f"model '{handle.name}' gives VECTOR({handle.dim}), not "
            f"{spelled(column.type)}",
            position=column.type.position,
        )
    return kind


def connected(
    fields: Sequence[pa.Field], columns: Sequence[ColumnDefinition]
) -> list[pa.Field]:
    """Return the fields of a new table, generated ones declared from their inputs."""
    schema = pa.schema(fields)
    for column in columns:
        if column.generation is not None:
            for field in linked(schema, schema.field(column.name), column.generation):
                schema = schema.set(schema.get_field_index(field.name), field)
    return list(schema)


def refuse_keys(schema: pa.Schema, columns: Sequence[ColumnDefinition]) -> None:
    """Raise InvalidStatement if a generated column belongs to the primary key."""
    for column in columns:
        if column.generation is not None and fact(schema.field(column.name), KEY):
            raise InvalidStatement(
                f"column '{column.name}' cannot be a key: a row waits for its "
                "embedding",
                position=column.position,
            )


def linked(
    schema: pa.Schema, field: pa.Field, generation: Generation
) -> tuple[pa.Field, pa.Field]:
    """Return a generated column's input with a mark, and the column declared from it.

    Raises:
        UndefinedColumn: there is no such input.
        InvalidStatement: it holds no texts.
    """
    name = find_column(schema, generation.input)
    if name is None:
        hint = nearest(generation.input, schema.names)
        raise UndefinedColumn(
            f"there is no column '{generation.input}' to embed{hint}",
            position=generation.input_position,
        )
    given = schema.field(name)
    if not (pa.types.is_string(given.type) or pa.types.is_large_string(given.type)):
        what = "paths of pictures" if generation.function == "embed_image" else "texts"
        raise InvalidStatement(
            f"{generation.function} takes {what}, and column '{name}' holds "
            f"{given.type}",
            position=generation.input_position,
        )
    source = marked(given)
    facts = {TYPE: f"{VECTOR}({field.type.list_size})"}
    told = declared(
        with_facts(field, facts),
        generation.function,
        generation.model.lower(),
        source,
    )
    return source, told


# Leaving alone


def given_columns(schema: pa.Schema, node: Insert) -> list[str]:
    """Return the columns that an INSERT gives values; unknown ones are DataFusion's.

    Without a list these are all but the generated ones, or all, if there are as many
    values; a generated one takes DEFAULT only.

    Raises:
        GeneratedAlways: a value for a generated column.
    """
    kept = {one.column for one in generated_columns(schema)}
    whole = [len(row) == len(schema.names) for row in node.rows]
    if node.columns is not None:
        given = [find_column(schema, name) or name for name in node.columns]
    elif kept and not (whole and all(whole)):
        return [name for name in schema.names if name not in kept]
    else:
        given = list(schema.names)
    for place, name in enumerate(given):
        if name in kept and not _all_default(node, place):
            raise _filled(name, node.table.position)
    return given


def _all_default(node: Insert, place: int) -> bool:
    """Whether all rows of VALUES have DEFAULT in a place."""
    if node.query is None or not node.rows:
        return False
    source = node.query.source
    return all(
        len(row) > place and row[place].of(source).upper() == "DEFAULT"
        for row in node.rows
    )


def refuse_assigned(schema: pa.Schema, assignments: Sequence[Assignment]) -> None:
    """Raise GeneratedAlways if an UPDATE gives a generated column a value."""
    kept = {one.column for one in generated_columns(schema)}
    for one in assignments:
        if find_column(schema, one.column) in kept and one.value is not None:
            raise _filled(one.column, one.position)


def refuse_named(schema: pa.Schema, names: Sequence[str]) -> None:
    """Raise GeneratedAlways if rows from outside have a generated column."""
    for one in generated_columns(schema):
        if one.column in names:
            raise _filled(one.column, None)


def refuse_converted(schema: pa.Schema, table: str, name: str, at: Position) -> None:
    """Raise GeneratedAlways if a CONVERT is to fill a generated column."""
    if any(one.column == name for one in generated_columns(schema)):
        raise GeneratedAlways(
            f"column '{name}' is generated always; REFRESH TABLE {table} brings it up "
            "to date",
            position=at,
        )


def _filled(name: str, position: Position | None) -> GeneratedAlways:
    return GeneratedAlways(
        f"column '{name}' is generated always; leave it out, the server fills it",
        position=position,
    )


# In others' way


def dependents(schema: pa.Schema, name: str) -> list[str]:
    """Return the columns that are generated from a column."""
    return [one.column for one in generated_columns(schema) if one.input == name]


def refuse_dependents(schema: pa.Schema, name: str, position: Position) -> None:
    """Raise DependentObjects if columns are generated from this one."""
    for column in dependents(schema, name):
        raise DependentObjects(
            f"column '{column}' is generated from '{name}'; DROP COLUMN ... CASCADE "
            "drops both",
            position=position,
        )


def refuse_retyped(schema: pa.Schema, name: str, position: Position) -> None:
    """Raise NotSupported if a column is generated, or others from it."""
    for one in generated_columns(schema):
        if name in (one.column, one.input):
            raise NotSupported(
                f"column '{name}' keeps its type, since '{one.column}' is generated "
                f"as {expression(one)}; drop that column first",
                position=position,
            )


def refuse_generated(
    schema: pa.Schema, name: str, what: str, position: Position
) -> None:
    """Raise InvalidStatement if a column is generated; `what` it cannot be or have."""
    if any(one.column == name for one in generated_columns(schema)):
        raise InvalidStatement(
            f"column '{name}' is generated always and cannot {what}", position=position
        )


def require_unused(workspace: Workspace, model: str) -> None:
    """Raise DependentObjects if a column is generated with a model."""
    for space, name in workspace.schemas.tables():
        try:
            schema = space.tables.open(name).schema
        except ThanoSQLError:
            continue  # dropped meanwhile, or damaged
        for one in generated_columns(schema):
            if one.model == model:
                raise DependentObjects(
                    f"column '{one.column}' of table '{name}' is generated with "
                    f"model '{model}'; drop the column first"
                )
