"""One statement on its way to a data frame: its catalog, its functions, its clauses.

A `Planning` answers the rewriter's questions about the clauses of one text (which
column, which function, which name), registers the functions that the rewritten text
calls, and hands the text to DataFusion. Nothing here runs or changes the workspace.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datafusion import col

from thanosql_server.activity import Activity
from thanosql_server.control import Control
from thanosql_server.engine import session
from thanosql_server.engine.calls import Calls
from thanosql_server.engine.catalog import Catalog
from thanosql_server.engine.clauses import Clauses
from thanosql_server.engine.faults import translate, unknown_column
from thanosql_server.engine.parameters import inferred_types
from thanosql_server.engine.result_columns import result_columns
from thanosql_server.engine.server_tables import server_tables
from thanosql_server.errors import InternalError, InvalidStatement, ThanoSQLError
from thanosql_server.sql.names import candidates, quote, respell
from thanosql_server.sql.nodes import SelectStatement
from thanosql_server.sql.parser import parse
from thanosql_server.sql.rewriter import Rewritten, rewrite, splice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from datafusion import DataFrame, SQLOptions

    from thanosql_server.engine.constants import ConstantQueries
    from thanosql_server.engine.encoders import Encoders
    from thanosql_server.engine.filling import Filler
    from thanosql_server.engine.fresh_keeper import FreshKeeper
    from thanosql_server.engine.models import Models
    from thanosql_server.engine.quick import QuickSearches
    from thanosql_server.search.graphs import Graphs
    from thanosql_server.search.nearest import Nearest
    from thanosql_server.sql.nodes import Query, Statement
    from thanosql_server.sql.options import Options
    from thanosql_server.storage.views import View
    from thanosql_server.storage.workspace import Workspace


@dataclass(frozen=True)
class Environment:
    """What all statements of a server share."""

    workspace: Workspace
    contexts: session.Contexts
    models: Models
    encoders: Encoders
    nearest: Nearest
    graphs: Graphs
    quick: QuickSearches
    constants: ConstantQueries
    filler: Filler
    keeper: FreshKeeper
    threads: int
    search_memory: int
    activity: Activity = field(default_factory=Activity)


@dataclass
class Planning:
    """The planning of one statement's text.

    Attributes:
        environment: what all statements share.
        statement: the parsed statement.
        arguments: values of its parameters, None while they are not known.
        stored: SELECT texts that stand for CONVERT clauses already carried out.
        outer: of the text of a view the planning of the text that names it, whose
            functions, tables and leash it shares.
        control: of the run; until there is one, its own.
    """

    environment: Environment
    statement: Statement
    arguments: Sequence[pa.Scalar] | None = None
    stored: Mapping[int, str] = field(default_factory=dict)
    control: Control = field(default_factory=Control)
    outer: Planning | None = None

    def __post_init__(self) -> None:
        self.failure: BaseException | None = None
        self.delivered = False
        self.reads_once = False
        self._probing = False
        self._planned: tuple[DataFrame, str, SQLOptions] | None = None
        self.catalog = Catalog(
            self.environment.workspace,
            self._view,
            server_tables(self.environment, self.control),
        )
        self.context = self.environment.contexts.new(self.catalog)
        self.clauses = Clauses(self)
        self.calls = Calls(self)
        if self.outer is not None:
            self.catalog.reading.share(self.outer.catalog.reading)
            self.clauses.share(self.outer.clauses)
        check_count(self.statement, self.arguments)

    @property
    def root(self) -> Planning:
        """The planning of the statement itself, if this is that of a view in it."""
        return self.outer.root if self.outer else self

    def frame(
        self, query: Query, options: SQLOptions = session.READ_ONLY, prefix: str = ""
    ) -> DataFrame:
        """Return the query, rewritten and planned, as a data frame that has not run.

        Args:
            query: the query with its clauses.
            options: what kinds of statements DataFusion may plan.
            prefix: SQL in front of the query, such as INSERT INTO t.

        Raises:
            ThanoSQLError: whatever is wrong, with its place in the statement.
        """
        rewritten = rewrite(query, self.clauses)
        try:
            return self._plan(prefix + rewritten.sql, options)
        except Exception as error:
            raise self._explain(error, rewritten, len(prefix)) from None

    def spliced(
        self, *pieces: str | Query, options: SQLOptions = session.READ_ONLY
    ) -> DataFrame:
        """Return a query of our own SQL and pieces of the statement; see `frame`."""
        rewritten = splice(self.statement.text, pieces, self.clauses)
        try:
            return self._plan(rewritten.sql, options)
        except Exception as error:
            raise self._explain(error, rewritten, 0) from None

    def sized(self, frame: DataFrame, names: frozenset[str]) -> DataFrame:
        """Return the last frame planned anew, with these tables' rows known.

        Args:
            frame: the frame.
            names: schemas and names of the tables.

        Returns:
            The new frame; the frame itself if it is another, or made from the last.
        """
        if self._planned is None or self._planned[0] is not frame:
            return frame
        _, text, options = self._planned
        reading = self.catalog.reading
        reading.frames, reading.sized = {}, names
        return session.sql(self.context, text, self._values(), options)

    def columns(self, frame: DataFrame) -> pa.Schema:
        """Return the columns of a query's result, as its batches will have them."""
        self.root._probing = True
        try:
            optimized = session.adopt(self.context, frame.optimized_logical_plan())
        except Exception:
            optimized = None  # SELECT 1 / 0, say; it fails when it runs
        finally:
            self.root._probing = False
        return result_columns(frame, optimized)

    def again(self) -> Planning:
        """Return a new planning of the statement, which sees the tables as of now."""
        return Planning(
            self.environment, self.statement, self.arguments, control=self.control
        )

    def apart(self) -> Planning:
        """Return the planning of a query in this statement that runs by itself."""
        inner = Planning(
            self.environment,
            self.statement,
            self.arguments,
            self.stored,
            control=self.control,
            outer=self,
        )
        inner.catalog.reading.path = self.catalog.reading.path
        inner.catalog.reading.apart()
        return inner

    def schema_of(self, body: str) -> pa.Schema:
        """Return the columns of a rewritten clause body."""
        try:
            return self._plan(body, session.READ_ONLY).schema()
        except Exception as error:
            tables = self.environment.workspace.tables.names()
            raise translate(error, self.statement.text, tables=tables) from None

    def parameter_schema(self, frame: DataFrame) -> pa.Schema:
        """Return one field per parameter, with its type where it can be inferred."""
        return inferred_types(frame, self.statement.parameter_count)

    def bound(self, options: Options) -> Options:
        """Return the options with parameters replaced by their values, if known."""
        if self.arguments is None:
            return options
        return options.bind([value.as_py() for value in self.arguments])

    def guard(self, work: Callable[[], pa.Array]) -> pa.Array:
        """Do the work of an SQL function; remember what it raised.

        DataFusion hands exceptions of Python functions on as text only.
        """
        root = self.root
        if root._probing:
            raise RuntimeError("constants are not computed while a text is planned")
        try:
            root.control.check()
            return work()
        except BaseException as error:
            root.failure = root.failure or error
            raise

    def guarded(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> pa.RecordBatchReader:
        """Return batches that DataFusion reads; what they raise is remembered.

        They come once, so the query that reads them cannot be run a second time.
        """
        self.root.reads_once = True

        def checked() -> Iterator[pa.RecordBatch]:
            waiting = iter(batches)
            while (batch := self.guard(lambda: next(waiting, None))) is not None:
                yield batch

        return pa.RecordBatchReader.from_batches(schema, checked())

    def _view(self, key: tuple[str, str], view: View) -> DataFrame:
        """Return a view's query as of now, planned on a thread of its own.

        It is asked for by DataFusion in the middle of planning another text, and plans
        one text per thread at a time.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="view") as helper:
            return helper.submit(self._planned_view, key, view).result()

    def _planned_view(self, key: tuple[str, str], view: View) -> DataFrame:
        statement = parse(view.query)
        if not isinstance(statement, SelectStatement):
            raise InternalError(f"view '{key[1]}' does not hold a query")
        inner = Planning(
            self.environment, statement, (), control=self.control, outer=self
        )
        inner.catalog.reading.path = (*self.catalog.reading.path, key)
        return renamed(inner.frame(statement.query), view.columns)

    def _plan(self, text: str, options: SQLOptions) -> DataFrame:
        """Plan `text`.

        Comparisons get the types of their arguments, and columns that are not there
        are read as names of former eras or cases.
        """
        seen = set[str]()
        while True:
            try:
                frame = session.sql(self.context, text, self._values(), options)
                if self.calls.unsettled:
                    self._check_types(frame)
                self._planned = frame, text, options
                return frame
            except Exception as error:
                if self.calls.settle(error):
                    continue
                seen.add(text)
                respelled = _respelled(text, error)
                if respelled is None or respelled in seen:
                    raise
                text = respelled

    def _check_types(self, frame: DataFrame) -> None:
        """Let DataFusion look at conditions and sort keys; it does so late.

        Raises:
            Exception: a function has not got its types (see `calls`).
        """
        plan = frame.logical_plan()
        while type(plan.to_variant()).__name__ in (
            "Explain",
            "Analyze",
            "DmlStatement",
        ):
            plan = plan.inputs()[0]
        self.root._probing = True
        try:
            session.adopt(self.context, plan).optimized_logical_plan()
        except Exception as error:
            # Whatever else is wrong comes to light when the statement runs.
            if self.calls.refuses(error):
                raise
        finally:
            self.root._probing = False

    def _values(self) -> dict[str, pa.Scalar]:
        return {str(n): value for n, value in enumerate(self.arguments or (), start=1)}

    def _explain(
        self, error: Exception, rewritten: Rewritten, shift: int
    ) -> ThanoSQLError:
        broken = self.catalog.reading.failure
        if broken is not None:
            return broken
        return translate(
            error,
            self.statement.text,
            original=lambda offset: rewritten.position(max(offset - shift, 0)),
            tables=self.environment.workspace.tables.names(),
            rewritten=" " * shift + rewritten.sql,
        )


def renamed(frame: DataFrame, names: Sequence[str] | None) -> DataFrame:
    """Return the frame with other names for its columns.

    Raises:
        InvalidStatement: there are not as many names as columns.
    """
    if names is None:
        return frame
    given = frame.schema().names
    if len(given) != len(names):
        raise InvalidStatement(
            f"the query has {len(given)} columns, and {len(names)} names are given"
        )
    columns = [
        col(quote(old)).alias(new) for old, new in zip(given, names, strict=True)
    ]
    return frame.select(*columns)


def _respelled(text: str, error: Exception) -> str | None:
    missing = unknown_column(error)
    if missing is None:
        return None
    name, fields = missing
    right = candidates(name, fields)
    return respell(text, name, right) if right and right != name else None


def check_count(statement: Statement, arguments: Sequence[Any] | None) -> None:
    """Raise InvalidStatement unless there is one value per parameter, or None."""
    wanted = statement.parameter_count
    if arguments is not None and len(arguments) != wanted:
        given = (
            "1 value was" if len(arguments) == 1 else f"{len(arguments)} values were"
        )
        raise InvalidStatement(
            f"the statement has {wanted} parameter{'s' * (wanted != 1)}, "
            f"but {given} given"
        )
