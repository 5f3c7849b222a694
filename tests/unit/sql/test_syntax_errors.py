import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.sql.known import Known
from tests.unit.sql.pairs import statements
from thanosql_server.errors import SyntaxError_
from thanosql_server.sql.names import respell, simple_table
from thanosql_server.sql.nodes import Statement
from thanosql_server.sql.parser import parse
from thanosql_server.sql.rewriter import rewrite

ERRORS = [
    pytest.param(text, message, id=message)
    for message, text in statements("errors.sql", "error")
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_message_says_what_was_expected_and_where(text, message):
    with pytest.raises(SyntaxError_) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.position is not None


@pytest.mark.parametrize("text", ["", " \n", " ;\n;", "-- SELECT 1"])
def test_text_without_a_statement_is_an_error(text):
    with pytest.raises(SyntaxError_, match="expected a statement, found end of"):
        parse(text)


def test_a_number_beyond_reason_is_refused():
    with pytest.raises(SyntaxError_, match=r"'9+\.\.\.' is not a number"):
        parse(f"COPY t OPTIONS(a={'9' * 5000}) FROM 'x'")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(SEARCH IMAGE text='a' USING m AS SELECT " * 60 + ")" * 60,
        "BUILD MODEL m USING x OPTIONS(a=" + "[" * 5000,
    ],
)
def test_endless_nesting_is_refused(text):
    with pytest.raises(SyntaxError_, match="more than 50 levels"):
        parse(text)


def test_deep_parentheses_of_plain_sql_are_no_trouble():
    text = "SELECT " + "(" * 5000 + "1" + ")" * 5000
    assert parse(text).query.text == text


# Words and marks that our grammar gives a meaning, to be strung together at random.
GRAMMAR = """ ( ) [ ] , ; = ? . * - + ' " ` $ # ² 가 1 1.5 $1 $$ $q$ /* */ -- E'\\' 'x'
    SELECT FROM t AS USING m OPTIONS UNION WITH VALUES EXPLAIN IF EXISTS "y"
    SEARCH IMAGE TEXT CONVERT PRINT LIST MODEL TABLE THANOSQL PREDICT FUNCTION a.b
    BUILD COPY CREATE INSERT INTO DROP DELETE GET text='a' images=
    search_by=text search_input='a' """
PIECES = st.sampled_from(GRAMMAR.split())
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=25).map(" ".join))


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("\x00")
@example("\ud800")
@example("SELECT $²")
@example("COPY t OPTIONS(a=²) FROM 'x'")
def test_any_text_parses_or_is_a_syntax_error(text):
    try:
        statement = parse(text)
    except SyntaxError_:
        return
    assert isinstance(statement, Statement)
    for query in statement.queries:
        rewritten = rewrite(query, Known())
        assert 0 <= rewritten.position(len(rewritten.sql)) <= len(text)
        simple_table(query)
        if not query.clauses and not query.parameters:
            assert rewritten.sql == query.text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_respelling_any_text_ends(text):
    for _ in range(len(text) + 1):
        respelled = respell(text, "t", "right")
        if respelled is None:
            return
        text = respelled
    raise AssertionError(text)
