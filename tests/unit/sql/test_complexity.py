"""How long a statement may be, and how much may stand inside itself."""

from __future__ import annotations

import pytest

from thanosql_server.errors import StatementTooComplex
from thanosql_server.sql import complexity
from thanosql_server.sql.parser import parse

N = 20_000


def chain(operator, part="1", count=N):
    return operator.join([part] * count)


TOO_DEEP = [
    f"SELECT {chain('||')}",
    f"SELECT {chain(' + ')}",
    f"SELECT {chain('+', '(1)')}",
    f"SELECT {chain('+', 'abs(1)')}",
    f"SELECT {chain(' AND ', 'a')}",
    f"SELECT 1 WHERE {chain(' OR ', 'a = 1')}",
    f"SELECT 1{'::int' * N}",
    f"SELECT a{'[1]' * N}",
    f"SELECT a{' IS NULL' * N}",
    f"SELECT a{' COLLATE b' * N}",
    f"SELECT a{'.b' * N}",
    f"SELECT x, (SELECT {chain('+')})",
    # The chain inside counts with the one around it, wherever that stands.
    f"SELECT ({chain('+', count=2_000)}) + {chain('+', count=2_000)}",
    f"SELECT {chain('+', count=2_000)} + ({chain('+', count=2_000)})",
    f"SELECT f(1, {chain('+', count=2_000)}, 2) + {chain('+', count=2_000)}",
]
TOO_MANY = [
    chain(" UNION ALL ", "SELECT 1"),
    "SELECT 1 FROM t" + " JOIN t USING (a)" * N,
    "SELECT 1 FROM " + chain(", ", "t"),
    "SELECT 1 FROM " + chain(", ", "(SELECT 1) t"),
    "WITH " + ", ".join(f"c{n} AS (SELECT * FROM c{n - 1})" for n in range(N)) + " x",
]


@pytest.mark.parametrize("text", TOO_DEEP, ids=range(len(TOO_DEEP)))
def test_an_expression_may_not_be_too_deep(text):
    with pytest.raises(StatementTooComplex, match="an expression has more than 5,000"):
        parse(text)


@pytest.mark.parametrize("text", TOO_MANY, ids=range(len(TOO_MANY)))
def test_a_statement_may_not_hold_too_many_queries(text):
    with pytest.raises(StatementTooComplex, match="more than 500 queries and joins"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES " + chain(", ", "(1, 'a', 1 + 2)"),
        f"SELECT * FROM t WHERE a IN ({chain(', ')})",
        f"SELECT {chain(', ', 'a + 1')} FROM t",
        f"SELECT CASE {chain(' ', 'WHEN a = 1 THEN 2')} ELSE 3 END",
        f"SELECT coalesce({chain(', ', 'a || b')})",
        f"SELECT [{chain(', ')}]",
        f"SELECT '{'x' * 1_000_000}'",
        chain(" UNION ALL ", "SELECT 1", 200),
        f"SELECT 1 WHERE {chain(' OR ', 'a = 1', 1_000)}",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    ],
)
def test_long_lists_are_no_trouble(text):
    assert parse(text).text == text


def test_a_text_may_not_be_too_long(monkeypatch):
    monkeypatch.setattr(complexity, "MAX_LENGTH", 100)
    assert parse("SELECT 1" + " " * 92)
    with pytest.raises(StatementTooComplex, match="has 101 characters"):
        parse("SELECT 1" + " " * 93)


def test_the_place_is_told():
    with pytest.raises(StatementTooComplex) as caught:
        parse("SELECT\n" + chain("+"))
    assert str(caught.value.position) == "line 2, column 5001"
