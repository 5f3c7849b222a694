from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from thanosql_server.config import Config
from thanosql_server.storage.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from thanosql_server.storage.models import ModelStore
    from thanosql_server.storage.tables import TableStore


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(Config(tmp_path / "workspace"))
    yield opened
    opened.close()


@pytest.fixture
def tables(workspace: Workspace) -> TableStore:
    return workspace.tables


@pytest.fixture
def models(workspace: Workspace) -> ModelStore:
    return workspace.models


@pytest.fixture
def numbers() -> Callable[..., pa.RecordBatchReader]:
    """Rows with an id, a text and, every third, no text; in batches of 1000."""

    def make(rows: int, start: int = 0) -> pa.RecordBatchReader:
        ids = pa.array(range(start, start + rows), pa.int64())
        texts = pa.array(
            [None if i % 3 == 0 else f"t{i}" for i in range(start, start + rows)],
            pa.string(),
        )
        return pa.table({"id": ids, "text": texts}).to_reader(1000)

    return make
