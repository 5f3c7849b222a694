"""ON CONFLICT as the parser reads it."""

from __future__ import annotations

import pytest

from thanosql_server.errors import SyntaxError_
from thanosql_server.sql.nodes import Insert, Unsupported
from thanosql_server.sql.parser import parse
from thanosql_server.sql.upserts import Upsert


def test_the_rows_end_where_the_conflict_begins():
    found = parse(
        "INSERT INTO s.t AS x (a, b) VALUES (?, DEFAULT) "
        "ON CONFLICT (a, B) DO UPDATE SET b = EXCLUDED.b + ?, x.c = DEFAULT "
        "WHERE x.b IN (SELECT 1);"
    )
    assert isinstance(found, Upsert)
    assert (str(found.table), found.alias, found.columns) == ("s.t", "x", ("a", "b"))
    assert found.query.text == "VALUES (?, DEFAULT)"
    assert [len(row) for row in found.rows] == [2]
    conflict = found.conflict
    assert [name for name, _ in conflict.columns] == ["a", "b"]
    assert [one.column for one in conflict.assignments] == ["b", "c"]
    assert conflict.assignments[0].value.text == "EXCLUDED.b + ?"
    assert conflict.assignments[1].value is None
    assert conflict.where.text == "x.b IN (SELECT 1)"
    assert [query.text[:6] for query in found.queries] == ["VALUES", "EXCLUD", "x.b IN"]


@pytest.mark.parametrize("rows", ["DEFAULT VALUES", "(a) SELECT 1", "VALUES (1)"])
@pytest.mark.parametrize("target", ["", "(a) ", "ON CONSTRAINT k "])
def test_do_nothing_needs_no_target(rows, target):
    found = parse(f"INSERT INTO t {rows} ON CONFLICT {target}DO NOTHING")
    assert found.conflict.assignments == ()
    assert found.conflict.constraint == ("k" if "k" in target else None)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM a JOIN b ON conflict = 1",
        "SELECT * FROM a JOIN b ON conflict.a = b.a",
        "SELECT * FROM (SELECT 1 FROM a JOIN b ON conflict (1))",
        "VALUES (' ON CONFLICT DO NOTHING', \"ON CONFLICT DO NOTHING\")",
    ],
)
def test_a_join_on_a_column_named_conflict_is_a_join(query):
    found = parse(f"INSERT INTO t {query}")
    assert type(found) is Insert
    assert found.query.text == query


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ON CONFLICT (a) DO", "expected NOTHING or UPDATE after DO, found end"),
        ("ON CONFLICT (a)", "expected DO NOTHING or DO UPDATE SET after ON CONFLICT"),
        ("ON CONFLICT (a DO NOTHING", "expected ',' or '\\)' after a column"),
        ("ON CONFLICT () DO NOTHING", "expected a column of a key, found '\\)'"),
        ("ON CONFLICT (lower(a)) DO NOTHING", "expected ',' or '\\)' after a column"),
        ("ON CONFLICT DO UPDATE SET a = 1", "DO UPDATE needs the columns of a key"),
        ("ON CONFLICT (a) DO UPDATE a = 1", "expected SET after DO UPDATE"),
        ("ON CONFLICT (a) DO UPDATE SET", "expected a column, found end"),
        ("ON CONFLICT (a) DO UPDATE SET a = 1 WHERE", "expected a condition after"),
        ("ON CONFLICT DO NOTHING WHERE a", "expected the end of the statement"),
        ("ON CONFLICT ON CONSTRAINT DO NOTHING", "expected DO NOTHING or DO UPDATE"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(SyntaxError_, match=message):
        parse(f"INSERT INTO t VALUES (1) {text}")


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("(a) WHERE b DO NOTHING", "ON CONFLICT (...) WHERE"),
        ("(a) DO NOTHING RETURNING a", "INSERT ... RETURNING"),
        ("(a) DO UPDATE SET a = 1 RETURNING a", "INSERT ... RETURNING"),
        ("(a) DO UPDATE SET a = 1 WHERE b RETURNING a", "INSERT ... RETURNING"),
    ],
)
def test_what_is_not_served_is_named(text, verb):
    found = parse(f"INSERT INTO t VALUES (1) ON CONFLICT {text}")
    assert isinstance(found, Unsupported)
    assert found.verb == verb
