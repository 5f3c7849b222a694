"""What the suites of others share: an environment of their own, a server, a bar."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import thanosql

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-compat"
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
PATIENCE = 120.0
"""Seconds until a server must listen."""
LONGEST = 3600
"""Seconds that a suite may take."""


def environment(name: str, requirements: list[str]) -> str:
    """Return the Python of an environment with the client and some other packages.

    It is made anew when the requirements have changed. The client is the one of this
    working tree, as it is now.
    """
    folder = HOME / name
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    wanted = hashlib.sha256(repr((requirements, sys.version)).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements, "--editable", ROOT], check=True)
        stamp.write_text(wanted)
    return str(python)


@contextlib.contextmanager
def serving() -> Iterator[tuple[str, thanosql.Connection]]:
    """Start a server on a fresh workspace; give its URL and a connection."""
    with tempfile.TemporaryDirectory(prefix="thanosql-compat-") as folder:
        token = Path(folder, "token")
        token.write_text(secrets.token_urlsafe(24))
        log = Path(folder, "log")
        workspace = Path(folder, "workspace")
        workspace.mkdir()
        command = [
            *(sys.executable, "-c", SERVE, "serve", "--workspace", workspace),
            *("--port", "0", "--token-file", token),
        ]
        with log.open("w") as output:
            server = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
            )
        try:
            location = _location(server, log)
            secret = token.read_text().strip()
            with thanosql.connect(location, token=secret) as connection:
                address = location.partition("://")[2]
                yield f"thanosql://:{secret}@{address}/", connection
        finally:
            server.terminate()
            server.wait(60)


def run(command: list[str], folder: Path) -> str:
    """Run a suite, show what it prints, and return it."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    process.wait(LONGEST)
    return "".join(lines)


def bar(
    name: str, value: int, *, at_most: int | None = None, at_least: int | None = None
) -> bool:
    """Print how a value compares with its bar; return whether it is met."""
    limit = at_least if at_most is None else at_most
    assert limit is not None
    met = value <= limit if at_least is None else value >= limit
    print(f"bar {name}: {value} (limit {limit}) {'ok' if met else 'short'}", flush=True)
    return met


def _location(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"serves .* at (grpc\S+)\n", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")
