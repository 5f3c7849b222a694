"""Changing rows and adding others in one commit."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from lance import LanceOperation
from lance.fragment import write_fragments

from thanosql_server.storage.columns import fitting
from thanosql_server.storage.faults import Relay
from thanosql_server.storage.folder_lock import FolderBusy, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata

    Operation = LanceOperation.Update | LanceOperation.Append | None

_TURNS = "_transactions"
"""Folder of a table whose lock nobody else takes (see `compaction` for the others)."""

_PAUSE = 0.005
"""Seconds between two looks whether it is our turn."""


class Additions:
    """Rows that are to be added, written before the commit that makes them part of it.

    Args:
        dataset: the version of the table that they are added to.
        batches: the rows; columns are matched by name, those not given are NULL.
    """

    def __init__(
        self, dataset: lance.LanceDataset, batches: Iterator[pa.RecordBatch]
    ) -> None:
        self._dataset = dataset
        self._batches = batches
        self._relay: Relay | None = None
        self._broken: BaseException | None = None

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return self._relay.rows if self._relay is not None else 0

    @property
    def failure(self) -> BaseException | None:
        """The exception that reading the rows raised, if it did."""
        return self._broken or (self._relay.failure if self._relay else None)

    def write(self) -> list[FragmentMetadata]:
        """Write the rows into new files and return these; none for no rows."""
        try:
            first = next(self._batches, None)
        except BaseException as failure:
            self._broken = failure
            raise
        if first is None:
            return []
        kept = self._dataset.schema
        batches = chain((first,), self._batches)
        self._relay = Relay(batches, kept, fitting(first.schema, kept))
        written: list[FragmentMetadata] = write_fragments(
            self._relay.reader, self._dataset, mode="append"
        )
        return written


def together(
    changed: LanceOperation.Update | None, added: list[FragmentMetadata]
) -> Operation:
    """Return one operation for the rows that change and those that are new."""
    if not added:
        return changed
    if changed is None:
        return LanceOperation.Append(added)
    return replace(changed, new_fragments=added)


@contextmanager
def in_turn(folder: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Let one statement at a time, of all processes, look for keys and add new ones.

    Two that look at once find the same keys missing, and both would add them. Other
    writers are not held up.

    Args:
        folder: of the table.
        wait: is called while it is not our turn; may raise.

    Raises:
        FolderGone: the table is not there.
    """
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(locked(folder / _TURNS, exclusive=True, wait=False))
                break
            except FolderBusy:
                wait()
                time.sleep(_PAUSE)
        yield
