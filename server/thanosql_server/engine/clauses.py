"""What the clauses of one statement mean: columns, functions and names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from thanosql_server.engine import hub_listing
from thanosql_server.engine.embedding import embed_images, embed_texts, require_medium
from thanosql_server.engine.functions import (
    comparison_function,
    label,
)
from thanosql_server.engine.printing import KINDS, Printed
from thanosql_server.errors import (
    InvalidStatement,
    InvalidValue,
    NotSupported,
    Position,
    ThanoSQLError,
    UndefinedColumn,
    nearest,
)
from thanosql_server.ml.families import IMAGE_COLUMNS
from thanosql_server.ml.placement import OPTIONS as PLACEMENT_OPTIONS
from thanosql_server.ml.text_pipeline import BATCH_SIZE, TEXT_COLUMNS
from thanosql_server.search.exact import Comparison
from thanosql_server.search.vectors import dim_of, is_vector_type
from thanosql_server.sql.names import (
    SEARCH_RESULT,
    embedding_column,
    similarity_column,
    text_column,
)
from thanosql_server.sql.options import Parameter, bind
from thanosql_server.sql.rewriter import ConvertFacts, PrintFacts, SearchFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.encoders import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import (
        Call,
        Convert,
        ListObjects,
        Print,
        Search,
        SearchItem,
    )
    from thanosql_server.sql.options import Options, Value
    from thanosql_server.sql.rewriter import CallFacts

    Vector = NDArray[np.float32]

    class Counted(Protocol):
        """What could not be embedded, counted while a statement runs."""

        def warn(self, control: Control, consequence: str) -> None:
            """Give the statement one warning for all of it, if there was any."""


TOP_K = 1000
"""Rows that SEARCH ... OPTIONS(search_by=...) keeps unless told otherwise."""

CONVERT_OPTIONS = (
    "table_name",
    "image_col",
    "batch_size",
    "on_error",
    "refresh",
    "result_col",
    "column_name",
    "convert_type",
    "text_col",
    *PLACEMENT_OPTIONS,
)
SEARCH_OPTIONS = ("emb_col", "result_col", "column_name")
SEARCH_BY_OPTIONS = (*SEARCH_OPTIONS, "search_by", "search_input", "top_k")
DECODE_THREADS_MINIMUM = 2

_LISTINGS = {
    "MODEL": "SELECT name, class_name, last_updated_utc FROM thanosql.models "
    "ORDER BY name",
    "TABLE": "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'public' ORDER BY table_name",
}


class Clauses:
    """The facts that the rewriter asks for, about one statement.

    Attributes:
        queries: comparisons with one vector by the name of their function.
        warm_up: loads what the statement's functions need, before rows flow.
        counted: what could not be embedded, one count per embedding function.
        printed: the column that PRINT adds, if the statement is one.
    """

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._environment = planning.environment
        self.queries: dict[str, Comparison] = {}
        self.warm_up: list[Callable[[], object]] = []
        self.counted: list[Counted] = []
        self.printed: Printed | None = None
        self._functions = 0

    def call(self, call: Call) -> CallFacts:
        """Return how to write a call of one of our functions."""
        return self._planning.calls.facts(call)

    def search(self, clause: Search, body: str) -> SearchFacts:
        """Return the similarity columns of a SEARCH over `body`."""
        options = self._planning.bound(clause.options)
        known = SEARCH_BY_OPTIONS if clause.by_options else SEARCH_OPTIONS
        options.require_known(known, f"SEARCH {clause.medium}")
        handle = self.model(clause.model, clause.model_position)
        schema = self._planning.schema_of(body)
        column = self._embedding_column(clause, handle, schema, options)
        dtype = schema.field(column).type
        functions = tuple(
            self._similarity(handle, item, dtype) for item in clause.items
        )
        names = _similarity_names(clause, handle, column, options)
        return SearchFacts(
            column,
            functions,
            tuple(label(str(self._bound(item))) for item in clause.items),
            names,
            tuple(name for name in schema.names if name in names),
            is_sorted=clause.by_options,
            top_k=_top_k(options) if clause.by_options else None,
        )

    def convert(self, clause: Convert, body: str) -> ConvertFacts | str:
        """Return the embedding column of a CONVERT over `body`."""
        stored = self._planning.stored.get(clause.span.start)
        if stored is not None:
            return stored
        options = self.convert_options(clause)
        handle = self.model(clause.model, clause.model_position)
        schema = self._planning.schema_of(body)
        name = self.embedding_name(clause)
        encoder = self._environment.encoders.chosen(handle, options)
        if converts_text(options):
            require_medium(handle, "text", clause.model_position)
            column = pick_converted_text(schema, options)
            function = self.function_name("embed_text")
            embed_texts(
                self._planning,
                function,
                handle,
                encoder,
                batch_size=text_batch(options),
            )
        else:
            column = pick_image_column(schema, options, "image_col")
            function = self.function_name("embed_image")
            embed_images(
                self._planning,
                function,
                handle,
                encoder,
                batch_size=options.integer("batch_size", 32, minimum=1, maximum=8192),
                fail_on_error=fails_on_error(options),
            )
        return ConvertFacts(function, column, name, name in schema.names)

    def print_files(self, clause: Print, body: str) -> PrintFacts:
        """Return the column of files of a PRINT over `body`."""
        kind = KINDS[clause.medium]
        options = self._planning.bound(clause.options)
        options.require_known(kind.options, f"PRINT {clause.medium}")
        schema = self._planning.schema_of(body)
        option = next((name for name in kind.options if name in options), None)
        column = pick_path_column(
            schema, options, option or kind.options[0], kind.path_columns, kind.word
        )
        name = unused_name(kind.column, schema.names)
        self.printed = Printed(kind, name, column)
        return PrintFacts(column, name)

    def listing(self, clause: ListObjects) -> str:
        """Return the query behind a LIST."""
        if clause.kind in _LISTINGS:
            return _LISTINGS[clause.kind]
        function = self.function_name("list_hub")
        return hub_listing.query(self._planning, clause.kind, function)

    def embedding_name(self, clause: Convert) -> str:
        """Return the name of the column that a CONVERT adds."""
        options = self._planning.bound(clause.options)
        wanted = options.text("result_col") or options.text("column_name")
        if wanted is not None:
            return wanted
        handle = self.model(clause.model, clause.model_position)
        name = embedding_column(handle.name, handle.family.base)
        return text_column(name) if converts_text(options) else name

    def convert_options(self, clause: Convert) -> Options:
        """Return the options of a CONVERT, checked."""
        options = self._planning.bound(clause.options)
        options.require_known(CONVERT_OPTIONS, "CONVERT")
        fails_on_error(options)
        if not converts_text(options) and "text_col" in options:
            raise InvalidValue(
                "option 'text_col' goes with convert_type='text'; without it pictures "
                "are converted",
                position=options.position("text_col"),
            )
        options.flag("refresh", False)
        return options

    @property
    def decode_threads(self) -> int:
        """Threads that read and decode pictures ahead of an encoder."""
        return max(DECODE_THREADS_MINIMUM, self._environment.threads)

    def model(self, name: str, position: Position) -> ModelHandle:
        """Return a model; one that a hub has is fetched when the statement runs."""
        encoders, planning = self._environment.encoders, self._planning
        handle = encoders.find(name, position, planning.control)
        self.warm_up.append(lambda: encoders.ensure(handle, planning.control, position))
        return handle

    def function_name(self, prefix: str) -> str:
        """Return a name for one more function of the statement."""
        self._functions += 1
        return f"{prefix}_{self._functions}"

    def item_vector(
        self, handle: ModelHandle, kind: str, value: str, position: Position
    ) -> Callable[[], Vector]:
        """Return what embeds a text or the picture at a path, when it is needed.

        Raises:
            InvalidValue: the text is empty.
            UndefinedFile, PermissionDenied: the picture is not to be had.
        """
        encoders = self._environment.encoders
        if kind == "text":
            if not value.strip():
                raise InvalidValue("the text to embed is empty", position=position)
            return partial(encoders.text_query, handle, value)
        try:
            self._environment.workspace.paths.existing_file(value)
        except ThanoSQLError as error:
            raise error.at(position) from None

        def embed() -> Vector:
            try:
                return encoders.image_query(handle, value)
            except ThanoSQLError as error:
                raise error.at(position) from None

        return embed

    def _embedding_column(
        self, clause: Search, handle: ModelHandle, schema: pa.Schema, options: Options
    ) -> str:
        """Return the column of the body that is searched.

        For texts that is the column of CONVERT with convert_type='text', if there is
        one; `convert_result` is what CONVERT called its column from 2022-11 on.
        """
        default = embedding_column(handle.name, handle.family.base)
        usual = [text_column(default)] if clause.medium == "TEXT" else []
        usual.append(default)
        wanted = options.text("emb_col")
        names = usual if wanted is None else [wanted]
        if wanted is not None and wanted.lower() == "convert_result":
            names += usual
        found = [column for name in names if (column := find_column(schema, name))]
        position = clause.model_position
        if not found:
            name = names[0]
            text = " OPTIONS(convert_type='text', ...)" if len(usual) > 1 else ""
            raise UndefinedColumn(
                f"the searched rows have no embedding column '{name}'; "
                f"CONVERT USING {clause.model}{text} makes it",
                position=position,
            )
        column = found[0]
        dtype = schema.field(column).type
        if not is_vector_type(dtype):
            raise InvalidStatement(
                f"column '{column}' holds {dtype}, not embeddings", position=position
            )
        dim = dim_of(dtype)
        if dim is not None and dim != handle.dim:
            raise InvalidStatement(
                f"the embeddings in '{column}' have {dim} numbers, those of model "
                f"'{handle.name}' have {handle.dim}; CONVERT the rows again",
                position=position,
            )
        return column

    def _similarity(
        self, handle: ModelHandle, item: SearchItem, dtype: pa.DataType
    ) -> str:
        """Register the similarity function of one query item and return its name."""
        position = item.position
        if item.kind not in handle.family.media:
            raise NotSupported(
                f"model '{handle.name}' is a {handle.family.name} and cannot search by "
                f"{item.kind}; give {' or '.join(sorted(handle.family.media))}='...'",
                position=position,
            )
        query = self._query(handle, item, position)
        function = self.function_name("cosine_similarity")
        comparison = Comparison(query)
        self._planning.context.register_udf(
            comparison_function(function, dtype, comparison, self._planning.guard)
        )
        self.queries[function] = comparison
        self.warm_up.append(query)
        return function

    def _query(
        self, handle: ModelHandle, item: SearchItem, position: Position
    ) -> Callable[[], Vector]:
        value = self._bound(item)
        if isinstance(value, Parameter):
            return _unbound
        if not isinstance(value, str):
            raise InvalidValue(
                f"SEARCH takes a text or the path of a picture, not {value!r}",
                position=position,
            )
        if item.kind == "text" and not value.strip():
            raise InvalidValue("the text to search for is empty", position=position)
        return self.item_vector(handle, item.kind, value, position)

    def _bound(self, item: SearchItem) -> Value:
        """Return what is searched for, or its parameter while that has no value."""
        arguments = self._planning.arguments
        if arguments is None:
            return item.value
        return bind(item.value, [value.as_py() for value in arguments])


def _similarity_names(
    clause: Search, handle: ModelHandle, column: str, options: Options
) -> tuple[str, ...]:
    """Return the names of the similarities: as wanted, or as the form's time had them.

    The options `search_by` and `emb_col` are of 2022-11 and later, when the column was
    called `search_result`; before, it was named after the embedding.
    """
    wanted = options.text("result_col") or options.text("column_name")
    if wanted is None and not clause.by_options and "emb_col" not in options:
        return tuple(
            similarity_column(column.lower(), n + 1) for n in range(len(clause.items))
        )
    name = wanted or SEARCH_RESULT
    return tuple(f"{name}{n or ''}" for n in (0, *range(2, len(clause.items) + 1)))


def converts_text(options: Options) -> bool:
    """Return whether a CONVERT embeds texts (default: pictures)."""
    kind = options.text("convert_type", "image")
    if kind not in ("image", "text"):
        raise options.invalid("convert_type", "'image' or 'text'")
    return kind == "text"


def text_batch(options: Options) -> int:
    """Return how many texts the model takes at a time."""
    return options.integer("batch_size", BATCH_SIZE, minimum=1, maximum=8192)


def pick_converted_text(schema: pa.Schema, options: Options) -> str:
    """Return the column of texts: the one the option names, or a usual name.

    Raises:
        UndefinedColumn: there is no such column, or none of the usual ones.
        InvalidStatement: the column does not hold text.
    """
    name = options.text("text_col")
    if name is not None:
        return pick_text_column(schema, name, options.position("text_col"))
    for usual in TEXT_COLUMNS:
        column = find_column(schema, usual)
        if column is not None:
            return _of_text(schema, column, "texts", None)
    raise UndefinedColumn(
        f"the rows have no column of texts ({', '.join(TEXT_COLUMNS)}); name it with "
        "OPTIONS(text_col='...')",
        position=options.position("convert_type"),
    )


def pick_text_column(schema: pa.Schema, name: str, position: Position | None) -> str:
    """Return the column of texts that an option names, in whatever case.

    Raises:
        UndefinedColumn: there is no such column.
        InvalidStatement: the column does not hold text.
    """
    column = find_column(schema, name)
    if column is None:
        hint = nearest(name, schema.names) or "; there are " + ", ".join(schema.names)
        raise UndefinedColumn(
            f"there is no column '{name}' of texts{hint}", position=position
        )
    return _of_text(schema, column, "texts", position)


def pick_image_column(schema: pa.Schema, options: Options, option: str) -> str:
    """Return the column of pictures' paths; see `pick_path_column`."""
    return pick_path_column(schema, options, option, IMAGE_COLUMNS, "picture")


def pick_path_column(
    schema: pa.Schema,
    options: Options,
    option: str,
    usual: Sequence[str],
    word: str,
) -> str:
    """Return the column of paths: the one the option names, or a usual name.

    Raises:
        UndefinedColumn: there is no such column, or none of the usual ones.
        InvalidStatement: the column does not hold text.
    """
    name = options.text(option)
    position = options.position(option) if name is not None else None
    wanted = usual if name is None else (name,)
    found = [column for one in wanted if (column := find_column(schema, one))]
    if not found:
        if name is None:
            raise UndefinedColumn(
                f"the rows have no column of {word} paths ({', '.join(usual)}); "
                f"name it with OPTIONS({option}='...')"
            )
        hint = nearest(name, schema.names) or "; there are " + ", ".join(schema.names)
        raise UndefinedColumn(f"there is no column '{name}'{hint}", position=position)
    return _of_text(schema, found[0], f"the paths of {word}s", position)


def _of_text(
    schema: pa.Schema, column: str, wanted: str, position: Position | None
) -> str:
    """Return the column, or raise InvalidStatement if it does not hold text."""
    dtype = schema.field(column).type
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return column
    raise InvalidStatement(
        f"column '{column}' holds {dtype}, not {wanted}", position=position
    )


def find_column(schema: pa.Schema, name: str) -> str | None:
    """Return the column of that name, exactly or else without regard to case."""
    if name in schema.names:
        return name
    for column in schema.names:
        if column.lower() == name.lower():
            return str(column)
    return None


def unused_name(name: str, taken: Sequence[str]) -> str:
    """Return `name`, with a number if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}{number}"
    return candidate


def fails_on_error(options: Options) -> bool:
    """Return whether an unreadable picture stops the statement (default: NULL)."""
    choice = options.text("on_error", "null")
    if choice not in ("null", "fail"):
        raise options.invalid("on_error", "'null' or 'fail'")
    return choice == "fail"


def _top_k(options: Options) -> int | None:
    if "top_k" in options and options["top_k"] is None:
        return None
    return options.integer("top_k", TOP_K, minimum=0)


def _unbound() -> Vector:
    raise InvalidStatement("the statement's parameters have no values yet")
