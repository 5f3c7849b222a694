import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sql.pairs import statements
from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql.tokens import Kind, excerpt, quote, tokenize

BLANK = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:.|\n)*\*/)*\Z")
TEXTS = [
    text
    for name, heading in (("plain.sql", "odd"), ("tpch.sql", "query"))
    for _, text in statements(name, heading)
]


def kinds(sql):
    return [(token.kind, token.text) for token in tokenize(sql)]


@pytest.mark.parametrize("text", TEXTS)
def test_between_tokens_are_only_blanks_and_comments(text):
    end = 0
    for token in tokenize(text):
        assert BLANK.match(text[end : token.start]), text[end : token.start]
        assert token.end > token.start
        end = token.end
    assert BLANK.match(text[end:])


def test_each_kind_is_told_apart():
    assert kinds("""a "b" `c` 'd' E'e' $$f$$ 1.5 ? $2 +""") == [
        (Kind.WORD, "a"),
        (Kind.QUOTED, "b"),
        (Kind.QUOTED, "c"),
        (Kind.STRING, "d"),
        (Kind.LITERAL, "e"),
        (Kind.LITERAL, "f"),
        (Kind.NUMBER, "1.5"),
        (Kind.PARAMETER, "?"),
        (Kind.PARAMETER, "$2"),
        (Kind.SYMBOL, "+"),
    ]


def test_operators_come_as_single_characters():
    assert [text for _, text in kinds("a->>b::c")] == [
        "a",
        "-",
        ">",
        ">",
        "b",
        ":",
        ":",
        "c",
    ]


def test_neighbouring_numbered_parameters_are_no_dollar_quote():
    assert [text for _, text in kinds("$1,$2")] == ["$1", ",", "$2"]


def test_templates_are_no_comments():
    assert [text for _, text in kinds("{# a #}")] == ["{", "#", "a", "#", "}"]


def test_a_line_comment_ends_at_a_line_feed_only():
    assert [text for _, text in kinds("a -- b\rc\nd")] == ["a", "d"]


@pytest.mark.parametrize(
    ("text", "what", "line", "column"),
    [
        ("SELECT\n  'abc", "string", 2, 3),
        ('SELECT "abc', "quoted name", 1, 8),
        ("SELECT `abc", "quoted name", 1, 8),
        ("SELECT 1 /* abc", "comment", 1, 10),
        ("SELECT 1 -- it's\n /* a /* b */", "comment", 2, 2),
        ("SELECT $$abc", "string", 1, 8),
        ("SELECT $x$abc$y$", "string", 1, 8),
        ("SELECT E'a\\'", "string", 1, 8),
        ("'", "string", 1, 1),
        ("SELECT 'a' 'b''", "string", 1, 12),
    ],
)
def test_what_is_not_closed_is_named_with_its_place(text, what, line, column):
    with pytest.raises(SyntaxError_, match=f"the {what} that begins with") as caught:
        tokenize(text)
    assert caught.value.position == Position(line, column)


@settings(deadline=None)
@given(st.text())
def test_a_quoted_name_reads_back(name):
    assert [(token.kind, token.text) for token in tokenize(quote(name))] == [
        (Kind.QUOTED, name)
    ]


def test_an_excerpt_is_one_short_line():
    assert excerpt("a\n  b") == "'a b'"
    assert len(excerpt("x" * 100)) == 32
