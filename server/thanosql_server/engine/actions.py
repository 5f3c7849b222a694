"""Statements that change the workspace: planned without effect, carried out by run.

Each either commits whole or leaves nothing; the commit is the last thing it does.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_server.engine import query as queries
from thanosql_server.engine.columns import pick_image_column, pick_text_column
from thanosql_server.engine.converting import embedded
from thanosql_server.engine.copy_sources import SOURCE_OPTIONS, CopySource
from thanosql_server.engine.executor import in_thread, reader
from thanosql_server.engine.generated import require_unused
from thanosql_server.engine.loading import APPEND, FAIL, REPLACE, load, reported
from thanosql_server.engine.places import place_of
from thanosql_server.engine.plan import NO_ROWS, Plan
from thanosql_server.engine.storing import (
    batch_size_of,
    embed_of,
    embedding_field,
    origins_of,
)
from thanosql_server.engine.view_plans import readers
from thanosql_server.errors import (
    DuplicateObject,
    InvalidStatement,
    InvalidValue,
    ThanoSQLError,
)
from thanosql_server.ml.families import family
from thanosql_server.ml.placement import OPTIONS as PLACEMENT_OPTIONS
from thanosql_server.ml.placement import require_device
from thanosql_server.sql.names import embedding_column
from thanosql_server.storage.importers import list_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.places import Place
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.ml.families import Family
    from thanosql_server.sql.nodes import (
        BuildModel,
        Copy,
        CreateTable,
        CreateTableAs,
        CreateTableUsing,
        DeleteModel,
        DropTable,
    )
    from thanosql_server.sql.options import Options, Parameter

LOAD_OPTIONS = ("overwrite", "if_exists")
CREATE_OPTIONS = (
    "path_type",
    "data_type",
    "file_type",
    "batch_size",
    "overwrite",
    *PLACEMENT_OPTIONS,
)


def action(work: Callable[[Control], int], parameters: pa.Schema = NO_ROWS) -> Plan:
    """Return the plan of a statement without rows; `work` returns rows changed."""

    def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
        def run() -> None:
            control.rows_affected = work(control)

        return in_thread(run, control)

    return Plan(NO_ROWS, execute, parameters)


def copy(planning: Planning, node: Copy) -> Plan:
    """COPY t FROM 'file or folder': make or extend a table from files."""
    options = planning.bound(node.options)
    options.require_known((*LOAD_OPTIONS, *SOURCE_OPTIONS), "COPY")
    place = place_of(planning.environment.workspace, node.table)
    mode = _copy_mode(options)
    shown = path_of(planning, node.source, node.source_position)

    source = CopySource(planning.environment.workspace, shown, options)
    _at(node.source_position, source.require)

    def work(control: Control) -> int:
        with ExitStack() as kept:
            read = _at(node.source_position, partial(source.open, kept, control))
            batches = reported(read(), control, "copying")
            return load(planning, place, batches, mode, control)

    return action(work, text_parameters(node.parameter_count))


def build_model(planning: Planning, node: BuildModel) -> Plan:
    """BUILD MODEL m USING SimCLR AS SELECT ...: train a model on pictures."""
    kind = _at(node.family_position, lambda: family(node.family))
    given = planning.bound(node.options)
    options = kind.parse(given)
    frame = planning.frame(node.body)
    schema = planning.columns(frame)
    column = pick_image_column(schema, given, "image_col")
    options = replace(options, image_col=column)
    options = _completed(planning, kind, options, given, schema)
    name = _model_name(node)
    workspace = planning.environment.workspace

    def work(control: Control) -> int:
        if "device" in given:
            _at(given.position("device"), partial(require_device, options.device))
        with workspace.models.create(name, overwrite=options.overwrite) as folder:
            batches = (
                batch
                for batch in queries.rows(planning, frame, schema, control)
                if batch is not None
            )
            kind.train(batches, workspace.paths.resolve, options, folder, control)
        return -1

    return action(work, planning.parameter_schema(frame))


def create_table_using(planning: Planning, node: CreateTableUsing) -> Plan:
    """CREATE TABLE t USING m FROM 'folder': one embedded row per picture."""
    options = planning.bound(node.options)
    options.require_known(CREATE_OPTIONS, "CREATE TABLE ... USING")
    _require(options, "path_type", "folder")
    _require(options, "data_type", "image")
    environment = planning.environment
    position = node.model_position
    handle = environment.models.find(node.model, position, planning.control)
    place = place_of(environment.workspace, node.table)
    overwrite = options.flag("overwrite", False)
    batch_size_of(options)
    environment.encoders.chosen(handle, options)
    shown = path_of(planning, node.source, node.source_position)
    paths = environment.workspace.paths

    def work(control: Control) -> int:
        if node.if_not_exists and place.tables.exists(place.name):
            return 0
        folder = _at(node.source_position, partial(paths.existing_folder, shown))
        files = list_images(folder, shown, options.texts("file_type") or None, paths)
        column = embedding_column(handle.name, handle.family.base)
        field = embedding_field(column, handle.dim, handle.name)
        present = environment.models.ensure(handle, control, position)
        batches = embedded(
            files,
            files.schema,
            files.schema.names[0],
            field,
            origins_of(planning, present, options),
            embed_of(planning, present, options, control),
        )
        return place.tables.create(
            place.name, batches, overwrite=overwrite, origins_of=column
        )

    return action(work, text_parameters(node.parameter_count))


def create_table_as(planning: Planning, node: CreateTableAs) -> Plan:
    """CREATE TABLE t AS SELECT ...: store the rows of a query."""
    frame = planning.frame(node.query)
    schema = planning.columns(frame)
    place = place_of(planning.environment.workspace, node.table)

    def work(control: Control) -> int:
        if not may_create(place, node):
            return 0
        batches = queries.rows(planning, frame, schema, control)
        return place.tables.create(
            place.name, reader(batches, schema), overwrite=node.or_replace
        )

    return action(work, planning.parameter_schema(frame))


def drop_table(planning: Planning, node: DropTable) -> Plan:
    """DROP TABLE [IF EXISTS] t, ...: all of them must be there, or none is dropped."""
    places = [place_of(planning.environment.workspace, one) for one in node.tables]

    def work(control: Control) -> int:
        control.check()
        for table, place in zip(node.tables, places, strict=True):
            if place.views.exists(place.name):
                raise InvalidStatement(
                    f"'{place.name}' is a view; DROP VIEW removes it",
                    position=table.position,
                )
            if not node.if_exists and not place.tables.exists(place.name):
                # Only if it is not there: a damaged one can be dropped.
                _at(table.position, partial(place.tables.open, place.name))
        keys = [place.key for place in places]
        reading = readers(planning.environment, keys) if node.cascade else []
        for place in places:
            if place.tables.exists(place.name):
                place.tables.drop(place.name)
        for views, name in reading:
            views.drop(name)
        return -1

    return action(work)


def delete_model(planning: Planning, node: DeleteModel) -> Plan:
    """DELETE MODEL m: remove a model and all of its files."""
    workspace = planning.environment.workspace
    models = workspace.models

    def work(control: Control) -> int:
        control.check()
        _at(node.name_position, lambda: require_unused(workspace, node.name.lower()))
        _at(node.name_position, partial(models.delete, node.name.lower()))
        return -1

    return action(work)


def may_create(place: Place, node: CreateTableAs | CreateTable) -> bool:
    """Return whether CREATE TABLE has something to do.

    Raises:
        DuplicateObject: the table is there, and neither IF NOT EXISTS nor OR REPLACE
            is written.
    """
    if node.or_replace or not place.tables.exists(place.name):
        return True
    if node.if_not_exists:
        return False
    raise DuplicateObject(
        f"table '{place.name}' already exists; choose another name, or write CREATE OR "
        "REPLACE TABLE",
        position=node.table.position,
    )


def text_parameters(count: int) -> pa.Schema:
    """Return the types of parameters that stand for texts in a clause."""
    return pa.schema([pa.field(str(n), pa.string()) for n in range(1, count + 1)])


def _completed(
    planning: Planning, kind: Family, options: Any, given: Options, schema: pa.Schema
) -> Any:
    """Return a family's options with its text column and its first model looked up."""
    if hasattr(options, "text_col"):
        position = given.position("text_col") if "text_col" in given else None
        column = pick_text_column(schema, options.text_col, position)
        options = replace(options, text_col=column)
    if getattr(options, "init", None) is not None:
        models = planning.environment.models
        place = given.position("init")
        handle = models.find(options.init, place, planning.control)
        # Its folder is an argument of the training; so it must be there.
        handle = models.ensure(handle, planning.control, place)
        if handle.family.name != kind.name:
            raise InvalidStatement(
                f"model '{handle.name}' is a {handle.family.name}; {kind.name} cannot "
                "start from it",
                position=given.position("init"),
            )
        options = replace(options, init_folder=handle.model.folder)
    return options


def _model_name(node: BuildModel) -> str:
    """Return the new model's name; refuse at once what would be refused at the end."""
    name = node.name.lower()
    if not name.strip():
        raise InvalidValue("a model needs a name", position=node.name_position)
    return name


def path_of(
    planning: Planning, value: str | Parameter, position: Position, word: str = "FROM"
) -> str:
    """Return a statement's path; "?" while the parameters are not known."""
    if isinstance(value, str):
        return value
    if planning.arguments is None:
        return str(value)
    path: Any = planning.arguments[value.index - 1].as_py()
    if not isinstance(path, str):
        raise InvalidValue(
            f"{word} takes the path of a file or folder, not {path!r}",
            position=position,
        )
    return path


def _copy_mode(options: Options) -> str:
    """Return fail, replace or append; `overwrite=True` is the older word."""
    mode = options.text("if_exists", FAIL)
    if mode not in (FAIL, REPLACE, APPEND):
        raise options.invalid("if_exists", "'fail', 'replace' or 'append'")
    return REPLACE if options.flag("overwrite", False) else mode


def _require(options: Options, name: str, only: str) -> None:
    if options.text(name, only) != only:
        raise options.invalid(name, f"'{only}'")


def _at(position: Position | None, work: Callable[[], Any]) -> Any:
    """Do `work`, giving its errors the position."""
    try:
        return work()
    except ThanoSQLError as error:
        raise error.at(position) from None
