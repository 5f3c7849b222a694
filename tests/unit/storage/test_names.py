from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql_server.errors import InvalidValue
from thanosql_server.storage.names import MAX_BYTES, quote_name, unquote_name

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@settings(deadline=None)  # the machine may be busy
@given(NAMES)
def test_names_come_back_from_file_names(name):
    quoted = quote_name(name, "table")
    assert unquote_name(quoted) == name
    assert set(quoted) <= set("abcdefghijklmnopqrstuvwxyz0123456789_%ABCDEF")


@settings(deadline=None)  # the machine may be busy
@given(NAMES, NAMES)
def test_different_names_are_different_files_even_where_case_is_ignored(one, other):
    same = quote_name(one, "table").lower() == quote_name(other, "table").lower()
    assert same == (one == other)


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_a_name_or_refused(name):
    try:
        quoted = quote_name(name, "table")
    except InvalidValue:
        assert (
            not 0 < len(name) <= 128
            or len(name.encode("utf-8", "surrogatepass")) * 3 > MAX_BYTES
            or {"Cc", "Cs"} & {unicodedata.category(c) for c in name}
        )
    else:
        assert unquote_name(quoted) == name


@pytest.mark.parametrize("name", ['a"; DROP TABLE t', "../../etc", ".", "con", "한글"])
def test_odd_names_are_just_names(name):
    assert unquote_name(quote_name(name, "table")) == name


@pytest.mark.parametrize("quoted", ["", "A", "a%", "a%4", "%61", "%FF", "a.b", "%0A"])
def test_foreign_file_names_are_no_names(quoted):
    assert unquote_name(quoted) is None


def test_longest_names():
    assert quote_name("a" * 128, "table") == "a" * 128
    assert unquote_name(quote_name("가" * 26, "model")) == "가" * 26
    with pytest.raises(InvalidValue, match="has 129 characters; at most 128"):
        quote_name("a" * 129, "table")
    with pytest.raises(InvalidValue, match="too long to be stored"):
        quote_name("가" * 27, "table")


def test_unusable_names_are_refused():
    with pytest.raises(InvalidValue, match="cannot be empty"):
        quote_name("", "table")
    with pytest.raises(InvalidValue, match=r"'a\\nb' holds a control character"):
        quote_name("a\nb", "table")
    with pytest.raises(InvalidValue, match="control character"):
        quote_name("a\ud800", "table")
