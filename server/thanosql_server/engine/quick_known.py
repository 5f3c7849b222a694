"""What texts of searches mean that need no planning when they come again.

A text comes again with another value: another vector for its parameter, or another
text to search for, as its parameter or as the literal of its SEARCH. What is known
depends on the rest of the text and on the columns of the table only.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from thanosql_server.engine.models import NOT_FETCHED
from thanosql_server.engine.planner import (
    has_lasting_conditions,
    is_filtered,
    outputs,
)
from thanosql_server.engine.session import SCHEMA
from thanosql_server.search.vectors import dim_of
from thanosql_server.sql.nodes import Parameter, Search, SelectStatement

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from datafusion import DataFrame, LogicalPlan
    from numpy.typing import NDArray

    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planner import Hint
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.search.exact import Comparison

MOST_KNOWN = 256
"""Texts remembered; the oldest make room."""

_LONGEST = 4096
"""Longer texts are planned: looking for literals in them takes time."""

_MOST_LITERALS = 16
_LITERAL = re.compile(r"'([^'\\]*)'")
_ITEM = re.compile(rf"texts?\s*=\s*({_LITERAL.pattern})", re.IGNORECASE)


class Form(NamedTuple):
    """A text without the literal that it searches for, or a whole text."""

    before: str
    after: str = ""


@dataclass(frozen=True)
class Known:
    """What a text means.

    Attributes:
        schema: of its result.
        parameters: its parameter, if it has one.
        table: the table's name, in the default schema.
        columns: the table's, as they were.
        column: that of vectors.
        dim: numbers per vector.
        comparison: as it was planned; its vector changes.
        k: how many rows.
        outputs: columns of the table, None for the score.
        filter: keeps the rows for which it is true.
        model: what embeds the text that is searched for; None for a vector.
    """

    schema: pa.Schema
    parameters: pa.Schema
    table: str
    columns: pa.Schema
    column: str
    dim: int
    comparison: Comparison
    k: int
    outputs: tuple[str | None, ...]
    filter: pc.Expression | None = None
    model: ModelHandle | None = None


class Meant(NamedTuple):
    """What a text means, and the literal that it searches for, if it has one."""

    known: Known
    literal: str | None


class KnownTexts:
    """The last texts that were understood; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Form, Known] = {}

    def find(self, sql: str) -> Meant | None:
        """Return what a text means.

        A text that is the same before and after one literal is read the same there:
        what stands before ends outside of literals and comments, as it did when it
        was planned, and the literal holds no quotes.
        """
        known = self._known.get(Form(sql))
        if known is not None:
            return Meant(known, None)
        if len(sql) > _LONGEST:
            return None
        literals = itertools.islice(_LITERAL.finditer(sql), _MOST_LITERALS)
        for literal in literals:
            known = self._known.get(Form(sql[: literal.start()], sql[literal.end() :]))
            if known is not None:
                return Meant(known, literal[1])
        return None

    def learn(
        self, planning: Planning, frame: DataFrame, plan: LogicalPlan, hint: Hint
    ) -> None:
        """Remember what a text means that was planned, if it is nothing but a search.

        Args:
            planning: of the text.
            frame: what it was planned to be.
            plan: the optimized logical plan.
            hint: its one top-k.
        """
        statement = planning.statement
        if planning.outer is not None or not isinstance(statement, SelectStatement):
            return
        form = _form(statement)
        if form is None:
            return
        known = _understood(planning, statement, frame, plan, hint)
        if known is None:
            return
        if not is_filtered(plan):
            self._remember(form, known)
        elif has_lasting_conditions(frame.logical_plan()):
            # DataFusion makes an expression of the filter only when it runs.
            hint.table.searched = lambda filter: self._remember(
                form, replace(known, filter=filter)
            )

    def _remember(self, form: Form, known: Known) -> None:
        with self._lock:
            self._known.pop(form, None)
            while len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[form] = known


def _form(statement: SelectStatement) -> Form | None:
    """Return what must come again of a text; None if it is not such a search."""
    query, search = statement.query, _search(statement)
    if query.versions or (query.clauses and search is None):
        return None
    if search is None:
        return Form(statement.text) if statement.parameter_count == 1 else None
    body = search.body
    if body.clauses or body.calls or body.versions or query.calls:
        return None
    if len(search.items) != 1 or search.items[0].kind != "text":
        return None
    value = search.items[0].value
    if isinstance(value, Parameter):
        return Form(statement.text) if statement.parameter_count == 1 else None
    if statement.parameter_count:
        return None
    start = _offset(statement.text, search.items[0].position)
    written = _ITEM.match(statement.text, start)
    if written is None or written[2] != value:
        return None  # in a list, in the options, or with other quotes
    return Form(statement.text[: written.start(1)], statement.text[written.end(1) :])


def _search(statement: SelectStatement) -> Search | None:
    clauses = statement.query.clauses
    one = clauses[0] if len(clauses) == 1 else None
    return one if isinstance(one, Search) else None


def _offset(text: str, position: Position) -> int:
    lines = text.split("\n")[: position.line - 1]
    return sum(len(line) + 1 for line in lines) + position.column - 1


def _understood(
    planning: Planning,
    statement: SelectStatement,
    frame: DataFrame,
    plan: LogicalPlan,
    hint: Hint,
) -> Known | None:
    top_k, table, search = hint.top_k, hint.table.table, _search(statement)
    functions = [
        name
        for name, one in planning.clauses.queries.items()
        if one is top_k.comparison
        and (search is not None or _takes_parameter(planning, name))
    ]
    # A view may be replaced, and its text is not that of the statement.
    if len(functions) != 1 or planning.catalog.reading.used != {(SCHEMA, table.name)}:
        return None
    model = None if search is None else _model(planning, search)
    if search is not None and model is None:
        return None
    dim = dim_of(table.schema.field(top_k.column).type)
    schema = frame.schema()
    shown = outputs(plan, schema.names, functions[0], top_k.column)
    if shown is None or dim is None:
        return None
    return Known(
        schema,
        planning.parameter_schema(frame),
        table.name,
        table.schema,
        top_k.column,
        dim,
        replace(top_k.comparison, query=_no_vector),
        top_k.k,
        shown,
        model=model,
    )


def _model(planning: Planning, search: Search) -> ModelHandle | None:
    """Return the model of a SEARCH; None if it was deleted meanwhile."""
    models = planning.environment.workspace.models
    if not models.exists(search.model.lower()):
        return None
    model = planning.environment.models.find(search.model)
    return None if model.model.version == NOT_FETCHED else model


def _takes_parameter(planning: Planning, function: str) -> bool:
    """Whether a comparison takes its vector from the statement's parameter."""
    call = planning.calls.written(function)
    return call is not None and any(
        isinstance(argument.value, Parameter) for argument in call.arguments
    )


def _no_vector() -> NDArray[np.float32]:
    raise AssertionError("each run has a vector of its own")
