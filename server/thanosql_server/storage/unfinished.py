"""Embeddings of statements that have not committed yet, kept for the next attempt.

A CONVERT appends what it has embedded to a file under `.thanosql/unfinished`, and takes
its column from there when all is done. If it is killed or cancelled before, the same
statement finds the file and goes on from it. Tables show nothing of this.

A record is an origin (see `Table.origins`), a CRC-32 and a vector. A record is looked
up by its origin alone, which holds the picture's path, size, time and model: what has
changed since is not found. Records are read up to the first that is torn or damaged.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.errors import Conflict, ResourceExhausted
from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked
from thanosql_server.storage.scratch import remove_old, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_CHECKED_AT_ONCE = 4096


class Unfinished:
    """All interrupted statements' embeddings of a workspace.

    Args:
        folder: where they are; those that nobody came back for are removed now.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        remove_old(folder)

    @contextmanager
    def held(self, table: str, *what: str, dim: int) -> Iterator[SavedEmbeddings]:
        """Give the embeddings saved for a statement; keep others from making the same.

        They are removed if the block ends without an exception.

        Args:
            table: the table's name.
            what: what else tells the statement from others: column, model.
            dim: numbers per embedding.

        Raises:
            Conflict: another statement is making them now.
            ResourceExhausted: the disk is full, here or in the block.
        """
        folder = self._of(table, *what, str(dim))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(folder, exclusive=True, wait=False), _full_disk():
                os.utime(folder)
                with SavedEmbeddings.open(folder / "embeddings", dim) as saved:
                    try:
                        yield saved
                    except BaseException:
                        if not len(saved):
                            remove_tree(folder)
                        raise
                remove_tree(folder)
        except (FolderBusy, FolderGone):
            raise Conflict(
                f"another statement converts table '{table}' right now; wait for it, "
                "or run the statement again"
            ) from None

    def drop(self, table: str, *what: str, dim: int) -> None:
        """Remove what was saved for rows that have been committed since.

        Arguments are as for `held`; while the statement runs, nothing is done.
        """
        folder = self._of(table, *what, str(dim))
        with (
            contextlib.suppress(FolderBusy, FolderGone),
            locked(folder, exclusive=True, wait=False),
        ):
            remove_tree(folder)

    def _of(self, *identity: str) -> Path:
        key = "\0".join(identity).encode()
        return self._folder / hashlib.sha256(key).hexdigest()[:32]


class SavedEmbeddings:
    """One file of records, in memory only as far as it is read."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self._record = np.dtype(
            [("crc", "<u4"), ("origin", "<u8"), ("vector", "<f4", (dim,))]
        )
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._count = 0
        self._known: NDArray[np.uint64] = np.empty(0, np.uint64)

    @classmethod
    @contextmanager
    def open(cls, path: Path, dim: int) -> Iterator[SavedEmbeddings]:
        """Give the records in the file, sound ones only."""
        saved = cls(path, dim)
        try:
            saved._known = np.concatenate([*saved._sound(), saved._known])
            saved._count = len(saved._known)
            saved._truncate()
            yield saved
        finally:
            os.close(saved._file)

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget all records."""
        self._count, self._known = 0, self._known[:0]
        self._truncate()

    def find(self, origins: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the numbers of records with these origins, -1 where there is none.

        Records that were appended since the file was opened are not found.
        """
        found = np.full(len(origins), -1, np.int64)
        if len(self._known):
            order = np.argsort(self._known, kind="stable")
            places = np.searchsorted(self._known, origins, sorter=order)
            candidates = order[np.minimum(places, len(order) - 1)]
            same = self._known[candidates] == origins
            found[same] = candidates[same]
        return found

    def append(
        self, origins: NDArray[np.uint64], vectors: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Save vectors (n, dim); return the numbers of their records."""
        records = np.zeros(len(origins), self._record)
        records["origin"], records["vector"] = origins, vectors
        for record in records:
            record["crc"] = _crc(record)
        _write(self._file, records.tobytes())
        first, self._count = self._count, self._count + len(records)
        return np.arange(first, self._count)

    def vectors(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (n, dim) of records."""
        if not len(numbers):
            return np.empty((0, *self._record["vector"].shape), np.float32)
        records = np.memmap(self._path, self._record, "r", shape=(self._count,))
        vectors: NDArray[np.float32] = records["vector"][numbers]
        return vectors

    def _sound(self) -> Iterator[NDArray[np.uint64]]:
        """Yield the origins of the records, up to the first damaged one."""
        size = self._record.itemsize
        whole = os.fstat(self._file).st_size // size
        for start in range(0, whole, _CHECKED_AT_ONCE):
            count = min(_CHECKED_AT_ONCE, whole - start)
            data = os.pread(self._file, count * size, start * size)
            records = np.frombuffer(data, self._record)
            sound = [_crc(record) == record["crc"] for record in records]
            good = count if all(sound) else sound.index(False)
            yield records["origin"][:good]
            if good < count:
                return

    def _truncate(self) -> None:
        end = self._count * self._record.itemsize
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)


def _crc(record: np.void) -> int:
    return zlib.crc32(record.tobytes()[4:])


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourceExhausted(
            "the server's disk is full, which stopped the embedding; what was embedded "
            "is kept for the next try"
        ) from None
