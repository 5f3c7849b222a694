"""Plain SQL goes through the parser and the rewriter byte for byte."""

from itertools import product

import pytest

from tests.unit.sql.known import Known
from tests.unit.sql.pairs import statements
from thanosql_server.sql.nodes import SelectStatement
from thanosql_server.sql.parser import parse
from thanosql_server.sql.rewriter import rewrite

WORDS = (
    "search",
    "Convert",
    "PRINT",
    "list",
    "copy",
    "predict",
    "function",
    '"search"',
)
MEDIA = ("image", "TEXT", "model", '"image"', "using_")
SHAPES = (
    "SELECT {verb} {medium} FROM t",
    "SELECT DISTINCT {verb} {medium}, 1 FROM t",
    "SELECT a.{verb}, {verb}.{medium} FROM {verb} {medium}",
    "SELECT {verb}({medium}) AS {medium} FROM t {verb}",
    "SELECT * FROM {verb} {medium} JOIN {verb} USING ({medium})",
    "SELECT * FROM ({verb} {medium} CROSS JOIN u)",
    "WITH {verb} AS (SELECT 1 AS {medium}) SELECT * FROM {verb} WHERE {medium} = 1",
    "SELECT ({verb}) {medium}, [{verb}, {medium}], {verb} + {medium} FROM t",
    "SELECT * FROM t WHERE {verb} = {medium} AND ({verb} IS NULL) ORDER BY {verb}, 1",
    "SELECT '{verb} {medium} x=1' -- {verb} {medium} using m as\nFROM t",
)


def unchanged(text):
    statement = parse(text)
    assert isinstance(statement, SelectStatement)
    return rewrite(statement.query, Known()).sql


@pytest.mark.parametrize(
    "text",
    [
        shape.format(verb=verb, medium=medium)
        for shape, verb, medium in product(SHAPES, WORDS, MEDIA)
    ],
)
def test_words_of_clauses_remain_good_names(text):
    assert unchanged(text) == text


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=odd) for odd, text in statements("plain.sql", "odd")]
)
def test_odd_sql_is_unchanged(text):
    assert unchanged(text) == text


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=number) for number, text in statements("tpch.sql", "query")],
)
def test_tpch_is_unchanged(text):
    assert unchanged(text) == text


def test_all_22_tpch_queries_are_there():
    numbers = [int(number) for number, _ in statements("tpch.sql", "query")]
    assert numbers == list(range(1, 23))


@pytest.mark.parametrize("around", ["{};", "-- a\n{}", "/* a */ {} -- b", " {} ;\n;; "])
def test_comments_and_semicolons_around_a_query_are_dropped(around):
    assert unchanged(around.format("SELECT 1")) == "SELECT 1"
