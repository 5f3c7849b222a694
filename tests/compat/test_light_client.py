"""The base install, in an environment of its own: a client without the server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thanosql_server.app import serve_embedded

ROOT = Path(__file__).parents[2]
HEAVY = [
    "torch",
    "lightning",
    "datafusion",
    "lance",
    "sqlglot",
    "numpy",
    "pandas",
    "sqlalchemy",
]

QUERY = f"""
import importlib.util, sys, thanosql
heavy = [name for name in {HEAVY} if importlib.util.find_spec(name)]
assert not heavy, heavy
with thanosql.connect(sys.argv[1], token=sys.argv[2]) as connection:
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, NULL)) v(x, y)"
    )
    cursor.execute("SELECT * FROM t WHERE x >= ? ORDER BY x", (1,))
    print([column[0] for column in cursor.description], cursor.fetchall())
    try:
        cursor.execute("SELECT z FROM t")
    except thanosql.ProgrammingError as error:
        print(error)
"""

EMBEDDED = """
import thanosql
try:
    thanosql.connect("./workspace")
except thanosql.InterfaceError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment that holds the base install only."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    interpreter = folder / "bin" / "python"
    subprocess.run(
        [
            interpreter,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--constraint",
            ROOT / "constraints.txt",
            ROOT,
        ],
        check=True,
    )
    return interpreter


@pytest.fixture
def run(python, tmp_path):
    def script(text, *arguments):
        # Nothing of this environment may leak into the new one.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-c", text, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return script


def test_the_base_install_is_a_working_client_and_nothing_heavy(run, tmp_path):
    server = serve_embedded(str(tmp_path / "workspace"))
    try:
        rows, error = run(QUERY, server.location, server.token)
    finally:
        server.close()
    assert rows == "['x', 'y'] [(1, 'a'), (2, None)]"
    assert error == "there is no column 'z'; there are x, y (line 1, column 8)"


def test_without_the_server_a_folder_says_what_to_install(run):
    (error,) = run(EMBEDDED)
    assert "the server is not installed here" in error
    assert "pip install 'thanosql-flight[server]'" in error
