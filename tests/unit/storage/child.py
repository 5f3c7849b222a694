"""A writer for tests to kill: `child.py WORKSPACE ACTION STEPS`.

It writes `ready` after so many steps in the middle of its work, then waits.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.config import Config
from thanosql_server.storage.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])
VECTOR = pa.list_(pa.float32(), 16)


def wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(60)


def batches(steps: int) -> Iterator[pa.RecordBatch]:
    for step in range(steps):
        ids = pa.array(range(step * 5000, step * 5000 + 5000), pa.int64())
        yield pa.record_batch([ids, ids.cast(pa.string())], schema=SCHEMA)
    wait()


def vectors(steps: int) -> Iterator[pa.Array]:
    for _ in range(steps):
        yield pa.array([[0.5] * 16] * 400, VECTOR)
    wait()


def forever(workspace: Workspace) -> None:
    """Replace a table again and again; its rows all hold the same number."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(10_000):
        table = pa.table({"x": pa.array([number] * 3000)})
        workspace.tables.create("t", table.to_reader(500), overwrite=True)


def main(folder: str, action: str, steps: int) -> None:
    workspace = Workspace.open(Config(Path(folder)))
    if action == "create":
        reader = pa.RecordBatchReader.from_batches(SCHEMA, batches(steps))
        workspace.tables.create("new", reader)
    elif action == "overwrite":
        reader = pa.RecordBatchReader.from_batches(SCHEMA, batches(steps))
        workspace.tables.create("t", reader, overwrite=True)
    elif action == "append":
        reader = pa.RecordBatchReader.from_batches(SCHEMA, batches(steps))
        workspace.tables.append("t", reader)
    elif action == "add_column":
        field = pa.field("vector", VECTOR)
        workspace.tables.open("t").add_column(field, vectors(steps))
    elif action == "replace_column":
        field = pa.field("text", VECTOR)
        workspace.tables.open("t").add_column(field, vectors(steps))
    elif action == "model":
        with workspace.models.create("m", overwrite=True) as staged:
            (staged / "config.json").write_text('{"dim": 2}')
            for step in range(steps):
                (staged / f"{step}.bin").write_bytes(bytes(1000))
            wait()
    elif action == "forever":
        forever(workspace)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
