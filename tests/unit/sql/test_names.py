import pytest

from thanosql_server.errors import Position
from thanosql_server.sql.names import (
    candidates,
    embedding_column,
    locate,
    quote,
    similarity_column,
    simple_table,
)
from thanosql_server.sql.parser import parse


def test_generated_columns_are_lower_case_and_numbered():
    column = embedding_column("My_Model", "SimCLR")
    assert column == "my_model_simclr"
    assert similarity_column(column, 2) == "my_model_simclr_similarity2"


def test_quote_doubles_quotes():
    assert quote('a"; DROP TABLE t') == '"a""; DROP TABLE t"'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("SELECT * FROM t", ("t",)),
        ("select*from T", ("t",)),
        ('SELECT * FROM "T"', ("T",)),
        ("( (SELECT * FROM a.b.c))", ("a", "b", "c")),
        ("/* a */ SELECT -- b\n * FROM t -- c", ("t",)),
    ],
)
def test_a_whole_table_is_recognised(text, parts):
    assert simple_table(parse(text).query).parts == parts


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t",
        "SELECT * FROM t LIMIT 1",
        "SELECT * FROM t s",
        "SELECT * FROM t, u",
        "SELECT * FROM (SELECT * FROM t)",
        "SELECT * FROM t.",
        "SELECT * FROM",
        "SELECT *, 1 FROM t",
        "SELECT * FROM f()",
        "SELECT * FROM 'x.csv'",
        "SELECT * FROM ?",
        "CONVERT USING m AS SELECT * FROM t",
        "(SELECT * FROM t) UNION (SELECT * FROM u)",
        "(SELECT 1)",
    ],
)
def test_anything_else_is_no_whole_table(text):
    assert simple_table(parse(text).query) is None


def test_the_table_of_a_clause_body_has_its_place_in_the_statement():
    clause = parse("CONVERT USING m AS (\n SELECT * FROM Tab)").query.clause
    table = simple_table(clause.body)
    assert (table.name, table.position) == ("tab", Position(2, 16))


@pytest.mark.parametrize(
    ("wrong", "fields", "right"),
    [
        ("mnist_model_simclr", ["image", "Mnist_Model_SimCLR"], "Mnist_Model_SimCLR"),
        ("clip_en_CLIPEn", ["a", "clip_en_clipen"], "clip_en_clipen"),
        ("a", ["A", "B", "A"], "A"),
        ("x", ["X", "x "], "X"),
        ("similarity_image1", ["image", "m", "m_similarity1"], "m_similarity1"),
        ("SIMILARITY_IMAGE2", ["m_similarity1", "m_similarity2"], "m_similarity2"),
        ("similarity_image1", ["m_similarity11"], None),
        ("similarity_image1", ["m_similarity1", "n_similarity1"], None),
        ("image", ["image_path", "label"], "image_path"),
        ("img_path", ["image", "label"], "image"),
        ("filepath", ["path"], "path"),
        ("path", ["filepath", "img_path"], None),
        ("image", ["label"], None),
        ("label", ["image_path"], None),
        ("a", ["A", "a "], "A"),
        ("ab", ["AB", "Ab"], None),
    ],
)
def test_a_missing_name_has_at_most_one_candidate(wrong, fields, right):
    assert candidates(wrong, fields) == right


@pytest.mark.parametrize(
    ("sql", "name", "position"),
    [
        ("SELECT a,\n  Bc FROM t", "bc", Position(2, 3)),
        ("SELECT 'bc', \"Bc\", bc", "bc", Position(1, 20)),
        ('SELECT "Bc"', "Bc", Position(1, 8)),
        ("SEARCH IMAGE USING MyModel", "MyModel", Position(1, 20)),
        ("SELECT 'a' -- a", "a", None),
        ("SELECT 'a", "a", None),
        ("", "a", None),
    ],
)
def test_locate_gives_the_first_place_of_a_name(sql, name, position):
    assert locate(sql, name) == position
