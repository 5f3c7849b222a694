"""The SQL functions behind clauses and calls, made for one statement at a time.

An embedding is *volatile*: an immutable function is evaluated twice when DataFusion
pushes a filter below the projection. A comparison is *immutable* and closes over its
vector: a vector passed as an argument would be copied into every batch. In its place
stands a label, a short text that says in an EXPLAIN what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
from datafusion import ScalarUDF, udf

from thanosql_server.ml.encoder import embedding_type
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.ml.text_pipeline import embed_texts
from thanosql_server.search.exact import compare_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder, TextEncoder
    from thanosql_server.ml.pipeline import Unreadable
    from thanosql_server.ml.text_pipeline import EmptyTexts
    from thanosql_server.search.exact import Comparison
    from thanosql_server.search.measures import Measure

Vector: TypeAlias = "NDArray[np.float32] | NDArray[np.float64]"
Guard: TypeAlias = "Callable[[Callable[[], pa.Array]], pa.Array]"
Embed: TypeAlias = "Callable[[Iterable[str | None]], Iterable[pa.Array]]"

LABEL_LENGTH = 40
"""Characters of a label; it is copied into every row of a batch."""
_NO_TYPE = pa.struct([pa.field("unknown", pa.binary(1))])
"""A type that DataFusion makes of no other, but of NULL."""


def label(text: str) -> str:
    """Return a text short enough to be a label."""
    line = " ".join(text.split())
    return line if len(line) <= LABEL_LENGTH else line[: LABEL_LENGTH - 3] + "..."


def comparison_function(
    name: str,
    column: pa.DataType,
    comparison: Comparison,
    guard: Guard,
    *,
    operand: int = 0,
    scores: Callable[[pa.Array], pa.Array] | None = None,
) -> ScalarUDF:
    """Return `name(vectors, label)`, or `name(label, vectors)` if `operand` is 1.

    `scores` computes what the comparison does, perhaps together with others.
    """
    compute = scores or comparison.scores

    def evaluate(*arguments: pa.Array) -> pa.Array:
        return guard(lambda: compute(arguments[operand]))

    types = [pa.string(), pa.string()]
    types[operand] = column
    return udf(evaluate, types, comparison.measure.dtype, "immutable", name)


def rows_function(
    name: str, left: pa.DataType, right: pa.DataType, measure: Measure, guard: Guard
) -> ScalarUDF:
    """Return `name(vectors, vectors)`: each row's two vectors compared."""

    def evaluate(left: pa.Array, right: pa.Array) -> pa.Array:
        return guard(lambda: compare_rows(left, right, measure))

    return udf(evaluate, [left, right], measure.dtype, "immutable", name)


def constant_function(
    name: str, comparison: Comparison, other: Callable[[], Vector], guard: Guard
) -> ScalarUDF:
    """Return `name(label, label)`: two vectors that are known compared."""

    def evaluate(labels: pa.Array, _: pa.Array) -> pa.Array:
        def work() -> pa.Array:
            found = comparison.scores(pa.array([other()]))
            return pa.repeat(found[0], len(labels))

        return guard(work)

    types = [pa.string(), pa.string()]
    return udf(evaluate, types, comparison.measure.dtype, "immutable", name)


def null_function(
    name: str, types: list[pa.DataType], result: pa.DataType
) -> ScalarUDF:
    """Return `name(...)`, which is NULL whatever it is given."""

    def evaluate(*arguments: pa.Array) -> pa.Array:
        return pa.nulls(len(arguments[0]), result)

    return udf(evaluate, types, result, "immutable", name)


def untyped_function(
    name: str, arguments: list[bool], result: pa.DataType
) -> ScalarUDF:
    """Return a function that DataFusion refuses, telling the types it was given.

    Args:
        name: the function.
        arguments: for each whether it is a vector; the others are labels.
        result: the type of what it returns; NULL, if all vectors are.
    """
    types = [_NO_TYPE if is_vector else pa.string() for is_vector in arguments]
    return null_function(name, types, result)


def embed_function(name: str, dim: int, embed: Embed, guard: Guard) -> ScalarUDF:
    """Return the function `name(texts)`: the embedding of each text, or picture."""
    dtype = embedding_type(dim)

    def evaluate(texts: pa.Array) -> pa.Array:
        def work() -> pa.Array:
            parts = list(embed(texts.to_pylist()))
            return pa.concat_arrays(parts) if parts else pa.array([], dtype)

        return guard(work)

    return udf(evaluate, [pa.string()], dtype, "volatile", name)


def embedding_function(
    name: str, dtype: pa.DataType, vector: Callable[[], Vector], guard: Guard
) -> ScalarUDF:
    """Return the function `name(label)`: one embedding, the same in every row."""

    def evaluate(labels: pa.Array) -> pa.Array:
        def work() -> pa.Array:
            flat = pa.array(np.tile(vector(), len(labels)))
            return pa.FixedSizeListArray.from_arrays(flat, len(vector())).cast(dtype)

        return guard(work)

    # Volatile, or DataFusion would compute it when it explains a plan, and show it.
    return udf(evaluate, [pa.string()], dtype, "volatile", name)


def embed_with(
    encoder: Callable[[], Encoder],
    resolve: Callable[[str], Path],
    control: Callable[[], Control],
    unreadable: Unreadable,
    *,
    batch_size: int,
    decode_threads: int,
    fail_on_error: bool,
) -> Embed:
    """Return a function from users' paths to arrays of embeddings, in order."""

    def embed(paths: Iterable[str | None]) -> Iterable[pa.Array]:
        return embed_paths(
            paths,
            resolve,
            encoder(),
            control(),
            batch_size=batch_size,
            decode_threads=decode_threads,
            fail_on_error=fail_on_error,
            unreadable=unreadable,
        )

    return embed


def embed_texts_with(
    encoder: Callable[[], TextEncoder],
    control: Callable[[], Control],
    empty: EmptyTexts,
    *,
    batch_size: int,
) -> Embed:
    """Return a function from texts to arrays of embeddings, in order."""

    def embed(texts: Iterable[str | None]) -> Iterable[pa.Array]:
        return embed_texts(texts, encoder(), control(), empty, batch_size=batch_size)

    return embed
