"""Calls of our functions as the engine plans them."""

import pyarrow as pa
import pytest

from thanosql_server.control import Control
from thanosql_server.errors import InvalidStatement


def test_calls_with_parameters_can_be_described_before_they_have_values(run):
    """Standard clients prepare a statement and learn its columns first."""
    plan = run.engine.plan(
        "SELECT embed_text(?, 'x') a, cosine_similarity([1, 2], ?) b, "
        "l2_distance(embed_text(?, 'x'), ?) c, embed_text(?, name) d FROM "
        "(SELECT 'x' AS name)"
    )
    assert plan.schema.names == ["a", "b", "c", "d"]
    assert plan.schema.field("b").type == pa.float32()
    assert len(plan.parameters) == 5


def test_planning_computes_no_constant(numbers):
    """Planning has no effects and takes no time: the vectors come when it runs."""
    plan = numbers.engine.plan("SELECT cosine_similarity(e, ?) AS s FROM t")
    with pytest.raises(InvalidStatement, match="has 1 parameter, but 0 values"):
        list(plan.run(Control()))


def test_types_are_learned_wherever_a_call_stands(numbers):
    for sql in (
        "SELECT id FROM t WHERE l2_distance(e, e) = 0",
        "SELECT id FROM t ORDER BY l2_distance(e, e), id",
        "SELECT a.id FROM t a JOIN t b ON a.id = b.id AND l2_distance(a.e, b.e) < 1",
        "SELECT id FROM t GROUP BY id HAVING min(l2_distance(e, e)) = 0",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE inner_product(u.e, "
        "t.e) > 0 AND u.id = t.id)",
        "SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY id "
        "ORDER BY l2_distance(e, e)) = 1",
        "WITH s AS (SELECT * FROM t WHERE l2_distance(e, e) = 0) SELECT id FROM s",
    ):
        assert sorted(numbers(sql).column("id").to_pylist()) == list(range(1000)), sql


def test_the_same_words_in_two_queries_may_mean_other_types(numbers):
    found = numbers(
        "SELECT sum(d) AS d FROM (SELECT l2_distance(e, e) AS d FROM t UNION ALL "
        "SELECT l2_distance(e, e) AS d FROM (SELECT [1.0, 2.0] AS e))"
    )
    assert found.column("d").to_pylist() == [0]
