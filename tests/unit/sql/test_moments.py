import pytest

from thanosql_server.sql.moments import moments_in
from thanosql_server.sql.nodes import Span


def rewritten(sql):
    for moment in reversed(moments_in(sql, Span(0, len(sql)))):
        sql = sql[: moment.span.start] + moment.sql + sql[moment.span.end :]
    return sql


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("timestamp '9999-12-31'", "CAST('9999-12-31' AS TIMESTAMP(6))"),
        ("TIMESTAMP '0001-01-01 00:00:00'", None),
        ("TIMESTAMP WITH TIME ZONE '2262-01-01 00:00:00+00'", None),
        ("TIMESTAMP WITHOUT TIME ZONE '1677-01-01'", None),
    ],
)
def test_literals_that_nanoseconds_do_not_hold_are_written_anew(sql, wanted):
    text = sql[sql.index("'") :]
    whole = f"SELECT a, {sql}, 'x' FROM t"
    assert rewritten(whole) == (
        f"SELECT a, {wanted or f'CAST({text} AS TIMESTAMP(6))'}, 'x' FROM t"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT TIMESTAMP '2020-01-01 00:00:00'",
        "SELECT TIMESTAMP '2262-04-11 23:47:16.854775807'",
        "SELECT TIMESTAMP(3) '9999-12-31'",
        "SELECT 'TIMESTAMP ''9999-12-31'''",
        "SELECT 1 -- TIMESTAMP '9999-12-31'",
        "SELECT timestamp FROM t",
        "SELECT a AS timestamp, '9999-12-31'",
        "SELECT TIMESTAMP 'now'",
        "SELECT TIMESTAMP",
        "SELECT \"timestamp\" '9999-12-31'",
    ],
)
def test_all_else_stays(sql):
    assert rewritten(sql) == sql


def test_only_the_moments_of_the_piece_are_returned():
    sql = "SELECT TIMESTAMP '9999-12-31', TIMESTAMP '0001-01-01'"
    place = sql.index(",")
    assert len(moments_in(sql, Span(0, len(sql)))) == 2
    for piece in (Span(0, place), Span(place, len(sql))):
        assert len(moments_in(sql, piece)) == 1
    assert not moments_in(sql, Span(0, 5))
