"""A writer for tests to kill: `child.py WORKSPACE ACTION STEPS`.

It writes `ready` after so many steps in the middle of its work, then waits.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from thanosql_server.config import Config
from thanosql_server.errors import Conflict
from thanosql_server.storage.alterations import drop_column, rename_column
from thanosql_server.storage.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thanosql_server.storage.table import Table

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


def chosen(table: Table, steps: int, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield every second row, `steps` batches of them, then wait."""
    scan = table.scan(names, row_ids=True, batch_rows=256)
    for step, batch in enumerate(scan):
        if step == steps:
            wait()
        yield batch.take(pa.array(range(0, batch.num_rows, 2)))
    wait()


def changing(workspace: Workspace) -> None:
    """Move all rows of `t` on by one, take one away, put one more in, for ever."""
    start = pa.table({"x": pa.array([0] * 3000)})
    workspace.tables.create("t", start.to_reader(500), overwrite=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(1, 10_000):
        table = workspace.tables.open("t")
        new = (
            batch.set_column(0, "x", pa.array([number] * batch.num_rows))
            for batch in table.scan(["x"], row_ids=True)
        )
        table.update(["x"], new)
        workspace.tables.append("t", pa.table({"x": [number]}).to_reader())
        table = workspace.tables.open("t")
        first = next(iter(table.scan([], row_ids=True, limit=1)))
        table.delete(iter([first]))


def counting(workspace: Workspace, steps: int) -> None:
    """Add one to every row, so many times, whatever another process does meanwhile."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while steps:
        table = workspace.tables.open("t")
        more = (
            batch.set_column(0, "id", pc.add(batch["id"], 1))
            for batch in table.scan(["id"], row_ids=True)
        )
        try:
            table.update(["id"], more)
        except Conflict:
            continue
        steps -= 1


def altering(workspace: Workspace) -> None:
    """Add, rename and drop a column, and rename the table, for ever."""
    start = pa.table({"x": pa.array(range(3000))})
    workspace.tables.create("t", start.to_reader(500), overwrite=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(10_000):
        table = workspace.tables.open("t")
        table.add_column(pa.field("y", pa.int64()), iter([pa.array([number] * 3000)]))
        workspace.tables.open("t").alter(lambda one: rename_column(one, "y", "z"))
        workspace.tables.open("t").alter(lambda one: drop_column(one, "z"))
        workspace.tables.rename("t", "u")
        workspace.tables.rename("u", "t")
        workspace.tables.define("d", SCHEMA, overwrite=True)


def forever(workspace: Workspace) -> None:
    """Replace a table again and again; its rows all hold the same number."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(10_000):
        table = pa.table({"x": pa.array([number] * 3000)})
        workspace.tables.create("t", table.to_reader(500), overwrite=True)


def change(table: Table, action: str, steps: int) -> None:
    if action == "add_column":
        table.add_column(pa.field("vector", VECTOR), vectors(steps))
    elif action == "replace_column":
        table.add_column(pa.field("text", VECTOR), vectors(steps))
    elif action == "delete":
        table.delete(chosen(table, steps, []))
    elif action == "update":
        table.update(["text"], chosen(table, steps, ["text"]))


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
    elif action == "model":
        with workspace.models.create("m", overwrite=True) as staged:
            (staged / "config.json").write_text('{"dim": 2}')
            for step in range(steps):
                (staged / f"{step}.bin").write_bytes(bytes(1000))
            wait()
    elif action == "forever":
        forever(workspace)
    elif action == "changing":
        changing(workspace)
    elif action == "counting":
        counting(workspace, steps)
    elif action == "altering":
        altering(workspace)
    else:
        change(workspace.tables.open("t"), action, steps)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
