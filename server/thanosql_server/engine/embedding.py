"""Embedding functions over columns, for clauses and calls alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.functions import (
    embed_function,
    embed_texts_with,
    embed_with,
)
from thanosql_server.errors import NotSupported
from thanosql_server.ml.encoder import TextEncoder
from thanosql_server.ml.pipeline import Unreadable
from thanosql_server.ml.text_pipeline import BATCH_SIZE, EmptyTexts

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.ml.encoder import Encoder


def embed_images(
    planning: Planning,
    function: str,
    handle: ModelHandle,
    encoder: Callable[[], Encoder],
    *,
    batch_size: int = 32,
    fail_on_error: bool = False,
) -> None:
    """Register `function(paths)` for the statement."""
    environment = planning.environment
    counted = Unreadable()
    embed = embed_with(
        encoder,
        environment.workspace.paths.resolve,
        lambda: planning.root.control,
        counted,
        batch_size=batch_size,
        decode_threads=planning.clauses.decode_threads,
        fail_on_error=fail_on_error,
    )
    planning.context.register_udf(
        embed_function(function, handle.dim, embed, planning.guard)
    )
    planning.clauses.warm_up.append(encoder)
    planning.clauses.counted.append(counted)


def embed_texts(
    planning: Planning,
    function: str,
    handle: ModelHandle,
    encoder: Callable[[], Encoder],
    *,
    batch_size: int = BATCH_SIZE,
) -> None:
    """Register `function(texts)` for the statement."""
    counted = EmptyTexts()
    embed = embed_texts_with(
        lambda: text_encoder(handle, encoder()),
        lambda: planning.root.control,
        counted,
        batch_size=batch_size,
    )
    planning.context.register_udf(
        embed_function(function, handle.dim, embed, planning.guard)
    )
    planning.clauses.warm_up.append(lambda: text_encoder(handle, encoder()))
    planning.clauses.counted.append(counted)


def text_encoder(handle: ModelHandle, encoder: Encoder) -> TextEncoder:
    """Return the model's encoder as one of texts, or raise NotSupported."""
    if not isinstance(encoder, TextEncoder):
        raise NotSupported(f"model '{handle.name}' cannot embed texts")
    return encoder


def require_medium(handle: ModelHandle, medium: str, position: Position) -> None:
    """Raise NotSupported unless the model embeds such things: "text", "image"."""
    if medium not in handle.family.media:
        raise NotSupported(
            f"model '{handle.name}' is a {handle.family.name} and cannot embed "
            f"{medium}s; a CLIP can",
            position=position,
        )
