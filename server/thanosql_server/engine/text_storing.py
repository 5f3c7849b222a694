"""CONVERT of texts into a column of their own table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.clauses import text_batch
from thanosql_server.engine.columns import pick_converted_text
from thanosql_server.engine.embedding import require_medium, text_encoder
from thanosql_server.ml.text_pipeline import EmptyTexts, embed_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from thanosql_server.control import Control
    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Convert
    from thanosql_server.storage.tables import Table


def text_embeddings(
    planning: Planning,
    clause: Convert,
    handle: ModelHandle,
    table: Table,
    control: Control,
) -> Iterator[pa.Array]:
    """Yield the embeddings of a table's texts, in the order of its rows.

    Raises:
        ThanoSQLError: the model takes no texts, or there is no column of them; at once.
    """
    options = planning.clauses.convert_options(clause)
    require_medium(handle, "text", clause.model_position)
    column = pick_converted_text(table.schema, options)
    size = text_batch(options)
    load = planning.environment.encoders.chosen(handle, options)

    def embedded() -> Iterator[pa.Array]:
        empty = EmptyTexts()
        texts = (
            text
            for batch in table.scan([column])
            for text in batch.column(0).to_pylist()
        )
        encoder, total = text_encoder(handle, load()), table.count_rows()
        yield from embed_texts(
            texts, encoder, control, empty, batch_size=size, total=total
        )
        empty.warn(control, "have no embedding")

    return embedded()
