"""CREATE INDEX, DROP INDEX and SHOW INDEXES as data."""

import pytest

from thanosql_server.sql.indexes import CreateIndex, DropIndex, ShowIndexes
from thanosql_server.sql.nodes import SelectStatement
from thanosql_server.sql.parser import parse


def test_an_index_says_what_it_is_of():
    node = parse(
        'create index if not exists Near on public."T" using hnsw (V) '
        "with (M=8, metric='l2')"
    )
    assert isinstance(node, CreateIndex)
    assert (node.name, node.table.parts, node.method) == (
        "near",
        ("public", "T"),
        "hnsw",
    )
    assert (node.column, node.operators) == ("v", None)
    assert dict(node.options) == {"m": 8, "metric": "l2"}
    assert node.if_not_exists


@pytest.mark.parametrize("word", ["WITH", "OPTIONS"])
def test_options_have_two_words(word):
    node = parse(f"CREATE INDEX CONCURRENTLY i ON t USING HNSW (v) {word} (m=?)")
    assert node.parameter_count == 1
    assert not node.if_not_exists
    assert list(node.options) == ["m"]
    assert not parse("CREATE INDEX i ON t USING HNSW (v)").options


def test_operators_stand_behind_the_column():
    node = parse("CREATE INDEX i ON t USING hnsw (v vector_l2_ops);")
    assert (node.column, node.operators) == ("v", "vector_l2_ops")


def test_several_indexes_are_dropped_at_once():
    node = parse('DROP INDEX IF EXISTS a, "B" CASCADE')
    assert isinstance(node, DropIndex)
    assert [name for name, _ in node.names] == ["a", "B"]
    assert node.if_exists


@pytest.mark.parametrize("sql", ["SHOW INDEXES", "SHOW INDEX", "show indexes;"])
def test_all_indexes_are_shown(sql):
    assert parse(sql).table is None


@pytest.mark.parametrize("word", ["FROM", "IN", "ON"])
def test_indexes_of_a_table_are_shown(word):
    node = parse(f"SHOW INDEXES {word} public.t")
    assert isinstance(node, ShowIndexes)
    assert node.table.parts == ("public", "t")


def test_other_things_are_shown_as_before():
    assert isinstance(parse("SHOW TABLES"), SelectStatement)
    assert isinstance(parse("SELECT index FROM (LIST INDEX)"), SelectStatement)
