"""What a table's column is made of: files that never change, and rows deleted since.

Whoever keeps something derived from a column can tell from this what of it still holds
in another version of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lance

ROW_BITS = 32
"""A row id is the fragment's number above these bits and the row's place below."""


@dataclass(frozen=True)
class Fragment:
    """A run of a table's rows, as one column has them.

    Attributes:
        number: the upper half of its row ids.
        rows: how many rows were written, deleted ones included.
        file: name of the file with the column's values, never written twice; empty
            where the column was added without values.
        field: the number of the column, which it keeps when it is renamed; a file may
            hold several columns.
        deleted: changes whenever rows are deleted; None while none are.
    """

    number: int
    rows: int
    file: str
    field: int
    deleted: tuple[int, int] | None

    def same_values(self, other: Fragment) -> bool:
        """Whether both have the same values, but for rows deleted from either."""
        return (self.number, self.rows, self.file, self.field) == (
            other.number,
            other.rows,
            other.file,
            other.field,
        )


def fragments_of(dataset: lance.LanceDataset, column: str) -> list[Fragment] | None:
    """Return the fragments of a column in table order.

    Returns:
        None where row ids do not tell places (stable row ids), where values lie in
        layers over the column's file, or where there is no such column.
    """
    described = dataset.lance_schema.field(column)
    if dataset.has_stable_row_ids or described is None:
        return None
    field = described.id()
    found = []
    for metadata in (fragment.metadata for fragment in dataset.get_fragments()):
        if metadata.overlays:
            return None
        files = [file.path for file in metadata.files if field in file.fields]
        deletion = metadata.deletion_file
        deleted = None if deletion is None else (deletion.read_version, deletion.id)
        file = files[-1] if files else ""
        rows = metadata.physical_rows
        found.append(Fragment(metadata.id, rows, file, field, deleted))
    return found
