import datetime

import pyarrow as pa
import pytest

from thanosql.table import MAX_CELL, format_cell, format_table, text_width


def test_columns_are_aligned_and_counted():
    table = pa.table({"n": [1, 20, None], "word": ["a", None, "abc"]})
    assert format_table(table).splitlines() == [
        " n   | word",
        "-----+-----",
        "   1 | a",
        "  20 | NULL",
        "NULL | abc",
        "(3 rows)",
    ]


def test_wide_characters_take_two_columns():
    table = pa.table({"이름": ["고양이", "cat"], "n": [1, 2]})
    lines = format_table(table).splitlines()
    assert lines[2:4] == ["고양이 | 1", "cat    | 2"]
    assert {text_width(line) for line in lines[1:4]} == {10}


def test_only_the_first_rows_are_shown():
    text = format_table(pa.table({"n": range(1_000)}), max_rows=2)
    assert text.splitlines()[-2:] == ["1", "(first 2 of 1,000 rows)"]


def test_an_empty_table_shows_its_columns():
    table = pa.table({"n": pa.array([], pa.int64())})
    assert format_table(table) == "n\n-\n(0 rows)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0.1 + 0.2, "0.3"),
        (b"\x89PNG" * 500, "<2,000 bytes>"),
        ([0.0123, -0.2] * 256, "[0.0123, -0.2, … 512]"),
        ([1, 2, None], "[1, 2, NULL]"),
        ("two\nlines\x1b[31m", r"two\nlines\x1b[31m"),
        (datetime.datetime(2024, 2, 29, 12, 30), "2024-02-29 12:30:00"),
        ({"a": 1}, "{'a': 1}"),
    ],
    ids=str,
)
def test_a_value_takes_one_short_line(value, text):
    assert format_cell(value) == text


@pytest.mark.parametrize("text", ["x" * 100, "고" * 100])
def test_long_texts_are_cut(text):
    cut = format_cell(text)
    assert cut.endswith("…")
    assert text_width(cut) <= MAX_CELL


def test_one_row_is_one_row():
    assert format_table(pa.table({"n": [1]})).endswith("(1 row)")
