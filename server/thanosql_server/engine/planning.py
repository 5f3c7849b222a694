"""One statement on its way to a data frame: its catalog, its functions, its clauses.

A `Planning` answers the rewriter's questions about the clauses of one text (which
column, which function, which name), registers the functions that the rewritten text
calls, and hands the text to DataFusion. Nothing here runs or changes the workspace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thanosql_server.control import Control
from thanosql_server.engine import session
from thanosql_server.engine.calls import Calls
from thanosql_server.engine.catalog import Catalog
from thanosql_server.engine.clauses import Clauses
from thanosql_server.engine.faults import translate, unknown_column
from thanosql_server.engine.parameters import inferred_types
from thanosql_server.errors import InvalidStatement, ThanoSQLError
from thanosql_server.sql.names import candidates, respell
from thanosql_server.sql.rewriter import Rewritten, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from datafusion import DataFrame, SQLOptions

    from thanosql_server.engine.encoders import Encoders
    from thanosql_server.engine.models import Models
    from thanosql_server.sql.nodes import Query, Statement
    from thanosql_server.sql.options import Options
    from thanosql_server.storage.workspace import Workspace


@dataclass(frozen=True)
class Environment:
    """What all statements of a server share."""

    workspace: Workspace
    contexts: session.Contexts
    models: Models
    encoders: Encoders
    threads: int


@dataclass
class Planning:
    """The planning of one statement's text.

    Attributes:
        environment: what all statements share.
        statement: the parsed statement.
        arguments: values of its parameters, None while they are not known.
        stored: SELECT texts that stand for CONVERT clauses already carried out.
        control: of the run; until there is one, its own.
    """

    environment: Environment
    statement: Statement
    arguments: Sequence[pa.Scalar] | None = None
    stored: Mapping[int, str] = field(default_factory=dict)
    control: Control = field(default_factory=Control)

    def __post_init__(self) -> None:
        self.failure: BaseException | None = None
        self._probing = False
        self.catalog = Catalog(self.environment.workspace)
        self.context = self.environment.contexts.new(self.catalog)
        self.clauses = Clauses(self)
        self.calls = Calls(self)
        check_count(self.statement, self.arguments)

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
        if self._probing:
            raise RuntimeError("constants are not computed while a text is planned")
        try:
            self.control.check()
            return work()
        except BaseException as error:
            self.failure = self.failure or error
            raise

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
        self._probing = True
        try:
            session.adopt(self.context, plan).optimized_logical_plan()
        except Exception as error:
            # Whatever else is wrong comes to light when the statement runs.
            if self.calls.refuses(error):
                raise
        finally:
            self._probing = False

    def _values(self) -> dict[str, pa.Scalar]:
        return {str(n): value for n, value in enumerate(self.arguments or (), start=1)}

    def _explain(
        self, error: Exception, rewritten: Rewritten, shift: int
    ) -> ThanoSQLError:
        broken = self.catalog.tables.failure
        if broken is not None:
            return broken
        return translate(
            error,
            self.statement.text,
            original=lambda offset: rewritten.position(max(offset - shift, 0)),
            tables=self.environment.workspace.tables.names(),
            rewritten=" " * shift + rewritten.sql,
        )


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
