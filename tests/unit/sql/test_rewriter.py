import pytest

from tests.unit.sql.known import Known
from tests.unit.sql.pairs import pairs
from thanosql_server.errors import Position
from thanosql_server.sql.parser import parse
from thanosql_server.sql.rewriter import rewrite


def rewritten(text):
    return rewrite(parse(text).query, Known())


@pytest.mark.parametrize(("before", "after"), pairs("rewrites.sql"))
def test_rewrite_gives_the_text_of_the_fixture(before, after):
    assert rewritten(before).sql == after


def test_facts_see_the_body_as_plain_sql():
    known = Known()
    query = parse("PRINT IMAGE AS CONVERT USING m AS SELECT ? FROM t").query
    rewrite(query, known)
    assert known.bodies[0] == "SELECT $1 FROM t"
    assert known.bodies[1].startswith("(SELECT * FROM (SELECT __s2.*, embed(")


@pytest.mark.parametrize("word", ["label", "t", "x", "AND", "u"])
def test_verbatim_text_maps_back_to_where_it_was(word):
    text = (
        "SELECT label FROM\n (SEARCH IMAGE image='p' USING m AS SELECT * FROM t)\n"
        "WHERE x = ? AND u"
    )
    result = rewritten(text)
    place = result.sql.rindex(f" {word}") + 1
    assert text[result.position(place) :].startswith(word)


def test_generated_text_maps_to_the_clause():
    text = "SELECT 1,\n  (SEARCH IMAGE image='p' USING m AS SELECT 1)"
    result = rewritten(text)
    for word in ("similarity_1", "AS __s"):
        place = result.sql.index(word)
        assert text[result.position(place) :].startswith("SEARCH")


def test_a_line_and_column_of_the_result_maps_to_a_position():
    text = "SELECT * FROM (CONVERT USING m AS SELECT 1)\n  WHERE oops"
    result = rewritten(text)
    lines = result.sql.split("\n")
    column = lines[-1].index("oops") + 1
    assert result.place(len(lines), column) == Position(2, 9)


def test_text_after_many_placeholders_still_maps_back():
    text = "SELECT " + "?," * 20 + " last"
    result = rewritten(text)
    assert text[result.position(result.sql.index("last")) :] == "last"
