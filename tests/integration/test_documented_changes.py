"""The counts that the examples of docs/sql/insert_on_conflict.md return."""

from tests.sql_pages import DOCS, examples


def test_the_examples_of_on_conflict_run(empty_cursor):
    made, *others = examples(DOCS / "sql" / "insert_on_conflict.md")
    empty_cursor.execute(made)
    counts = [empty_cursor.execute(sql).rowcount for sql in others + others]
    assert counts == [1, 100, 1, 1, 0, 0]
