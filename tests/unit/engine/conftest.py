import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.config import Config
from thanosql_server.control import Control
from thanosql_server.engine.engine import Engine
from thanosql_server.engine.session import Contexts
from thanosql_server.storage.workspace import Workspace

ROWS, DIM = 1000, 8


class Runner:
    """Runs statements on an engine the way the Flight layer does."""

    def __init__(self, folder):
        self.config = Config(workspace=folder, memory_limit=256 << 20)
        self.engine = Engine(self.config)
        self.workspace = Workspace.open(self.config)
        self.contexts = Contexts(self.config, self.workspace.spill_folder)

    def __call__(self, sql, *parameters, control=None):
        values = [pa.scalar(value) for value in parameters] if parameters else None
        plan = self.engine.plan(sql, values)
        batches = [b for b in plan.run(control or Control()) if b is not None]
        return (
            pa.Table.from_batches(batches, plan.schema) if plan.returns_rows else None
        )

    def rows(self, sql, *parameters):
        return [tuple(row.values()) for row in self(sql, *parameters).to_pylist()]


@pytest.fixture
def run(tmp_path):
    return Runner(tmp_path)


def vectors(rows=ROWS, dim=DIM, seed=0):
    matrix = np.random.default_rng(seed).standard_normal((rows, dim)).astype("f4")
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.fixture
def numbers(run):
    """The engine with a table `t` of 1,000 rows: id, cat, name and a vector e."""
    matrix = vectors()
    table = pa.table(
        {
            "id": np.arange(ROWS),
            "cat": np.arange(ROWS) % 7,
            "name": [f"n{i % 50}" for i in range(ROWS)],
            "e": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), DIM),
        }
    )
    run.workspace.tables.create("t", table.to_reader(max_chunksize=100))
    return run
