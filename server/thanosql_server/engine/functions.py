"""The SQL functions behind the clauses, made for one statement at a time.

An embedding is *volatile*: an immutable function is evaluated twice when DataFusion
pushes a filter below the projection. A similarity is *immutable* and closes over its
query vector: a vector passed as an argument would be copied into every batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from datafusion import ScalarUDF, udf

from thanosql_server.ml.encoder import embedding_type
from thanosql_server.ml.pipeline import embed_paths
from thanosql_server.search.exact import similarities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder
    from thanosql_server.ml.pipeline import Unreadable

    Vector = NDArray[np.float32]
    Guard = Callable[[Callable[[], pa.Array]], pa.Array]


def similarity_function(
    name: str, column: pa.DataType, query: Callable[[], Vector], guard: Guard
) -> ScalarUDF:
    """Return the function `name(vectors)`: cosine similarity to one query vector."""

    def evaluate(vectors: pa.Array) -> pa.Array:
        return guard(lambda: similarities(vectors, query()))

    return udf(evaluate, [column], pa.float32(), "immutable", name)


def embed_function(
    name: str,
    dim: int,
    embed: Callable[[Iterable[str | None]], Iterable[pa.Array]],
    guard: Guard,
) -> ScalarUDF:
    """Return the function `name(paths)`: the embedding of each picture."""
    dtype = embedding_type(dim)

    def evaluate(paths: pa.Array) -> pa.Array:
        def work() -> pa.Array:
            parts = list(embed(paths.to_pylist()))
            return pa.concat_arrays(parts) if parts else pa.array([], dtype)

        return guard(work)

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
) -> Callable[[Iterable[str | None]], Iterable[pa.Array]]:
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
