"""What the suites of others need: an environment of their own, a server, a verdict."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".venv-compat"
PATIENCE = 120.0


def environment(name, *packages, python=None):
    """Make a virtual environment with these packages and return its Python."""
    folder = ENVIRONMENTS / name
    wanted = "\n".join(packages)
    installed = folder / "packages.txt"
    executable = folder / "bin" / "python"
    if not installed.exists() or installed.read_text("utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python or sys.executable, "-m", "venv", folder], check=True)
        pip = [executable, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *packages], check=True)
        installed.write_text(wanted, "utf-8")
    return executable


def python_of(major, minor):
    """Return a Python of this version or a later one, None if there is none."""
    if sys.version_info >= (major, minor):
        return sys.executable
    names = [f"python{major}.{minor + newer}" for newer in range(4)]
    pyenv = Path.home() / ".pyenv" / "versions"
    places = [None, *(folder / "bin" for folder in sorted(pyenv.glob(f"{major}.*")))]
    found = (shutil.which(name, path=place) for place in places for name in names)
    return next((one for one in found if one and _runs(one)), None)


def _runs(python):
    """Return whether it is one: pyenv has stand-ins for versions not in use."""
    return not subprocess.run([python, "-c", ""], capture_output=True).returncode


@contextlib.contextmanager
def running_server():
    """Serve an empty workspace; yields (location, token)."""
    code = "import sys; from thanosql.cli import main; sys.exit(main())"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        workspace = Path(folder, "workspace")
        command = [sys.executable, "-c", code, "serve", "--workspace", workspace]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--port", "0"], stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield _told(process, log)
        finally:
            process.terminate()
            process.wait()


def _told(process, log):
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        text = log.read_text("utf-8")
        token = re.search(r"^token: (\S+)$", text, re.MULTILINE)
        if token:
            return re.search(r" at (grpc\S+)\n", text)[1], token[1]
        time.sleep(0.05)
    sys.exit(f"the server did not start:\n{log.read_text('utf-8')}")


def skip(sentence):
    """End the script without a verdict, saying what is missing."""
    print(f"skipped: {sentence}")
    sys.exit(0)


def verdict(name, value, limit, *, at_least=False):
    """Print the closing line and end the script."""
    met = value >= limit if at_least else value <= limit
    print(f"bar {name}: {value} (limit {limit}) {'ok' if met else 'short'}")
    sys.exit(not met)
