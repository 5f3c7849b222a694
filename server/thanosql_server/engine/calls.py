"""What calls of `embed_text`, `cosine_similarity` and the like mean.

A call becomes a call of a function made for it. What is constant in it, an embedded
text, a list of numbers, a parameter, is known to that function and computed once. The
types of the vectors that remain are learned from DataFusion, which refuses the text as
long as it holds a comparison whose function has not got them (see `signatures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.engine import thumbnails
from thanosql_server.engine.arguments import (
    EMBEDDED,
    TEXTS,
    Constant,
    constant_of,
    embedded,
    model_of,
)
from thanosql_server.engine.embedding import embed_images, embed_texts
from thanosql_server.engine.functions import (
    comparison_function,
    constant_function,
    embedding_function,
    null_function,
    rows_function,
    untyped_function,
)
from thanosql_server.engine.signatures import is_text, refusal, vector_type
from thanosql_server.errors import InvalidStatement
from thanosql_server.ml.encoder import embedding_type
from thanosql_server.search.exact import Comparison, different_lengths
from thanosql_server.search.measures import MEASURES
from thanosql_server.sql.calls import COMPARISONS, PICTURES
from thanosql_server.sql.nodes import Call, Parameter
from thanosql_server.sql.rewriter import CallFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning


@dataclass
class _Written:
    """A call as it stands in the rewritten text; `tried` are types it was given."""

    call: Call
    function: str
    constants: tuple[Constant | None, ...] = ()
    handle: ModelHandle | None = None
    tried: tuple[str, ...] = ()


class Calls:
    """The calls of one statement."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._facts: dict[object, CallFacts] = {}
        self._written: dict[str, _Written] = {}

    def facts(self, call: Call) -> CallFacts:
        """Return how to write a call, after registering its function.

        Raises:
            ThanoSQLError: the call cannot work, with its place in the statement.
        """
        if call.key not in self._facts:
            self._facts[call.key] = self._maker(call)(call)
        return self._facts[call.key]

    def written(self, function: str) -> Call | None:
        """Return the call that a function was made for."""
        found = self._written.get(function)
        return None if found is None else found.call

    @property
    def unsettled(self) -> bool:
        """Whether there are functions that have not got their types."""
        return any(not one.tried for one in self._written.values())

    def refuses(self, error: Exception) -> bool:
        """Return whether the error says what types a function needs."""
        refused = refusal(error)
        written = self._written.get(refused.function) if refused else None
        return (
            refused is not None
            and written is not None
            and written.tried != refused.given
        )

    def settle(self, error: Exception) -> bool:
        """Give a function its types, if that is what DataFusion asks for.

        Returns:
            Whether the text can be planned again.

        Raises:
            InvalidStatement: the arguments of a call are of types that it cannot take.
        """
        refused = refusal(error)
        if refused is None or not self.refuses(error):
            return False
        written = self._written[refused.function]
        written.tried = refused.given
        if written.call.function in COMPARISONS:
            self._give_types(written, refused.given)
            return True
        at, what = TEXTS[written.call.function]
        if not is_text(refused.given[0]):
            raise InvalidStatement(
                f"{written.call.function} takes {what}, not {refused.given[0]}",
                position=written.call.arguments[at].position,
            )
        if written.call.function in PICTURES:
            self._register_pictures(written.call, written.function)
            return True
        assert written.handle is not None
        embed = embed_texts if written.call.function == "embed_text" else embed_images
        encoders, handle = self._planning.environment.encoders, written.handle
        encoder = partial(encoders.encoder, handle)
        embed(self._planning, written.function, handle, encoder)
        return True

    def _maker(self, call: Call) -> Callable[[Call], CallFacts]:
        """Return what makes the facts of a call, after counting its arguments."""
        if call.function in PICTURES:
            return self._picture
        if len(call.arguments) != 2:
            wanted = EMBEDDED.get(call.function)
            what = f"a model and {wanted}" if wanted else "both vectors"
            raise InvalidStatement(
                f"{call.function} takes two arguments, {what}, not "
                f"{len(call.arguments)}",
                position=call.position,
            )
        return self._compare if call.function in COMPARISONS else self._embed

    # Pictures

    def _picture(self, call: Call) -> CallFacts:
        thumbnails.check(self._planning, call)
        name = self._name(call)
        self._written[name] = _Written(call, name)
        self._planning.context.register_udf(untyped_function(name, [True], pa.string()))
        return CallFacts(name, (0,))

    def _register_pictures(self, call: Call, name: str) -> None:
        width = thumbnails.width_of(self._planning, call)
        function = self._planning.clauses.thumbnails.function(name, width)
        self._planning.context.register_udf(function)

    # Embeddings

    def _embed(self, call: Call) -> CallFacts:
        handle = model_of(self._planning, call)
        name = self._name(call)
        if isinstance(call.arguments[1].value, (str, Parameter)):
            constant = embedded(self._planning, call, handle)
            self._register_embedding(name, handle, constant)
            return CallFacts(name, (constant.label,))
        if handle is None:  # while a statement without values is described
            dtype = pa.list_(pa.float32())
            self._planning.context.register_udf(
                null_function(name, [pa.string()], dtype)
            )
            return CallFacts(name, (1,))
        self._written[name] = _Written(call, name, handle=handle)
        self._planning.context.register_udf(
            untyped_function(name, [True], embedding_type(handle.dim))
        )
        return CallFacts(name, (1,))

    def _register_embedding(
        self, name: str, handle: ModelHandle | None, constant: Constant
    ) -> None:
        """Register a function that gives one embedding in every row."""
        dtype = embedding_type(handle.dim) if handle else pa.list_(pa.float32())
        context, guard = self._planning.context, self._planning.guard
        if constant.load is None:
            context.register_udf(null_function(name, [pa.string()], dtype))
            return
        context.register_udf(embedding_function(name, dtype, constant.load, guard))
        self._planning.clauses.warm_up.append(constant.load)

    # Comparisons

    def _compare(self, call: Call) -> CallFacts:
        name, measure = self._name(call), MEASURES[call.function]
        constants = tuple(
            constant_of(self._planning, call, one) for one in call.arguments
        )
        self._check_dims(call, *(one.dim if one else None for one in constants))
        written = _Written(call, name, constants)
        if None not in constants:
            self._register_constants(written)
        else:
            vectors = [constant is None for constant in constants]
            self._written[name] = written
            self._planning.context.register_udf(
                untyped_function(name, vectors, measure.dtype)
            )
        loads = (one.load for one in constants if one is not None)
        self._planning.clauses.warm_up.extend(load for load in loads if load)
        arguments = (
            index if constant is None else constant.label
            for index, constant in enumerate(constants)
        )
        return CallFacts(name, tuple(arguments))

    def _register_constants(self, written: _Written) -> None:
        """Register a comparison of two vectors that are known."""
        first, second = written.constants
        measure, name = MEASURES[written.call.function], written.function
        context = self._planning.context
        if not (first and second and first.load and second.load):
            types = [pa.string(), pa.string()]
            context.register_udf(null_function(name, types, measure.dtype))
            return
        comparison = Comparison(second.load, measure, strict=True)
        guard = self._planning.guard
        context.register_udf(constant_function(name, comparison, first.load, guard))

    def _give_types(self, written: _Written, given: tuple[str, ...]) -> None:
        """Register a comparison anew, now that the types of its vectors are known."""
        call, name, constants = written.call, written.function, written.constants
        types = [
            self._vector_type(call, index, given[index])
            if constant is None
            else pa.string()
            for index, constant in enumerate(constants)
        ]
        dims = (
            _dim(dtype) if constant is None else constant.dim
            for dtype, constant in zip(types, constants, strict=True)
        )
        self._check_dims(call, *dims)
        measure, guard = MEASURES[call.function], self._planning.guard
        register = self._planning.context.register_udf
        constant = next(filter(None, constants), None)
        no_vector = constant is not None and constant.load is None
        if no_vector or any(map(pa.types.is_null, types)):
            register(null_function(name, types, measure.dtype))
        elif constant is None or constant.load is None:
            register(rows_function(name, types[0], types[1], measure, guard))
        else:
            operand = constants.index(None)
            comparison = Comparison(constant.load, measure, strict=True)
            column = types[operand]
            register(
                comparison_function(name, column, comparison, guard, operand=operand)
            )
            self._planning.clauses.queries[name] = comparison

    def _vector_type(self, call: Call, index: int, given: str) -> pa.DataType:
        dtype = vector_type(given)
        if dtype is None:
            raise InvalidStatement(
                f"{call.function} compares vectors, which are lists of numbers; this "
                f"is {given}",
                position=call.arguments[index].position,
            )
        return dtype

    def _check_dims(self, call: Call, left: int | None, right: int | None) -> None:
        if left is not None and right is not None and left != right:
            message = different_lengths(call.function, left, right)
            raise InvalidStatement(message, position=call.position)

    def _name(self, call: Call) -> str:
        return self._planning.clauses.function_name(call.function)


def _dim(dtype: pa.DataType) -> int | None:
    return int(dtype.list_size) if pa.types.is_fixed_size_list(dtype) else None
