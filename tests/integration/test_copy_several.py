"""COPY from patterns and folders of files: which files, which columns, which types."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thanosql


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.csv").write_text("id,price\n9,9\n")
    folder = tmp_path_factory.mktemp("several")
    texts = {
        "sales/b.csv": "price,id\n2.5,2\n",
        "sales/a.csv": "id,price\n1,1\n",
        "sales/.hidden.csv": "x\n1\n",
        "sales/deep/er/c.csv": "id,price\n3,cheap\n",
        "more/a.csv": "id,price\n1,1\n",
        "more/b.csv": "id,color\n2,red\n",
        "codes/a.csv": "code\n12\n",
        "codes/b.csv": "code\n007\n",
        "tabs/a.tsv": "id\tprice\n1\t1\n",
        "lines/a.jsonl": '{"id": 1, "tags": ["x"]}\n{"id": 2}\n',
        "lines/sub/b.json": '[{"id": 1.5, "tags": []}]',
        "lines/_SUCCESS": "",
        "mixed/a.csv": "id\n1\n",
        "mixed/b.tsv": "id\n1\n",
        "noted/a.csv": "id\n1\n",
        "noted/README.md": "text",
        "named/a.csv": "filename\nx\n",
        "leads/a.csv": "id,price\n1,1\n",
        "odd/a[1].csv": "id\n7\n",
        "bad/a.csv": "id\n1\n",
        "bad/b.csv": "id\n1\n2,3\n",
        "pictures/labels.csv": "id\n1\n",
        "pictures/one/a.png": "no picture is opened to list it",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    os.symlink(outside / "secret.csv", folder / "leads/b.csv")
    os.symlink(outside, folder / "pictures/away")
    os.symlink("..", folder / "sales/deep/round")
    for year in (2024, 2025):
        (folder / f"parts/{year}").mkdir(parents=True)
        kind = pa.int32() if year == 2024 else pa.int64()
        for part in range(2):
            rows = pa.table({"n": pa.array([year, part], kind), "s": ["x", None]})
            pq.write_table(rows, folder / f"parts/{year}/part-{part}.parquet")
    pq.write_table(pa.table({"n": ["text"]}), folder / "parts/other.parquet")
    return folder


@pytest.fixture(scope="module")
def cursor(folder):
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        yield cursor


def copied(cursor, path, options=""):
    options = f"overwrite=True{', ' if options else ''}{options}"
    cursor.execute(f"COPY t OPTIONS({options}) FROM ?", [path])
    return cursor.execute("SELECT * FROM t").fetchall()


def test_a_pattern_reads_its_files_in_order_and_matches_columns_by_name(cursor):
    assert copied(cursor, "sales/*.csv") == [(1, 1.0), (2, 2.5)]
    assert copied(cursor, "sales/[b-z].csv") == [(2.5, 2)]
    assert copied(cursor, "sal?s/a.csv") == [(1, 1)]


def test_types_are_found_over_all_files(cursor):
    assert copied(cursor, "sales/**/*.csv") == [(1, "1"), (2, "2.5"), (3, "cheap")]
    assert copied(cursor, "codes/*") == [("12",), ("007",)]


def test_two_stars_go_through_folders_of_any_depth(cursor):
    rows = copied(cursor, "parts/**/part-*.parquet")
    assert rows == [
        (n, s)
        for year in (2024, 2025)
        for p in (0, 1)
        for n, s in [(year, "x"), (p, None)]
    ]
    assert cursor.execute("SELECT arrow_typeof(n) FROM t LIMIT 1").fetchall() == [
        ("Int64",)
    ]


def test_a_folder_of_files_of_one_kind(cursor):
    assert copied(cursor, "lines") == [(1.0, ["x"]), (2.0, None), (1.5, [])]
    assert copied(cursor, "tabs") == [(1, 1)]


def test_a_folder_with_pictures_is_one_of_pictures(cursor):
    assert copied(cursor, "pictures") == [("pictures/one/a.png", "a.png", "one")]


def test_the_name_of_the_file_as_a_column(cursor):
    rows = copied(cursor, "sales/*.csv", "filename=True")
    assert rows == [(1, 1.0, "sales/a.csv"), (2, 2.5, "sales/b.csv")]
    assert copied(cursor, "sales/a.csv", "filename=True") == [(1, 1, "sales/a.csv")]


def test_columns_that_a_file_lacks_are_null_where_that_is_asked_for(cursor):
    rows = copied(cursor, "more/*.csv", "union_by_name=True")
    assert rows == [(1, 1, None), (2, None, "red")]


def test_a_file_whose_name_looks_like_a_pattern_is_read(cursor):
    assert copied(cursor, "odd/a[1].csv") == [(7,)]


def test_rows_are_appended(cursor):
    copied(cursor, "sales/a.csv")
    cursor.execute("COPY t OPTIONS(if_exists='append') FROM 'more/a*.csv'")
    assert cursor.rowcount == 1
    assert cursor.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


REFUSED = [
    ("sales/*.cvs", "58P01", "no file matches 'sales/*.cvs'; relative paths start"),
    ("sale/*.csv", "58P01", "there is no folder 'sale'; did you mean 'sales'?"),
    ("../*/secret.csv", "42501", "'../*/secret.csv' is outside the folders"),
    ("sales/*/../../../*.csv", "42501", "is outside the folders"),
    (".than*/**", "42501", "'.thanosql' is outside the folders"),
    ("leads/*.csv", "42501", "'leads/b.csv' is outside the folders"),
    ("leads", "42501", "'leads/b.csv' is outside the folders"),
    (
        "more/*.csv",
        "22000",
        "'more/b.csv' lacks column 'price', which 'more/a.csv' has",
    ),
    ("mixed/*", "22023", "matches files of several kinds, csv and tsv"),
    ("mixed", "22000", "holds files of several kinds, csv and tsv"),
    ("noted", "22000", "as in 'noted/**/*.csv'"),
    ("noted/*", "22023", "'noted/README.md' is of no known kind"),
    ("pictures/one/*", "22023", "matches pictures"),
    ("sales/*/../*.csv", "22023", "'..' behind a wildcard"),
    ("a/**/b/**", "22023", "'**' more than once"),
    ("bad/*.csv", "22000", "'bad/b.csv', line 3: expected 1 columns, found 2"),
    ("parts/**/*.parquet", "22000", "column 'n' is"),
]


@pytest.mark.parametrize(("path", "state", "sentence"), REFUSED)
def test_what_cannot_be_read_is_told_and_leaves_nothing(
    cursor, folder, path, state, sentence
):
    with pytest.raises(thanosql.Error) as raised:
        cursor.execute("COPY never FROM ?", [path])
    assert raised.value.sqlstate == state
    assert sentence in str(raised.value)
    assert str(folder) not in str(raised.value)
    assert ("never",) not in cursor.execute("LIST TABLE").fetchall()


def test_a_column_of_the_name_that_is_added(cursor):
    with pytest.raises(thanosql.Error, match="leave the option out") as raised:
        cursor.execute("COPY never OPTIONS(filename=True) FROM 'named/*.csv'")
    assert raised.value.sqlstate == "22000"
