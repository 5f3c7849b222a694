"""Changes of a table's columns and of what is declared about them, one commit each.

Each function changes a dataset; `Table.alter` gives it the version that the statement
saw and keeps the table from being dropped meanwhile. Lance lets those changes that do
not touch each other go together and refuses the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_server.errors import NotNullViolation
from thanosql_server.storage.columns import origin_field, storable_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lance
    import pyarrow as pa


def add_empty_column(dataset: lance.LanceDataset, field: pa.Field) -> None:
    """Add a column of NULLs; no file is written."""
    dataset.add_columns(storable_field(field))


def drop_column(dataset: lance.LanceDataset, name: str) -> None:
    """Forget a column; its files go when the versions that had it go."""
    dataset.drop_columns([name, *_companions(dataset, name)])


def rename_column(dataset: lance.LanceDataset, old: str, new: str) -> None:
    """Give a column another name; what is declared of it stays."""
    renamed = {old: new}
    for companion in _companions(dataset, old):
        renamed[companion] = str(origin_field(new).name)
    changes: Any = [{"path": path, "name": name} for path, name in renamed.items()]
    dataset.alter_columns(*changes)  # the stub wants every key of a change


def _companions(dataset: lance.LanceDataset, name: str) -> list[str]:
    """Return the hidden column that belongs to a column of embeddings, if any."""
    companion = str(origin_field(name).name)
    return [companion] if companion in dataset.schema.names else []


def set_nullable(dataset: lance.LanceDataset, name: str, nullable: bool) -> None:
    """Allow NULLs in a column, or refuse them from now on.

    Raises:
        NotNullViolation: there are NULLs in it.
    """
    change: Any = {"path": name, "nullable": nullable}
    try:
        dataset.alter_columns(change)
    except (OSError, ValueError) as failure:  # which of them differs by version
        if "contains NULL values" not in str(failure):
            raise
        raise NotNullViolation(
            f"column '{name}' holds NULLs; give these rows a value first, with UPDATE"
        ) from None


def declare(
    dataset: lance.LanceDataset, name: str, facts: Mapping[bytes, str | None]
) -> None:
    """Note facts about a column (see `facts`); None takes one back."""
    dataset.update_field_metadata({name: _texts(facts)})


def declare_of_table(
    dataset: lance.LanceDataset, facts: Mapping[bytes, str | None]
) -> None:
    """Note facts about the table; None takes one back."""
    dataset.update_schema_metadata(_texts(facts))


def _texts(facts: Mapping[bytes, str | None]) -> dict[str, str | None]:
    return {key.decode(): value for key, value in facts.items()}
