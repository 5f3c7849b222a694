"""The examples of docs/sql.md about ON CONFLICT run as they are printed."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "sql.md"


def test_the_examples_of_on_conflict_run(empty_cursor):
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("\n### ON CONFLICT\n")[1].split("\n### ")[0]
    made, *others = re.findall(r"```sql\n(.*?)\n```", section, re.DOTALL)
    empty_cursor.execute(made)
    counts = [empty_cursor.execute(sql).rowcount for sql in others + others]
    assert counts == [1, 100, 1, 1, 0, 0]
