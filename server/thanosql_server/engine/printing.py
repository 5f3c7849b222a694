"""PRINT: the files of the rows, read as the rows go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import ThanoSQLError
from thanosql_server.ml.families import IMAGE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from thanosql_server.control import Control
    from thanosql_server.sql.nodes import Medium
    from thanosql_server.storage.paths import PathPolicy

MAX_FILE_BYTES = 64 << 20
"""A larger file is not printed: one value travels in one message."""

BATCH_BYTES = 1 << 20
"""A batch goes out when its files have so many bytes, whatever its rows."""


@dataclass(frozen=True)
class Kind:
    """What PRINT does with one medium.

    Attributes:
        word: what messages call such a file.
        column: name of the column that PRINT adds.
        metadata: tells clients what the column's bytes are.
        options: names of the option for the path column; the first is the usual one.
        path_columns: where the paths are without the option, the first that is there.
    """

    word: str
    column: str
    metadata: bytes
    options: tuple[str, str]
    path_columns: tuple[str, ...]


KINDS: dict[Medium, Kind] = {
    "IMAGE": Kind(
        "picture", "picture", b"image", ("image_col", "image_column"), IMAGE_COLUMNS
    ),
    "AUDIO": Kind(
        "audio file",
        "audio",
        b"audio",
        ("audio_col", "audio_column"),
        ("audio_path", "audio", "filepath", "path"),
    ),
    "VIDEO": Kind(
        "video",
        "video",
        b"video",
        ("video_col", "video_column"),
        ("video_path", "video", "filepath", "path"),
    ),
}


@dataclass(frozen=True)
class Printed:
    """The column that a PRINT adds: `name` holds the files at `path_column`."""

    kind: Kind
    name: str
    path_column: str

    def announced(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of the result, this one marked for clients."""
        metadata = {
            b"thanosql:media": self.kind.metadata,
            b"thanosql:path": self.path_column.encode(),
        }
        field = pa.field(self.name, pa.binary(), metadata=metadata)
        return schema.set(schema.get_field_index(self.name), field)

    def with_files(
        self,
        batches: Iterator[pa.RecordBatch | None],
        paths: PathPolicy,
        control: Control,
    ) -> Iterator[pa.RecordBatch | None]:
        """Put files in the place of their paths, a few rows at a time.

        Args:
            batches: rows whose column `name` holds the path as UTF-8 bytes; None, which
                is handed on, while there are none yet.
            paths: says which files may be read.
            control: gets a warning for each file that cannot be read, whose value is
                NULL.
        """
        for batch in batches:
            if batch is None or not batch.num_rows:
                yield batch
            else:
                yield from self._parts(batch, paths, control)

    def _parts(
        self, batch: pa.RecordBatch, paths: PathPolicy, control: Control
    ) -> Iterator[pa.RecordBatch]:
        place = batch.schema.get_field_index(self.name)
        field = batch.schema.field(place)
        files: list[bytes | None] = []
        start = size = 0
        for end, shown in enumerate(batch.column(place).to_pylist(), start=1):
            control.check()
            files.append(None if shown is None else self._read(shown, paths, control))
            size += len(files[-1] or b"")
            if size >= BATCH_BYTES or end == batch.num_rows:
                part = batch.slice(start, end - start)
                yield part.set_column(place, field, pa.array(files, pa.binary()))
                files, start, size = [], end, 0

    def _read(self, shown: bytes, paths: PathPolicy, control: Control) -> bytes | None:
        text = shown.decode()
        try:
            return self._content(paths.existing_file(text), text, control)
        except ThanoSQLError as error:
            control.warn(error.message)
        except OSError:
            control.warn(f"the {self.kind.word} '{text}' could not be read")
        return None

    def _content(self, path: Path, text: str, control: Control) -> bytes | None:
        with path.open("rb") as file:
            # One byte more tells that there is more, whatever a file's size was before.
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) <= MAX_FILE_BYTES:
            return content
        control.warn(
            f"the {self.kind.word} '{text}' is larger than {MAX_FILE_BYTES >> 20} MiB, "
            "which is the most that PRINT hands over"
        )
        return None
