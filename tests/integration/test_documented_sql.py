"""The examples of docs/sql.md about texts and functions run as they are printed."""

import re
from pathlib import Path

import pytest

from tests.needs import NEEDS_HNSWLIB

SCENES = ("demo_clip", "scenes", "thanosql.generated")
DOCUMENT = Path(__file__).parents[2] / "docs" / "sql.md"


def examples(heading):
    """Return the statements of a section that are about the scenes."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sql\n(.*?)\n```", section, re.DOTALL)
    return [block for block in blocks if any(word in block for word in SCENES)]


@pytest.mark.parametrize(
    ("heading", "tables", "count"),
    [
        ("SEARCH", ("captions",), 4),
        ("search_many", (), 2),
        ("Functions", ("described",), 6),
        ("Generated columns", ("album",), 7),
        pytest.param("CREATE INDEX", (), 4, marks=NEEDS_HNSWLIB),
    ],
)
def test_the_examples_run(scenes, heading, tables, count):
    statements = examples(heading)
    assert len(statements) == count
    for sql in statements:
        scenes.execute(sql)
        if scenes.description:
            assert scenes.fetch_arrow_table().num_columns
    for table in tables:
        scenes.execute(f"DROP TABLE {table}")
