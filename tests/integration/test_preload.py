"""A server imports what its models need ahead of the first search, and only that."""

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from thanosql_server.config import Config
from thanosql_server.control import Control
from thanosql_server.engine.engine import Engine

engine = Engine(Config(workspace=Path(sys.argv[1])))
engine.preload()
print("torch" in sys.modules)
list(engine.plan("GET THANOSQL MODEL demo_clip").run(Control()))
print("torch" in sys.modules)
engine.preload()
print("open_clip" in sys.modules)
engine.close()
"""


def test_preload_imports_the_code_of_the_models_that_are_there(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False", "True"]
