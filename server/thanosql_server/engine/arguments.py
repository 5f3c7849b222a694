"""What the arguments of a call are: a model, something to embed, a known vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thanosql_server.engine.embedding import require_medium
from thanosql_server.engine.functions import label
from thanosql_server.errors import InvalidStatement, InvalidValue
from thanosql_server.sql.calls import COMPARISONS
from thanosql_server.sql.nodes import Call, Parameter
from thanosql_server.sql.options import show
from thanosql_server.sql.tokens import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.engine.functions import Vector
    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Argument

EMBEDDED = {"embed_text": "a text", "embed_image": "the path of a picture"}
TEXTS = {
    **{function: (1, what) for function, what in EMBEDDED.items()},
    "image_html": (0, "the path of a picture"),
}
"""Which argument of a function is a text, counted from 0, and what it says."""
MEDIA = {"embed_text": "text", "embed_image": "image"}
_MISSING: Any = object()
"""The value of a parameter while there are none."""


@dataclass(frozen=True)
class Constant:
    """A vector that a call knows; `load` is None if it is NULL, `dim` if unknown."""

    label: str
    dim: int | None
    load: Callable[[], Vector] | None


def model_of(planning: Planning, call: Call) -> ModelHandle | None:
    """Return the model of an embedding; None while it is not known."""
    argument = call.arguments[0]
    name = _value(planning, argument)
    if name is _MISSING:
        return None
    if argument.value is None or isinstance(argument.value, (tuple, Call)):
        text = argument.span.of(planning.statement.text)
        raise InvalidStatement(
            f"{call.function} takes the name of a model in quotes first, as in "
            f"{call.function}('my_model', ...), not {excerpt(text)}",
            position=argument.position,
        )
    if not isinstance(name, str):
        raise InvalidValue(
            f"{call.function} takes the name of a model first, not {show(name)}",
            position=argument.position,
        )
    handle = planning.clauses.model(name, argument.position)
    require_medium(handle, MEDIA[call.function], argument.position)
    return handle


def embedded(planning: Planning, call: Call, handle: ModelHandle | None) -> Constant:
    """Return the embedding of a text or a picture that the statement names."""
    argument = call.arguments[1]
    value = _value(planning, argument)
    if value is _MISSING or handle is None:
        dim = handle.dim if handle else None
        return Constant(label(_shown(argument)), dim, _unbound)
    if value is None:
        return Constant("NULL", handle.dim, None)
    what = EMBEDDED[call.function]
    if not isinstance(value, str):
        raise InvalidValue(
            f"{call.function} takes {what}, not {show(value)}",
            position=argument.position,
        )
    clauses = planning.clauses
    medium = MEDIA[call.function]
    load = clauses.item_vector(handle, medium, value, argument.position)
    return Constant(label(value), handle.dim, load)


def constant_of(planning: Planning, call: Call, argument: Argument) -> Constant | None:
    """Return the vector that an argument is, None if it differs by row."""
    value = argument.value
    if isinstance(value, Call):
        known = value.function not in COMPARISONS and len(value.arguments) == 2
        inner = value.arguments[1].value if known else None
        if isinstance(inner, (str, Parameter)):
            return embedded(planning, value, model_of(planning, value))
        return None
    if value is None:
        return None
    found = _value(planning, argument)
    if found is _MISSING:
        return Constant(label(_shown(argument)), None, _unbound)
    if found is None:
        return Constant("NULL", None, None)
    vector = _vector(call, argument, found)
    return Constant(label(show(found)), len(vector), lambda: vector)


def _value(planning: Planning, argument: Argument) -> Any:
    """Return the text, numbers or value of a parameter that an argument is."""
    if not isinstance(argument.value, Parameter):
        return argument.value
    arguments = planning.arguments
    if arguments is None:
        return _MISSING
    return arguments[argument.value.index - 1].as_py()


def _vector(call: Call, argument: Argument, value: Any) -> Vector:
    """Return a list of numbers as a vector."""
    if isinstance(value, (list, tuple)):
        if not value:
            raise InvalidValue(
                "a vector has at least one number, and this list is empty",
                position=argument.position,
            )
        if all(isinstance(one, (int, float, type(None))) for one in value):
            numbers = [np.nan if one is None else float(one) for one in value]
            return np.array(numbers, dtype=np.float64)
    raise InvalidValue(
        f"{call.function} compares vectors, which are lists of numbers, and this is "
        f"{excerpt(str(value)) if isinstance(value, str) else show(value)}; "
        "embed_text('model', ...) makes one of a text",
        position=argument.position,
    )


def _shown(argument: Argument) -> str:
    value = argument.value
    return value if isinstance(value, str) else str(value)


def _unbound() -> Vector:
    raise InvalidStatement("the statement's parameters have no values yet")
