"""Run the light client with old and new pyarrow on each Python that is here.

The server runs in this environment; each client in one of its own, with the sources
of the driver, and with or without the libraries that it can make use of.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from surroundings import ROOT, environment, python_of, running_server, verdict

OLD = ("pyarrow==16.1", "protobuf==4.25.3")
CLIENTS = {
    (3, 10): {
        "old": (*OLD, "numpy<2"),
        "superset": (*OLD[1:], "pyarrow==18.1", "numpy<2.3", "pandas<2.2"),
    },
    (3, 11): {"bare": ("pyarrow", "protobuf")},
    (3, 12): {"old": (*OLD, "numpy<2", "pandas<2.2", "polars<1")},
    (3, 13): {"new": ("pyarrow", "protobuf", "numpy", "pandas", "polars")},
}
"""Packages of the clients, by the version of Python."""

PROTOBUF = "ignore:Type google._upb:DeprecationWarning"
"""Python 3.12 warns of the C code in protobuf 4."""


def main():
    """Run every client that has its Python here."""
    script = Path(__file__).with_name("round_trip.py")
    missing, failed, count = [], 0, 0
    with running_server() as address:
        for version, clients in CLIENTS.items():
            python = _python(*version)
            if python is None:
                missing.append(".".join(map(str, version)))
                continue
            for name, packages in clients.items():
                folder = f"client-{version[0]}.{version[1]}-{name}"
                interpreter = environment(folder, *packages, python=python)
                count += 1
                failed += _fails(interpreter, script, address)
    if missing:
        print(f"not run: Python {', '.join(missing)} is not here")
    print(f"clients: {count}")
    verdict("old-clients-failed", failed, 0)


def _python(major, minor):
    """Return a Python of just this version, None if there is none."""
    python = python_of(major, minor)
    if python is None:
        return None
    code = f"import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))"
    exact = not subprocess.run([python, "-c", code], capture_output=True).returncode
    return python if exact else _installed(major, minor)


def _installed(major, minor):
    """Return the Python of this version that pyenv has, None if there is none."""
    folders = (Path.home() / ".pyenv" / "versions").glob(f"{major}.{minor}.*")
    found = (folder / "bin" / f"python{major}.{minor}" for folder in folders)
    return next((str(python) for python in found if python.exists()), None)


def _fails(interpreter, script, address):
    paths = f"{ROOT / 'driver'}:{ROOT / 'proto'}"
    done = subprocess.run(
        [interpreter, "-W", "error", "-W", PROTOBUF, script, *address],
        env={"PYTHONPATH": paths},
    )
    return done.returncode != 0


if __name__ == "__main__":
    main()
