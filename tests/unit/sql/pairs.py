"""Reads the before/after pairs and the lists of statements under fixtures/."""

import re
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
_PAIR = re.compile(
    r"-- rule: (.*)\n-- before\n((?:.|\n)*?)\n-- after\n((?:.|\n)*?)\n\Z"
)


def pairs(name):
    """Return one parameter set (before, after) per rule of a fixture file."""
    text = (FIXTURES / name).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=-- rule: )", text)
    found = [_PAIR.match(block.rstrip("\n") + "\n") for block in blocks]
    return [pytest.param(one[2], one[3], id=one[1]) for one in found]


def statements(name, heading):
    """Return (what stands behind the heading, statement) for a fixture file."""
    text = (FIXTURES / name).read_text(encoding="utf-8")
    blocks = text.split(f"-- {heading}: ")[1:]
    return [tuple(block.rstrip("\n").split("\n", 1)) for block in blocks]
