from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData, InvalidValue
from thanosql_server.storage.importers import read_file


@pytest.fixture
def read(tmp_path):
    def read(content, name="x.csv", **options):
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return read_file(tmp_path / name, name, **options).read_all()

    return read


def column(table):
    return str(table.schema.types[0]), table.column(0).to_pylist()


UTC = dt.timezone.utc

TYPES = {
    "1 -5 0": ("int64", [1, -5, 0]),
    "1 2.5 1e3": ("double", [1.0, 2.5, 1000.0]),
    ".5 -1.": ("double", [0.5, -1.0]),
    "1 x": ("string", ["1", "x"]),
    "1.5 x": ("string", ["1.5", "x"]),
    "true FALSE": ("bool", [True, False]),
    "true maybe": ("string", ["true", "maybe"]),
    "9223372036854775807": ("int64", [2**63 - 1]),
    "9223372036854775808": ("string", ["9223372036854775808"]),
    "1 99999999999999999999": ("string", ["1", "99999999999999999999"]),
    "007 8": ("string", ["007", "8"]),
    "1 01012345678": ("string", ["1", "01012345678"]),
    "0x1F 2": ("string", ["0x1F", "2"]),
    "0.5 0": ("double", [0.5, 0.0]),
    "2024-02-29 2023-01-01": (
        "date32[day]",
        [dt.date(2024, 2, 29), dt.date(2023, 1, 1)],
    ),
    "2023-02-29": ("string", ["2023-02-29"]),
    "2024-01-01 2024-01-01T10:30:00": (
        "timestamp[us]",
        [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 10, 30)],
    ),
    "2024-01-01T10:30:00Z 2024-01-01T10:30:00+09:00": (
        "timestamp[us, tz=UTC]",
        [
            dt.datetime(2024, 1, 1, 10, 30, tzinfo=UTC),
            dt.datetime(2024, 1, 1, 1, 30, tzinfo=UTC),
        ],
    ),
    "2024-01-01T10:30:00 2024-01-01T10:30:00Z": (
        "string",
        ["2024-01-01T10:30:00", "2024-01-01T10:30:00Z"],
    ),
}


@pytest.mark.parametrize("values", TYPES)
def test_types_are_inferred(read, values):
    assert column(read("\n".join(["c", *values.split()]))) == TYPES[values]


@pytest.mark.parametrize("values", TYPES)
def test_empty_is_null_in_columns_of_any_type(read, values):
    lines = [",1", *(f"{value},1" for value in values.split()), '"",1']
    kind, expected = TYPES[values]
    assert column(read("\n".join(["c,d", *lines]))) == (kind, [None, *expected, None])


def test_type_is_that_of_the_whole_file_not_of_its_beginning(read):
    """The last row comes blocks later than the first: the file has 40 MB."""
    lines = ["a,b,c", *(["1,2,2024-01-01" + " " * 80] * 400_000), "x,2.5,"]
    table = read("\n".join(lines))
    assert list(map(str, table.schema.types)) == ["string", "double", "date32[day]"]
    assert table.num_rows == 400_001
    assert table.slice(400_000).to_pylist() == [{"a": "x", "b": 2.5, "c": None}]
    assert table["b"].slice(0, 1).to_pylist() == [2.0]


def test_blanks_around_numbers_do_not_count_and_those_in_texts_do(read):
    assert read("a,b\n 1 , x\n").to_pylist() == [{"a": 1, "b": " x"}]


def test_column_without_values_is_text(read):
    assert column(read("a,b\n,1\n,2\n")) == ("string", [None, None])


def test_quotes_line_breaks_and_commas(read):
    table = read('a,"b, c"\r\n"x ""y"", z","1\r\n2"\r\n')
    assert table.to_pylist() == [{"a": 'x "y", z', "b, c": "1\r\n2"}]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\r1,2", "a,b\n\n1,2"]
)
def test_line_ends(read, text):
    assert read(text).to_pylist() == [{"a": 1, "b": 2}]


def test_header_without_rows_is_an_empty_table(read):
    table = read("a,b\n")
    assert (table.num_rows, table.schema.names) == (0, ["a", "b"])
    assert table.schema.types == [pa.string(), pa.string()]


def test_tab_separated_values(read):
    assert read("a\tb\n1,5\t2\n", "x.TSV").to_pylist() == [{"a": "1,5", "b": 2}]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "utf_8"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf8_with_and_without_a_byte_order_mark(read, encoding, mark):
    table = read(mark + "이름,b\n값,2\n".encode(), encoding=encoding)
    assert table.to_pylist() == [{"이름": "값", "b": 2}]


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16", "utf-16-le"])
def test_other_encodings(read, encoding):
    table = read("이름,b\n값,2\n".encode(encoding), encoding=encoding)
    assert table.to_pylist() == [{"이름": "값", "b": 2}]


def test_wrong_encoding_is_told_with_its_line(read):
    with pytest.raises(InvalidData) as caught:
        read("name,b\nx,1\n값,2\n".encode("cp949"))
    assert caught.value.message == (
        "'x.csv', line 3: this is no utf-8 text; if the file is encoded otherwise, say "
        "so with the option encoding, as in encoding='cp949'"
    )
    with pytest.raises(InvalidData, match="line 1: this is no utf-8 text"):
        read("이름,b\nx,1\n".encode("cp949"))
    with pytest.raises(InvalidData, match="line 2: this is no cp949 text"):
        read(b"name\n\xff\xff\n", encoding="cp949")
    with pytest.raises(InvalidData, match=r"'x\.csv': this is no utf-16 text"):
        read("ab".encode("utf-16") + b"\x00", encoding="utf-16")


@pytest.mark.parametrize("encoding", ["klingon", "", "base64", "a\0b"])
def test_unknown_encoding(read, encoding):
    with pytest.raises(InvalidValue, match="there is no text encoding named"):
        read("a\n1\n", encoding=encoding)


RAGGED = {
    "a,b,c\n1,2,3\n1,2\n": "line 3: expected 3 columns, found 2",
    "a,b\n1,2\n\n1,2,3\n": "line 4: expected 2 columns, found 3",
    'a,b\n"x\ny",2\n1\n': "line 4: expected 2 columns, found 1",
    'a,b\n1,2\n"x\ny\nz",2,3\n1\n': "line 3: expected 2 columns, found 3",
    "a,b\n" + "1,2\n" * 300_000 + "1\n": "line 300002: expected 2 columns, found 1",
    f"a,b\n{'x' * 200_000},1\n1\n": "row 3: expected 2 columns, found 1",
}


@pytest.mark.parametrize("text", RAGGED, ids=lambda text: repr(text[:24]))
def test_ragged_row_is_told_with_its_line(read, text):
    with pytest.raises(InvalidData) as caught:
        read(text)
    assert caught.value.message.removeprefix("'x.csv'").lstrip(",: ") == RAGGED[text]


BAD_HEADERS = {
    "": "the file is empty; its first line must name the columns",
    "\n\n": "the file is empty; its first line must name the columns",
    "\ufeff": "the file is empty; its first line must name the columns",
    "a,,b\n1,2,3\n": "line 1: column 2 has no name",
    "a,b, \n1,2,3\n": "line 1: column 3 has no name",
    "a,b,a\n1,2,3\n": "line 1: there are several columns named 'a'",
}


@pytest.mark.parametrize("text", BAD_HEADERS, ids=repr)
def test_bad_header(read, text):
    with pytest.raises(InvalidData) as caught:
        read(text)
    assert (
        caught.value.message.removeprefix("'x.csv'").lstrip(",: ") == BAD_HEADERS[text]
    )


def test_open_quote_is_suspected_when_a_row_is_too_long(read):
    with pytest.raises(InvalidData, match="longer than 2 MiB; is a quote left open"):
        read('a,b\n1,"x\n' + "1,2\n" * 1_500_000)


def test_open_quote_that_swallows_the_rest_of_the_file_is_told(read):
    with pytest.raises(InvalidData, match="a quote is left open before 'x"):
        read('a,b\n1,"x\n1,2\n')
    table = read('a,b\n1,"x\n1,2"\n')
    assert table.to_pylist() == [{"a": 1, "b": "x\n1,2"}]


def test_cancelled_statement_stops_the_first_pass(read):
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        read("a\n1\n", control=control)


def test_file_that_changes_between_the_passes_is_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    reader = read_file(path, "x.csv")
    path.write_text("a\nx\n")
    with pytest.raises(InvalidData, match="or changed meanwhile"):
        reader.read_all()
