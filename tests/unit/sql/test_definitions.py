"""CREATE TABLE with columns, INSERT and their kin as the parser reads them."""

import pytest

from thanosql_server.errors import SyntaxError_
from thanosql_server.sql.inserts import cut
from thanosql_server.sql.nodes import Unsupported
from thanosql_server.sql.parser import parse


def column(text):
    (found,) = parse(f"CREATE TABLE t (c {text})").columns
    return found


@pytest.mark.parametrize(
    "text",
    [
        "INT", "DOUBLE PRECISION", "VARCHAR(10)", "DECIMAL(10, 2)", "INT[]", "FLOAT[3]",
        "TIMESTAMP(3) WITH TIME ZONE", "STRUCT<a INT, b STRUCT<c DATE, d TEXT[]>>",
        "MAP<TEXT, INT>", "STRUCT<a INT>[]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", ["", " NOT NULL", " NULL", " DEFAULT 5", ", d INT"])
def test_a_type_reaches_to_what_is_declared(text, more):
    first = parse(f"CREATE TABLE t (c {text}{more})").columns[0]
    assert first.type.text == text
    assert first.not_null == (more == " NOT NULL")


@pytest.mark.parametrize(
    "text",
    [
        "5", "-1.5", "'a, b'", "f(1, 2)", "[1, 2]", "NULL", "NOT TRUE", "1 IS NOT NULL",
        "x IS NULL", "(1, 2)", "now() - INTERVAL '1' DAY",
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", ["", " NOT NULL", " PRIMARY KEY", " COMMENT 'x'"])
def test_a_default_reaches_to_the_next_declaration(text, more):
    found = column(f"INT DEFAULT {text}{more}")
    assert found.default.text == text
    assert found.not_null == (more == " NOT NULL")
    assert found.is_key == (more == " PRIMARY KEY")
    assert found.comment == ("x" if more == " COMMENT 'x'" else None)


def test_the_key_is_of_one_column_or_several():
    assert column("INT CONSTRAINT k PRIMARY KEY").is_key
    made = parse("CREATE OR REPLACE TABLE t (a INT, B TEXT, PRIMARY KEY (b, A))")
    assert [name for name, _ in made.key] == ["b", "a"]
    assert made.or_replace
    made = parse("CREATE TABLE IF NOT EXISTS t (a INT, b INT, "
                 "CONSTRAINT k PRIMARY KEY (a)) COMMENT = 'it''s'")  # fmt: skip
    assert [name for name, _ in made.key] == ["a"]
    assert made.if_not_exists
    assert made.comment == "it's"


def test_comments_name_a_table_or_a_column():
    found = parse("COMMENT ON TABLE a.t IS 'x'")
    assert (str(found.table), found.column, found.comment) == ("a.t", None, "x")
    found = parse('comment on column t."C" is null')
    assert (str(found.table), found.column, found.comment) == ("t", "C", None)


def values(text):
    found = parse(f"INSERT INTO t {text}")
    return [[span.of(found.text) for span in row] for row in found.rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VALUES (?, 1)", [["?", "1"]]),
        ("VALUES (f(1, ?), [1, 2]), (DEFAULT, (3))", [["f(1, ?)", "[1, 2]"],
                                                      ["DEFAULT", "(3)"]]),
        ("(a, b) VALUES ( 'x, y' , default )", [["'x, y'", "default"]]),
        ("VALUES (1, 2)", [["1", "2"]]),
        ("VALUES " + ", ".join(["(1, 2)"] * 500), []),
        ("SELECT ?, 1", []),
        ("VALUES (?) ORDER BY 1", []),
        ("VALUES (?", "error"),
    ],
)  # fmt: skip
def test_values_of_rows_are_told_apart(text, expected):
    if expected == "error":
        with pytest.raises(SyntaxError_, match="'\\(' is not closed"):
            values(text)
    else:
        assert values(text) == expected


def test_an_insert_of_defaults_has_no_query():
    found = parse("INSERT INTO t DEFAULT VALUES")
    assert (found.query, found.rows) == (None, ())


def test_a_query_is_cut_around_places():
    found = parse("INSERT INTO t VALUES (?, DEFAULT, ?), (DEFAULT, 1, 2)")
    spans = [found.rows[0][1], found.rows[1][0]]
    pieces = cut(found.query, spans)
    assert [piece.text for piece in pieces] == ["VALUES (?, ", ", ?), (", ", 1, 2)"]
    assert [len(piece.parameters) for piece in pieces] == [1, 1, 0]


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("CREATE TABLE t (a INT, CHECK (a > 1))", "CHECK"),
        ("CREATE TABLE t (a INT COLLATE x)", "COLLATE"),
        ("CREATE TABLE t (a INT GENERATED ALWAYS AS IDENTITY)", "GENERATED"),
        ("CREATE OR REPLACE SCHEMA s", "CREATE SCHEMA"),
    ],
)
def test_what_is_not_served_is_named(text, verb):
    statement = parse(text)
    assert isinstance(statement, Unsupported)
    assert statement.verb == verb


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE t (a", "expected a type for column 'a', found end"),
        ("CREATE TABLE t (a NOT NULL)", "expected a type for column 'a', found 'NOT'"),
        ("CREATE TABLE t (a INT DEFAULT)", "expected a value after DEFAULT, found ')'"),
        ("CREATE TABLE t (a INT NOT)", "expected NULL after NOT, found ')'"),
        ("CREATE TABLE t (a INT PRIMARY)", "expected KEY after PRIMARY"),
        ("CREATE TABLE t (a INT, PRIMARY KEY a)", "expected '(' and the columns of"),
        ("CREATE TABLE t (a INT, PRIMARY KEY (a, a))", "column 'a' is named twice"),
        ("CREATE TABLE t (a INT,)", "expected a column, found ')'"),
        ("CREATE TABLE t (a INT) WITH (b = 1)", "expected the end of the statement"),
        ("COMMENT ON t IS 'x'", "expected ON TABLE or ON COLUMN after COMMENT"),
        ("COMMENT ON COLUMN c IS 'x'", "expected '.' and a column of table 'c'"),
        ("COMMENT ON TABLE t 'x'", "expected IS and a text in quotes, or NULL"),
        ("INSERT INTO t DEFAULT", "expected VALUES or a query after INSERT INTO t"),
    ],
)
def test_what_is_missing_is_named(text, message):
    with pytest.raises(SyntaxError_) as caught:
        parse(text)
    assert message in str(caught.value)
