"""What the clauses of one statement mean: columns, functions and names."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

from thanosql_server.engine import as_of, hub_listing, many, searches
from thanosql_server.engine.columns import (
    pick_converted_text,
    pick_image_column,
    pick_path_column,
    unused_name,
)
from thanosql_server.engine.embedding import embed_images, embed_texts, require_medium
from thanosql_server.engine.printing import KINDS, Printed
from thanosql_server.engine.thumbnails import Thumbnails
from thanosql_server.errors import (
    InvalidValue,
    Position,
    ThanoSQLError,
)
from thanosql_server.ml.placement import OPTIONS as PLACEMENT_OPTIONS
from thanosql_server.ml.text_pipeline import BATCH_SIZE
from thanosql_server.sql.names import (
    embedding_column,
    text_column,
)
from thanosql_server.sql.rewriter import ConvertFacts, PrintFacts, SearchFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.engine.many_rows import ManySearches
    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.search.exact import Comparison
    from thanosql_server.sql.many import SearchMany
    from thanosql_server.sql.nodes import (
        Call,
        Convert,
        ListObjects,
        Print,
        Search,
    )
    from thanosql_server.sql.options import Options
    from thanosql_server.sql.rewriter import CallFacts
    from thanosql_server.sql.versions import TableVersion

    Vector = NDArray[np.float32]

    class Counted(Protocol):
        """What could not be embedded, counted while a statement runs."""

        def warn(self, control: Control, consequence: str) -> None:
            """Give the statement one warning for all of it, if there was any."""


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
        thumbnails: what becomes of the calls of `image_html`.
        searched_many: the calls of search_many.
    """

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._environment = planning.environment
        self.queries: dict[str, Comparison] = {}
        self.warm_up: list[Callable[[], object]] = []
        self.counted: list[Counted] = []
        self.printed: Printed | None = None
        paths = planning.environment.workspace.paths
        self.thumbnails = Thumbnails(paths, self.decode_threads)
        self.searched_many: list[ManySearches] = []
        self._numbers = count(1)

    def share(self, other: Clauses) -> None:
        """Be part of another text, that of a statement that reads a view."""
        self.queries, self.warm_up = other.queries, other.warm_up
        self.counted, self._numbers = other.counted, other._numbers
        self.thumbnails = other.thumbnails
        self.searched_many = other.searched_many

    def call(self, call: Call) -> CallFacts:
        """Return how to write a call of one of our functions."""
        return self._planning.calls.facts(call)

    def search(self, clause: Search, body: str) -> SearchFacts:
        """Return the similarity columns of a SEARCH over `body`."""
        return searches.facts(self._planning, clause, body)

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

    def table_version(self, table: TableVersion) -> str:
        """Return the name under which a version of a table is read."""
        return as_of.table_version(self._planning, table)

    def search_many(self, clause: SearchMany) -> str:
        """Return the name of a table that holds what the searches find."""
        return many.table_of(self._planning, clause)

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
        models, planning = self._environment.models, self._planning
        handle = models.find(name, position, planning.control)
        self.warm_up.append(
            lambda: models.ensure(handle, planning.root.control, position)
        )
        return handle

    def function_name(self, prefix: str) -> str:
        """Return a name for one more function of the statement."""
        return f"{prefix}_{next(self._numbers)}"

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


def converts_text(options: Options) -> bool:
    """Return whether a CONVERT embeds texts (default: pictures)."""
    kind = options.text("convert_type", "image")
    if kind not in ("image", "text"):
        raise options.invalid("convert_type", "'image' or 'text'")
    return kind == "text"


def text_batch(options: Options) -> int:
    """Return how many texts the model takes at a time."""
    return options.integer("batch_size", BATCH_SIZE, minimum=1, maximum=8192)


def fails_on_error(options: Options) -> bool:
    """Return whether an unreadable picture stops the statement (default: NULL)."""
    choice = options.text("on_error", "null")
    if choice not in ("null", "fail"):
        raise options.invalid("on_error", "'null' or 'fail'")
    return choice == "fail"
