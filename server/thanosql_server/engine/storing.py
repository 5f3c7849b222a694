"""CONVERT with `table_name`: embeddings become a column of a stored table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import query as queries
from thanosql_server.engine.clauses import (
    converts_text,
    fails_on_error,
    pick_image_column,
)
from thanosql_server.engine.executor import in_thread, reader
from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.engine.text_storing import text_embeddings
from thanosql_server.ml.encoder import embedding_type
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.sql.names import quote, simple_table
from thanosql_server.sql.nodes import Convert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import SelectStatement


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
    target = named.removeprefix(f"{CATALOG}.").removeprefix(f"{SCHEMA}.")
    source = simple_table(clause.body)
    if source is not None and source.name == target:
        columns = _add_column(planning, clause, target, control)
    else:
        columns = _replace_table(planning, clause, target, control)
    listed = ", ".join(map(quote, columns))
    stored[clause.span.start] = f"SELECT {listed} FROM {SCHEMA}.{quote(target)}"


def _add_column(
    planning: Planning, clause: Convert, target: str, control: Control
) -> list[str]:
    """Add the embeddings as one column, in one commit; no row is rewritten."""
    options = planning.clauses.convert_options(clause)
    environment = planning.environment
    table = environment.workspace.tables.open(target)
    name = planning.clauses.embedding_name(clause)
    position = clause.model_position
    handle = environment.encoders.find(clause.model, position, control)
    handle = environment.encoders.ensure(handle, control, position)
    if converts_text(options):
        texts = text_embeddings(planning, clause, handle, table, control)
        table.add_column(embedding_field(name, handle.dim, handle.name), texts)
        return [column for column in table.schema.names if column != name] + [name]
    image_column = pick_image_column(table.schema, options, "image_col")
    paths = (
        path
        for batch in table.scan([image_column])
        for path in batch.column(0).to_pylist()
    )
    embeddings = embed_paths(
        paths,
        environment.workspace.paths.resolve,
        environment.encoders.chosen(handle, options)(),
        control,
        batch_size=options.integer("batch_size", 32, minimum=1, maximum=8192),
        decode_threads=planning.clauses.decode_threads,
        fail_on_error=fails_on_error(options),
        total=table.count_rows(),
    )
    table.add_column(embedding_field(name, handle.dim, handle.name), embeddings)
    return [column for column in table.schema.names if column != name] + [name]


def _replace_table(
    planning: Planning, clause: Convert, target: str, control: Control
) -> list[str]:
    """Make the clause's result the table `target`, in one commit."""
    whole = replace(
        clause.body, span=clause.span, clauses=(clause,), parameters=(), calls=()
    )
    frame = planning.frame(whole)
    schema = frame.schema()
    batches = queries.rows(planning, frame, schema, control)
    planning.environment.workspace.tables.create(
        target, reader(batches, schema), overwrite=True
    )
    return list(schema.names)


def embedding_field(name: str, dim: int, model: str) -> pa.Field:
    """Return the field of an embedding column, with the model that made it."""
    return pa.field(
        name, embedding_type(dim), metadata={b"thanosql:model": model.encode()}
    )
