"""Small fragments of a table become few, behind the backs of those who use it.

The rows stay as they are, and in their order; only their row ids change. That is a
commit of its own, for which nobody waits: the files are written beside those that are
there, and the commit is given up where others have changed the same rows meanwhile, or
are about to. Statements that know rows by their ids say so (see `rows_in_place`).
Versions before stay as they were.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import lance
from lance.fragment import write_fragments

from thanosql_server.errors import Cancelled, Conflict, InternalError
from thanosql_server.storage.faults import Relay, translated
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.merging import RATIO, Size, runs_to_merge
from thanosql_server.storage.newest import NEWEST
from thanosql_server.storage.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa
    from lance.fragment import FragmentMetadata

TRIES, PAUSE_SECONDS = 20, 0.01
"""How often, and how far apart, a moment is looked for when no row is in use."""

_ROWS, _DATA = "_versions", "data"
"""Folders of a table whose locks stand for its rows' ids, and for merging it."""


@dataclass(frozen=True)
class Compacted:
    """What was done to a table: so many fragments became so few."""

    before: int = 0
    after: int = 0


@contextmanager
def rows_in_place(folder: Path) -> Iterator[None]:
    """Keep the rows of a table at their ids meanwhile; many may do so at a time.

    Raises:
        FolderGone: there is no such table.
    """
    with locked(folder / _ROWS):
        yield


@contextmanager
def locked_alone(folder: Path) -> Iterator[None]:
    """Lock a table against all others; wait for those only who merge its fragments.

    Raises:
        FolderGone: there is no such table.
        FolderBusy: a statement is writing to it.
    """
    merging = True
    while True:
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(folder, exclusive=True, wait=False))
            except FolderBusy:
                # Once more when it is over: it may just have been that.
                if not merging:
                    raise
                merging = _is_merging(folder)
                time.sleep(PAUSE_SECONDS)
                continue
            yield
            return


def _is_merging(folder: Path) -> bool:
    try:
        with locked(folder / _DATA, wait=False):
            return False
    except FolderBusy:
        return True
    except FolderGone:
        return False


def compact(
    name: str,
    folder: Path,
    fewest: int,
    check: Callable[[], None],
    ratio: int = RATIO,
) -> Compacted:
    """Merge what is worth merging, in one commit; nothing if somebody else does.

    Memory: a few batches of rows, whatever the size of the table.

    Args:
        name: the table's name, for errors.
        folder: the table's folder.
        fewest: small fragments that are worth it.
        check: called between batches; what it raises stops the work.
        ratio: how much larger than all behind it a fragment may be (see `merging`).

    Raises:
        Conflict: others have changed or are changing the same rows.
    """
    try:
        with ExitStack() as locks:
            locks.enter_context(locked(folder))
            locks.enter_context(locked(folder / _DATA, exclusive=True, wait=False))
            return _Compaction(name, folder, check).run(fewest, ratio)
    except (FolderGone, FolderBusy):
        return Compacted()


@dataclass(frozen=True)
class _Compaction:
    """One table, whose locks are held."""

    name: str
    folder: Path
    check: Callable[[], None]

    def run(self, fewest: int, ratio: int) -> Compacted:
        with translated("opening", self.name):
            dataset = NEWEST.open(self.folder)
            fragments = [one.metadata for one in dataset.get_fragments()]
        runs = runs_to_merge([_size(one) for one in fragments], fewest, ratio)
        groups: list[lance.LanceOperation.RewriteGroup] = []
        written: list[FragmentMetadata] = []
        try:
            for run in runs:
                old = [fragments[place] for place in run]
                new = self._written(dataset, old)
                written += new
                groups.append(lance.LanceOperation.RewriteGroup(old, new))
            if groups:
                self._commit(dataset, lance.LanceOperation.Rewrite(groups, []))
        except (Conflict, Cancelled):  # of these it is known that nothing was done
            self._discard(written)
            raise
        fewer = sum(map(len, runs)) - len(written)
        return Compacted(len(fragments), len(fragments) - fewer)

    def _discard(self, written: list[FragmentMetadata]) -> None:
        for fragment in written:
            for file in fragment.files:
                with suppress(OSError):
                    (self.folder / _DATA / file.path).unlink()

    def _written(
        self, dataset: lance.LanceDataset, old: list[FragmentMetadata]
    ) -> list[FragmentMetadata]:
        """Write the rows of some fragments anew; the files belong to no version yet.

        The new fragments take over the last numbers of the old ones, since Lance keeps
        fragments in the order of their numbers.
        """
        numbers = [one.id for one in old]
        scan = Scan(dataset, dataset.schema.names, fragments=frozenset(numbers))

        def rows() -> Iterator[pa.RecordBatch]:
            for batch in scan.batches():
                self.check()
                yield batch

        source = Relay(rows(), dataset.schema)
        with translated("merging fragments of", self.name, source):
            new = write_fragments(source.reader, dataset, mode="append")
        if len(new) > len(old):
            raise InternalError(f"merging made {len(new)} fragments of {len(old)}")
        last = numbers[len(numbers) - len(new) :]
        return [replace(one, id=number) for one, number in zip(new, last, strict=True)]

    def _commit(
        self, dataset: lance.LanceDataset, operation: lance.LanceOperation.Rewrite
    ) -> None:
        """Commit in a moment when nobody knows rows by their ids."""
        for left in range(TRIES, 0, -1):
            try:
                with (
                    locked(self.folder / _ROWS, exclusive=True, wait=False),
                    translated("merging fragments of", self.name),
                ):
                    NEWEST.commit(self.folder, dataset, operation)
                return
            except FolderBusy:
                if left == 1:
                    raise Conflict(
                        f"the rows of table '{self.name}' are in use; try again"
                    ) from None
                time.sleep(PAUSE_SECONDS)


def _size(fragment: FragmentMetadata) -> Size:
    return Size(fragment.num_rows, fragment.physical_rows - fragment.num_rows)
