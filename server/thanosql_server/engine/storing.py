"""CONVERT with `table_name`: embeddings become a column of a stored table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import query as queries
from thanosql_server.engine.clauses import converts_text, fails_on_error
from thanosql_server.engine.columns import pick_image_column
from thanosql_server.engine.converting import Conversion, Origins, embedded
from thanosql_server.engine.executor import in_thread, reader
from thanosql_server.engine.generated import refuse_converted
from thanosql_server.engine.places import Place, place_of
from thanosql_server.engine.session import CATALOG
from thanosql_server.engine.text_storing import text_embeddings
from thanosql_server.errors import UndefinedObject
from thanosql_server.ml.encoder import embedding_type
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.sql.names import quote, simple_table
from thanosql_server.sql.nodes import Convert
from thanosql_server.storage.columns import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.converting import Embed
    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import SelectStatement, TableName
    from thanosql_server.sql.options import Options


def stored_clauses(statement: SelectStatement) -> list[Convert]:
    """Return the CONVERT clauses that store their result, inner ones first."""
    return [
        clause
        for clause in statement.query.walk()
        if isinstance(clause, Convert) and "table_name" in clause.options
    ]


def run(
    planning: Planning, statement: SelectStatement, schema: pa.Schema, control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Store what the CONVERT clauses ask for, then yield the statement's rows."""
    stored: dict[int, str] = {}
    for clause in stored_clauses(statement):
        step = replace(planning, stored=dict(stored))
        step.control = control
        yield from in_thread(partial(_store, step, clause, stored, control), control)
    final = replace(planning, stored=stored)
    yield from queries.rows(final, final.frame(statement.query), schema, control)


def _store(
    planning: Planning, clause: Convert, stored: dict[int, str], control: Control
) -> None:
    """Carry out one clause and note the SELECT that now stands for it."""
    named = planning.clauses.convert_options(clause).text("table_name", "")
    target = _target(planning, named)
    source = simple_table(clause.body)
    if source is not None and _is(planning, source, target):
        with target.tables.rows_in_place(target.name):
            columns = _add_column(planning, clause, target, control)
    else:
        columns = _replace_table(planning, clause, target, control)
    listed = ", ".join(map(quote, columns))
    stored[clause.span.start] = (
        f"SELECT {listed} FROM {quote(target.schema)}.{quote(target.name)}"
    )


def _target(planning: Planning, named: str) -> Place:
    """Return the table that is named in the option, with or without its schema."""
    schemas = planning.environment.workspace.schemas
    schema, _, name = named.removeprefix(f"{CATALOG}.").partition(".")
    if name and schemas.exists(schema):
        return Place(schemas.open(schema), name)
    return Place(schemas.public, named.removeprefix(f"{CATALOG}."))


def _is(planning: Planning, source: TableName, target: Place) -> bool:
    if source.name != target.name:
        return False
    try:
        return place_of(planning.environment.workspace, source).key == target.key
    except UndefinedObject:
        return False  # a table of the server's own


def _add_column(
    planning: Planning, clause: Convert, target: Place, control: Control
) -> list[str]:
    """Make the embeddings a column of the table itself, in one commit."""
    options = planning.clauses.convert_options(clause)
    environment = planning.environment
    table = target.tables.open(target.name)
    name = planning.clauses.embedding_name(clause)
    refuse_converted(table.schema, table.name, name, clause.model_position)
    handle = _present(planning, clause, control)
    if converts_text(options):
        texts = text_embeddings(planning, clause, handle, table, control)
        table.add_column(embedding_field(name, handle.dim, handle.name), texts)
        return [column for column in table.schema.names if column != name] + [name]
    Conversion(
        table,
        pick_image_column(table.schema, options, "image_col"),
        embedding_field(name, handle.dim, handle.name),
        origins_of(planning, handle, options),
        embed_of(planning, handle, options, control),
        environment.workspace.unfinished,
        identity(planning, handle, options),
        control,
        refresh=options.flag("refresh", False),
    ).run()
    return [column for column in table.schema.names if column != name] + [name]


def _replace_table(
    planning: Planning, clause: Convert, target: Place, control: Control
) -> list[str]:
    """Make the clause's result the table `target`, in one commit."""
    options = planning.clauses.convert_options(clause)
    if converts_text(options):
        return _replace_by_query(planning, clause, target, control)
    handle = _present(planning, clause, control)
    field = embedding_field(
        planning.clauses.embedding_name(clause), handle.dim, handle.name
    )
    frame = planning.frame(clause.body)
    schema = planning.columns(frame)
    rows = embedded(
        reader(queries.rows(planning, frame, schema, control), schema),
        schema,
        pick_image_column(schema, options, "image_col"),
        field,
        origins_of(planning, handle, options),
        embed_of(planning, handle, options, control),
    )
    target.tables.create(target.name, rows, overwrite=True, origins_of=field.name)
    return list(visible(rows.schema).names)


def _replace_by_query(
    planning: Planning, clause: Convert, target: Place, control: Control
) -> list[str]:
    """Make the rows of the clause, as a query, the table `target`."""
    whole = replace(
        clause.body, span=clause.span, clauses=(clause,), parameters=(), calls=()
    )
    frame = planning.frame(whole)
    schema = planning.columns(frame)
    batches = queries.rows(planning, frame, schema, control)
    target.tables.create(target.name, reader(batches, schema), overwrite=True)
    return list(schema.names)


def _present(planning: Planning, clause: Convert, control: Control) -> ModelHandle:
    """Return the clause's model, fetched now if only a hub has it."""
    models, position = planning.environment.models, clause.model_position
    handle = models.find(clause.model, position, control)
    return models.ensure(handle, control, position)


def embed_of(
    planning: Planning, handle: ModelHandle, options: Options, control: Control
) -> Embed:
    """Return what embeds pictures as the options say; the model is loaded by its use.

    Args:
        planning: of the statement.
        handle: the model.
        options: `batch_size`, `on_error`, `device`, `precision`.
        control: of the statement.
    """
    environment = planning.environment
    batch_size = batch_size_of(options)
    fail_on_error = fails_on_error(options)
    load = environment.encoders.chosen(handle, options)

    def embed(paths: Iterable[str | None], *, total: int = 0) -> Iterable[pa.Array]:
        return embed_paths(
            paths,
            environment.workspace.paths.resolve,
            load(),
            control,
            batch_size=batch_size,
            decode_threads=planning.clauses.decode_threads,
            fail_on_error=fail_on_error,
            total=total,
        )

    return embed


def batch_size_of(options: Options) -> int:
    """Return how many pictures the model takes at a time."""
    return options.integer("batch_size", 32, minimum=1, maximum=8192)


def origins_of(planning: Planning, handle: ModelHandle, options: Options) -> Origins:
    """Return what computes the origins of a model's embeddings."""
    resolve = planning.environment.workspace.paths.resolve
    return Origins(resolve, *identity(planning, handle, options))


def identity(
    planning: Planning, handle: ModelHandle, options: Options
) -> tuple[str, ...]:
    """Return what tells a model from all others, also from a former one of its name.

    Embeddings in whole numbers are others; half precision differs too little to embed
    everything again when a server gets a GPU.
    """
    model = handle.model
    int8 = planning.environment.encoders.precision(options) == "int8"
    told = (model.name, str(model.version), model.created.isoformat())
    return (*told, "int8") if int8 else told


def embedding_field(name: str, dim: int, model: str) -> pa.Field:
    """Return the field of an embedding column, with the model that made it."""
    return pa.field(
        name, embedding_type(dim), metadata={b"thanosql:model": model.encode()}
    )
