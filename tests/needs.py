"""Marks of tests that need what not every machine has."""

from __future__ import annotations

from importlib.util import find_spec
from shutil import which

import pytest

NEEDS_HNSWLIB = pytest.mark.skipif(
    find_spec("hnswlib") is None,
    reason="hnswlib is not installed; it is built with a C++ compiler",
)

NEEDS_CALAMINE = pytest.mark.skipif(
    find_spec("python_calamine") is None,
    reason="python-calamine is not installed; pip install 'thanosql-flight[xlsx]'",
)

NEEDS_MOTO = pytest.mark.skipif(
    which("moto_server") is None,
    reason="moto_server is not on the PATH; pip install 'moto[server]'",
)
