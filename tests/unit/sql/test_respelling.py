import pytest

from tests.unit.sql.pairs import pairs
from thanosql_server.sql.names import respell


@pytest.mark.parametrize(("before", "after"), pairs("respellings.sql"))
def test_respell_gives_the_text_of_the_fixture(before, after):
    assert respell(before, "wrong", "m_simclr") == after


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 'wrong'", "SELECT (", ""])
def test_text_without_a_reference_gives_none(text):
    assert respell(text, "wrong", "right") is None


def test_the_right_name_is_quoted():
    assert respell("SELECT a+1", "a", 'x"y') == 'SELECT "x""y"+1'


def test_calling_again_reaches_the_outer_query():
    text = "SELECT * FROM (SELECT * FROM t WHERE w = 1) WHERE w = 2"
    once = respell(text, "w", "R")
    assert once == 'SELECT * FROM (SELECT * FROM t WHERE "R" = 1) WHERE w = 2'
    twice = respell(once, "w", "R")
    assert twice == 'SELECT * FROM (SELECT * FROM t WHERE "R" = 1) WHERE "R" = 2'
    assert respell(twice, "w", "R") is None
