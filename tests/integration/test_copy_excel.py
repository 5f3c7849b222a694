"""COPY from Excel files: sheets, types, and what is refused."""

from __future__ import annotations

import zipfile
from datetime import date, datetime

import pytest

import thanosql
from tests.excel import write_xlsx
from tests.needs import NEEDS_CALAMINE

pytestmark = NEEDS_CALAMINE

SHEETS = {
    "people": [
        ["id", "name", "born", "seen", "score", "active", "mixed"],
        [1, "ann", date(1990, 2, 28), datetime(2026, 1, 2, 3, 4, 5), 1, True, "x"],
        [2, None, None, datetime(2026, 1, 3), 2.5, False, 7],
        [None, "007", date(2001, 12, 31), None, None, None, True],
    ],
    "other sheet": [["a"], [1], [2]],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("excel")
    write_xlsx(folder / "book.xlsx", SHEETS)
    (folder / "words.xlsx").write_text("this is no archive")
    with zipfile.ZipFile(folder / "parts.xlsx", "w") as archive:
        archive.writestr("readme", "nothing of Excel's")
    write_xlsx(folder / "empty.xlsx", {"nothing": []})
    write_xlsx(folder / "twice.xlsx", {"a": [["x", "x"], [1, 2]]})
    write_xlsx(folder / "nameless.xlsx", {"a": [["x", None, "y"], [1, 2, 3]]})
    (folder / "plain.csv").write_text("a\n1\n")
    return folder


@pytest.fixture(scope="module")
def cursor(folder):
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        yield cursor


def test_columns_have_the_types_of_their_cells(cursor):
    cursor.execute("COPY t OPTIONS(overwrite=True) FROM 'book.xlsx'")
    assert cursor.rowcount == 3
    table = cursor.execute("SELECT * FROM t").fetch_arrow_table()
    assert [str(field.type) for field in table.schema] == [
        *("int64", "string", "date32[day]", "timestamp[us]", "double", "bool"),
        "string",
    ]
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (1, "ann", date(1990, 2, 28), datetime(2026, 1, 2, 3, 4, 5), 1.0, True, "x"),
        (2, None, None, datetime(2026, 1, 3), 2.5, False, "7"),
        (None, "007", date(2001, 12, 31), None, None, None, "true"),
    ]


@pytest.mark.parametrize("sheet", ["'other sheet'", "2", "?"])
def test_a_sheet_is_chosen_by_name_or_number(cursor, sheet):
    parameters = ["other sheet"] if sheet == "?" else []
    sql = f"COPY s OPTIONS(overwrite=True, sheet={sheet}) FROM 'book.xlsx'"
    assert cursor.execute(sql, parameters).rowcount == 2
    assert cursor.execute("SELECT a FROM s").fetchall() == [(1,), (2,)]


def test_rows_are_appended_by_the_names_of_their_columns(cursor):
    cursor.execute("CREATE OR REPLACE TABLE more (b INT DEFAULT 5, a BIGINT)")
    sql = "COPY more OPTIONS(if_exists='append', sheet=2) FROM 'book.xlsx'"
    assert cursor.execute(sql).rowcount == 2
    assert cursor.execute("SELECT * FROM more").fetchall() == [(5, 1), (5, 2)]


def test_many_rows_come_in_batches(cursor, folder):
    rows = [[n, f"name {n}"] for n in range(20_000)]
    write_xlsx(folder / "long.xlsx", {"long": [["n", "s"], *rows]})
    cursor.execute("COPY long FROM 'long.xlsx'")
    found = cursor.execute("SELECT count(*), sum(n), max(s) FROM long").fetchall()
    assert found == [(20_000, sum(range(20_000)), "name 9999")]


@pytest.mark.parametrize(
    ("options", "file", "state", "sentence"),
    [
        ("sheet='othr sheet'", "book.xlsx", "42704", "did you mean 'other sheet'?"),
        ("sheet=3", "book.xlsx", "22023", "has no sheet 3; it has 2, counted from 1"),
        ("sheet=1.5", "book.xlsx", "22023", "must be the name of a sheet in quotes"),
        ("sheet=1", "plain.csv", "42000", "chooses a sheet of an Excel file"),
        ("", "words.xlsx", "22000", "'words.xlsx': this is no Excel file"),
        ("", "parts.xlsx", "22000", "'parts.xlsx': this is no Excel file"),
        ("", "empty.xlsx", "22000", "the sheet is empty; its first row must name"),
        ("", "twice.xlsx", "22000", "there are several columns named 'x'"),
        ("", "nameless.xlsx", "22000", "line 1: column 2 has no name"),
    ],
)
def test_what_cannot_be_read_is_refused(cursor, options, file, state, sentence):
    with pytest.raises(thanosql.Error) as raised:
        cursor.execute(f"COPY bad OPTIONS({options}) FROM '{file}'")
    assert raised.value.sqlstate == state
    assert sentence in str(raised.value)
