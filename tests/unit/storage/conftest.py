from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.hub_server import HubServer
from tests.unit.storage.hub_place import FILES, Place, write_files
from thanosql_server.config import Config
from thanosql_server.storage.hub_writer import write_manifest
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


@pytest.fixture
def hub(tmp_path):
    """A folder with the data set `letters` and the model `encoder`."""
    folder = tmp_path / "hub"
    write_files(folder / "datasets" / "letters", FILES)
    config = json.dumps({"family": "SimCLR", "dim": 4}).encode()
    write_files(
        folder / "models" / "encoder",
        {"config.json": config, "weights.safetensors": b"weights"},
    )
    write_manifest(folder)
    return folder


@pytest.fixture
def server(hub):
    server = HubServer(hub)
    yield server
    server.close()


@pytest.fixture
def open_place(tmp_path):
    places = []

    def open_(*locations, name="workspace", **options):
        places.append(Place(tmp_path / name, *locations, **options))
        return places[-1]

    yield open_
    for place in places:
        place.scratch.close()


@pytest.fixture
def place(open_place, hub):
    return open_place(str(hub))


@pytest.fixture
def remote(open_place, server):
    return open_place(server.address)
