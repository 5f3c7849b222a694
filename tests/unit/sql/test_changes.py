"""DELETE, UPDATE and TRUNCATE as the parser reads them."""

import pytest

from thanosql_server.errors import Position, SyntaxError_
from thanosql_server.sql import nodes
from thanosql_server.sql.parser import parse


def values(text):
    return [
        (one.column, one.value.text if one.value else None)
        for one in parse(text).assignments
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UPDATE t SET a = 1", [("a", "1")]),
        ("UPDATE t SET a = f(1, 2), B = [1, 2]", [("a", "f(1, 2)"), ("b", "[1, 2]")]),
        ("UPDATE t SET a = {'x': 1, 'y': 2} WHERE c", [("a", "{'x': 1, 'y': 2}")]),
        (
            "UPDATE t SET a = b IS DISTINCT FROM c, d = 2 FROM u",
            [("a", "b IS DISTINCT FROM c"), ("d", "2")],
        ),
        (
            "UPDATE t SET a = (SELECT max(b) FROM u WHERE c) WHERE d",
            [("a", "(SELECT max(b) FROM u WHERE c)")],
        ),
        ("UPDATE t SET a = DEFAULT, b = default WHERE c", [("a", None), ("b", None)]),
        ('UPDATE t SET "A b" = CASE WHEN x END', [("A b", "CASE WHEN x END")]),
        ("UPDATE t AS z SET z.a = z.b + 1 -- end", [("a", "z.b + 1")]),
    ],
)  # fmt: skip
def test_values_reach_to_the_next_column_or_clause(text, expected):
    assert values(text) == expected


def test_conditions_and_other_tables_are_kept_as_written():
    update = parse("UPDATE t z SET a = 1 FROM u JOIN v ON u.x = v.x WHERE (z.a)=?;")
    assert (update.table.name, update.alias) == ("t", "z")
    assert update.others.text == "u JOIN v ON u.x = v.x"
    assert update.where.text == "(z.a)=?"
    delete = parse("DELETE FROM s.t USING u, (SELECT 1) w WHERE a = $1")
    assert (str(delete.table), delete.alias) == ("s.t", "t")
    assert delete.others.text == "u, (SELECT 1) w"
    assert [one.index for one in delete.where.parameters] == [1]


def test_clauses_are_found_in_conditions_and_values():
    text = (
        "UPDATE t SET a = (SELECT b FROM (CONVERT USING m AS SELECT * FROM u)) "
        "WHERE c IN (SELECT c FROM (SEARCH IMAGE text='x' USING m AS SELECT * FROM t))"
    )
    update = parse(text)
    assert isinstance(update.assignments[0].value.clauses[0], nodes.Convert)
    assert isinstance(update.where.clauses[0], nodes.Search)


@pytest.mark.parametrize(
    ("value", "index"),
    [("?", 1), ("$1", 1), ("? + 1", None), ("(?)", None), ("1", None)],
)
def test_a_value_that_is_only_a_parameter_is_known(value, index):
    assert parse(f"UPDATE t SET a = {value}").assignments[0].value.placeholder == index


def test_all_tables_of_a_truncate_are_read():
    truncate = parse("truncate table a, public.b;")
    assert [str(table) for table in truncate.tables] == ["a", "public.b"]
    assert parse("TRUNCATE a").tables[0].position == Position(1, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DELETE t", "expected FROM and a table, or MODEL, after DELETE, found 't'"),
        ("UPDATE t a = 1", "expected SET after UPDATE t, found '='"),
        ("UPDATE t = 1", "expected SET after t, found '='"),
        ("UPDATE t SET a 1", "expected '=' after column 'a', found '1'"),
        ("UPDATE t SET a =", "expected a value for column 'a', found end"),
        ("UPDATE t SET (a) = (1)", "expected a column, as in SET a = 1, b = 2"),
        ("UPDATE t SET a = 1, a = 2", "column 'a' is set twice"),
        ("UPDATE t SET a = 1)", "expected WHERE or the end of the statement"),
        ("DELETE FROM t WHERE", "expected a condition after WHERE, found end"),
        ("DELETE FROM t USING WHERE a", "expected a table after USING"),
        ("DELETE FROM t USING u UNION SELECT 1", "expected WHERE or the end"),
        ("DELETE FROM t WHERE (a", "'(' is not closed"),
        ("TRUNCATE", "expected a table name, found end"),
    ],
)
def test_what_is_missing_is_named(text, message):
    with pytest.raises(SyntaxError_) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.position is not None
