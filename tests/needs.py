"""Marks of tests that need what not every machine has."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

NEEDS_HNSWLIB = pytest.mark.skipif(
    find_spec("hnswlib") is None,
    reason="hnswlib is not installed; it is built with a C++ compiler",
)
