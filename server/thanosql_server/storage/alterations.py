"""Changes of a table's columns and of what is declared about them, one commit each.

Each function changes a dataset; `Table.alter` gives it the version that the statement
saw and keeps the table from being dropped meanwhile. Lance lets those changes that do
not touch each other go together and refuses the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql_server.errors import NotNullViolation
from thanosql_server.storage.columns import origin_field, storable_field
from thanosql_server.storage.facts import MARK, fact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import lance


def add_empty_column(dataset: lance.LanceDataset, field: pa.Field) -> None:
    """Add a column of NULLs; no file is written."""
    dataset.add_columns(storable_field(field))


def add_generated_column(
    dataset: lance.LanceDataset, field: pa.Field, input: pa.Field
) -> None:
    """Add a column that is kept fresh, all of its rows waiting; no file is written.

    The mark of its input is a commit of its own, which means nothing without a column
    that names it.

    Args:
        dataset: the table.
        field: the column, declared from `input` (see `generated.declared`).
        input: the column that it is made from, with its mark.
    """
    if fact(dataset.schema.field(input.name), MARK) is None:
        declare(dataset, input.name, {MARK: fact(input, MARK)})
    columns = [storable_field(field), origin_field(field.name)]
    dataset.add_columns(pa.schema(columns))


def drop_column(
    dataset: lance.LanceDataset, name: str, dependents: Sequence[str] = ()
) -> None:
    """Forget a column and its dependents; files go when the versions with them go."""
    names = (name, *dependents)
    hidden = [one for column in names for one in _companions(dataset, column)]
    dataset.drop_columns([*names, *hidden])


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
