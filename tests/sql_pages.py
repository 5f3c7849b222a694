"""The pages of docs/sql: their sections, examples and grammars."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "sql").glob("*.md"))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def headings(page):
    """Return the headings of the second level, in order."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def section(page, heading):
    """Return the text of a section, up to the next heading of its level."""
    text = page.read_text(encoding="utf-8")
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def examples(page):
    """Return the statements of a page's examples, in order."""
    blocks = _FENCE.findall(section(page, "Example"))
    return [text.strip() for language, text in blocks if language == "sql"]


def forms(page):
    """Return the forms of a page's grammar; lines that go on are set in."""
    [(_, grammar), *_] = _FENCE.findall(section(page, "Grammar"))
    return [" ".join(form.split()) for form in re.split(r"\n(?=[^\s)])", grammar)]
