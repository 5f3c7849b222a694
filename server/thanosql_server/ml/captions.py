"""The captions of a training: written to disk as they pass, tokenised once.

Which captions are needed is known only when their pictures have been decoded, and how
they become tokens only when all their words have been counted. Until then they wait in
a file, one JSON text per line, so that memory stays bounded.
"""

from __future__ import annotations

import json
from itertools import compress, islice
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.errors import InvalidData
from thanosql_server.ml.clip_vocabulary import WordCounts
from thanosql_server.ml.spool import disk_errors, paths_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa
    from numpy.typing import NDArray
    from open_clip.tokenizer import SimpleTokenizer

    from thanosql_server.control import Control

BATCH = 1024


class Captions:
    """Takes the captions out of a stream of pairs and keeps them on disk.

    Attributes:
        words: how often each word occurs.
        without: rows that were left out because they have no caption.
    """

    def __init__(self, file: Path) -> None:
        self.words = WordCounts()
        self.without = 0
        self._path = file
        self._file = file.open("w", encoding="ascii")

    def __enter__(self) -> Captions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def paths_of(
        self, batches: Iterable[pa.RecordBatch], image_col: str, text_col: str
    ) -> Iterator[str]:
        """Yield the paths of the rows that have a path and a caption; keep the latter.

        Raises:
            UndefinedColumn, InvalidData: a column is not there or does not hold text.
        """
        for batch in batches:
            paths = paths_of([batch], image_col)
            texts = paths_of([batch], text_col, "captions")
            for path, text in zip(paths, texts, strict=True):
                if path is None or text is None or not text.strip():
                    self.without += 1
                    continue
                self.words.add(text)
                self._file.write(json.dumps(text) + "\n")
                yield path

    def tokens(
        self,
        kept: NDArray[np.bool_],
        tokenizer: SimpleTokenizer,
        file: Path,
        control: Control,
    ) -> NDArray[np.int32]:
        """Return the tokens (n, context length) of the captions, memory-mapped.

        Args:
            kept: for each caption whether it is wanted.
            tokenizer: what splits them.
            file: a new file, to be deleted by the caller after use.
            control: checked now and then.
        """
        self._file.close()
        count = 0
        with (
            disk_errors(),
            self._path.open(encoding="ascii") as lines,
            file.open("wb") as out,
        ):
            texts = (json.loads(line) for line in compress(lines, kept))
            while batch := list(islice(texts, BATCH)):
                control.check()
                out.write(tokenizer(batch).numpy().astype(np.int32).tobytes())
                count += len(batch)
        if not count:
            raise InvalidData("there are no captions to train on")
        return np.memmap(file, np.int32, "r", shape=(count, tokenizer.context_length))
