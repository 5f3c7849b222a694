from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql_server.errors import InvalidData
from thanosql_server.storage import json_array
from thanosql_server.storage.importers import read_file


@pytest.fixture
def read(tmp_path):
    def read(text, name="x.json", **options):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return read_file(tmp_path / name, name, **options).read_all()

    return read


ROWS = [{"a": 1, "b": "x"}, {"a": None, "b": "한글 {["}, {"b": '",\\'}]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.ndjson"])
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, ROWS)),
        "\n\n" + "\r\n".join(map(json.dumps, ROWS)) + "\n \n",
        json.dumps(ROWS),
        "\ufeff \n" + json.dumps(ROWS, indent=2, ensure_ascii=False) + "\n",
    ],
)
def test_lines_and_arrays_of_objects(read, text, name):
    table = read(text, name)
    assert table.to_pylist() == [{"a": None, **row} for row in ROWS]
    assert list(map(str, table.schema.types)) == ["int64", "string"]


KINDS = {
    "1 2.5": ("double", [1.0, 2.5]),
    "1 null": ("int64", [1, None]),
    "null": ("string", [None]),
    "true false": ("bool", [True, False]),
    'true 1 "x"': ("string", ["true", "1", "x"]),
    "1e400": ("double", [float("inf")]),
    "123456789012345678901234567890": ("string", ["123456789012345678901234567890"]),
    "[1] [2.5] null": ("list<item: double>", [[1.0], [2.5], None]),
    '[1] "x"': ("string", ["[1]", "x"]),
    '{"k":1} {"l":"x"}': (
        "struct<k: int64, l: string>",
        [{"k": 1, "l": None}, {"k": None, "l": "x"}],
    ),
    "{}": ("string", ["{}"]),
    '"2024-01-01"': ("string", ["2024-01-01"]),
}


@pytest.mark.parametrize("values", KINDS)
@pytest.mark.parametrize("apart", [0, 5000])
def test_types_are_those_of_the_whole_file(read, values, apart):
    """The values stand together, or so far apart that each has a batch of its own."""
    lines = [f'{{"c": {value}}}' for value in values.split()]
    filler = '\n{"c": null}' * apart
    table = read(f"{filler}\n".join(lines))
    found = table["c"].to_pylist()[:: apart + 1]
    assert (str(table.schema.field("c").type), found) == KINDS[values]


BAD = {
    "": "the file is empty",
    " \n": "the file is empty",
    "{}": "the file is empty",
    "[]": "the file is empty",
    '{"a": 1}\n{"a": }': "line 2: this is not JSON (Expecting value)",
    '{"a": 1}\n\n[1]': "line 3: expected an object, found [1]",
    '[{"a": 1},\n 5]': "line 2: expected an object, found 5",
    '[{"a": 1},\n\n {"a": x}]': "line 3: this is not JSON (Expecting value)",
    '[{"a": 1}\n {"a": 2}]': "line 2: expected ']', found '{'",
    '[{"a": 1}': "line 1: expected ']', found the end of the file",
    '[{"a": 1},': "line 1: this is not JSON (Expecting value)",
    '[{"a":\n "x': "line 2: this is not JSON (Unterminated string starting at)",
    '[{"a": 1}]\n{"a": 2}': "line 2: there is more text after the array",
    '{\n"a": 1}': "line 1: this is not JSON",
    '{"a": ' + "[" * 100_000: "line 1: objects are nested too deeply",
    '[{"a": ' + "[" * 100_000: "line 1: objects are nested too deeply",
    '{"a": ' + "1" * 5000 + "}": "line 1: this is not JSON (bad number)",
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text[:24]))
def test_what_is_wrong_is_told_with_its_line(read, text):
    with pytest.raises(InvalidData) as caught:
        read(text)
    told = caught.value.message.removeprefix("'x.json'").lstrip(",: ")
    assert told.startswith(BAD[text])


def test_encoding(read):
    text = '{"a": "값"}'
    assert read(text.encode("cp949"), encoding="cp949").to_pylist() == [{"a": "값"}]
    with pytest.raises(InvalidData, match="line 2: this is no utf-8 text"):
        read(b'{"a": 1}\n' + text.encode("cp949"))


def test_object_that_is_too_long(read, monkeypatch):
    for module in ("json_array", "json_files"):
        monkeypatch.setattr(f"thanosql_server.storage.{module}.LONGEST_ROW", 1 << 20)
    row = json.dumps({"a": "x" * (2 << 20)})
    for text in (row, f'[{{"a": ""}},\n{row}]'):
        with pytest.raises(InvalidData, match="an object is longer than"):
            read(text)


OBJECTS = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.integers(-9, 10**6), st.text(max_size=5), st.lists(st.floats(-1, 1))),
    min_size=1,
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(OBJECTS), st.sampled_from([None, 1]), st.integers(1, 7))
def test_arrays_are_read_right_wherever_the_window_ends(rows, indent, chunk):
    text = json.dumps(rows, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_CHUNK", chunk)
        assert [row for _, row in elements(text)] == rows


def elements(text):
    from io import StringIO
    from pathlib import Path

    from thanosql_server.storage.source_file import SourceFile

    source = SourceFile(Path("x.json"), "x.json")
    return json_array.JsonArray(source, StringIO(text)).values()


def test_line_numbers_of_elements():
    text = '\n[{"a":\n1},\n\n {"a": 2}\n, {"a": 3}]'
    assert [line for line, _ in elements(text)] == [2, 5, 6]
