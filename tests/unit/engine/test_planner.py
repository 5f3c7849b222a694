"""Top-k is recognised where it may be, and changes no answer where it is not."""

import numpy as np
import pyarrow as pa
import pytest

from thanosql_server.engine import session
from thanosql_server.engine.catalog import Catalog
from thanosql_server.engine.functions import comparison_function
from thanosql_server.engine.planner import give_hints, keeps_row_order
from thanosql_server.ml.encoder import embedding_type
from thanosql_server.search.exact import Comparison
from thanosql_server.search.measures import COSINE, DISTANCE, INNER

from .conftest import DIM, vectors

QUERY = vectors(1, seed=5)[0]
QUERIES = {
    "sim": Comparison(lambda: QUERY, COSINE),
    "dist": Comparison(lambda: QUERY, DISTANCE),
    "dot": Comparison(lambda: QUERY, INNER),
}
SCORED = "(SELECT x.*, sim(x.e, 'q') AS s FROM (SELECT * FROM t) AS x)"

RECOGNISED = [
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC LIMIT 5",
    f"SELECT a.id, a.s AS score FROM {SCORED} a ORDER BY a.s DESC LIMIT 5",
    f"SELECT id, s AS score FROM {SCORED} ORDER BY score DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY 2 DESC LIMIT 5",
    f"WITH c AS {SCORED} SELECT id, s FROM c ORDER BY s DESC LIMIT 5",
    f"WITH c AS {SCORED}, d AS (SELECT id i, s z FROM c) "
    "SELECT * FROM d ORDER BY z DESC LIMIT 5",
    f"SELECT * FROM (SELECT id, s FROM {SCORED} ORDER BY s DESC LIMIT 5)",
    f"SELECT id, s FROM {SCORED} WHERE cat IN (1, 2) AND id < 400 "
    "ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC LIMIT 5 OFFSET 3",
    f"SELECT id FROM {SCORED} ORDER BY s DESC LIMIT 5",
    f"SELECT id, cat, s FROM {SCORED} ORDER BY s DESC LIMIT 5",
    "SELECT id, sim(e, 'q') s FROM t ORDER BY sim(e, 'q') DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC NULLS LAST LIMIT 5",
    "SELECT id, cat FROM t ORDER BY 1 - sim(e, 'q') LIMIT 5",
    "SELECT id FROM t ORDER BY -sim(e, 'q') LIMIT 5",
    "SELECT id, -s AS z FROM (SELECT id, -sim(e, 'q') AS s FROM t) "
    "ORDER BY z DESC LIMIT 5",
    "SELECT id FROM t ORDER BY dist(e, 'q') LIMIT 5",
    "SELECT id FROM t ORDER BY -dist(e, 'q') DESC LIMIT 5",
    "SELECT id FROM t ORDER BY 2.5 - dist(e, 'q') / 2 DESC LIMIT 5",
    "SELECT id FROM t ORDER BY dist(e, 'q') * -3 + 1 DESC LIMIT 5",
    "SELECT id FROM t ORDER BY CAST(dot(e, 'q') AS REAL) DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE s > 0.2 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE 0.2 <= s AND cat < 5 AND s IS NOT NULL "
    "ORDER BY s DESC LIMIT 5",
    "SELECT id FROM t WHERE 1 - sim(e, 'q') < 0.9 ORDER BY sim(e, 'q') DESC LIMIT 5",
    "SELECT id FROM t WHERE dist(e, 'q') <= 1.2 ORDER BY dist(e, 'q') LIMIT 5",
]

LEFT_ALONE = [
    f"SELECT id, s FROM {SCORED} WHERE s < 0.2 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE s > 0.2 OR cat = 1 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE s BETWEEN 0 AND 0.2 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE s <> 0.2 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE dist(e, 'q') < 2 ORDER BY s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} WHERE s > cat ORDER BY s DESC LIMIT 5",
    "SELECT id FROM t WHERE dist(e, 'q') > 1 ORDER BY dist(e, 'q') LIMIT 5",
    "SELECT id FROM t ORDER BY dist(e, 'q') DESC LIMIT 5",
    "SELECT id FROM t ORDER BY 1 - sim(e, 'q') DESC LIMIT 5",
    "SELECT id FROM t ORDER BY abs(sim(e, 'q')) DESC LIMIT 5",
    "SELECT id FROM t ORDER BY sim(e, 'q') * cat DESC LIMIT 5",
    "SELECT id FROM t ORDER BY 1 / dist(e, 'q') DESC LIMIT 5",
    "SELECT id FROM t ORDER BY dist(e, 'q') * 0 LIMIT 5",
    "SELECT id FROM t ORDER BY CAST(dist(e, 'q') AS BIGINT) LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY s LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC",
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC, id LIMIT 5",
    f"SELECT id, s FROM {SCORED} ORDER BY s DESC NULLS FIRST LIMIT 5",
    f"SELECT a.id, a.s FROM {SCORED} a JOIN t ON a.id = t.id ORDER BY a.s DESC LIMIT 5",
    f"SELECT id, s FROM {SCORED} a WHERE EXISTS (SELECT 1 FROM t WHERE t.id = a.id "
    "AND t.cat = 1) ORDER BY s DESC LIMIT 5",
    f"SELECT cat, max(s) s FROM {SCORED} GROUP BY cat ORDER BY s DESC LIMIT 5",
    f"SELECT DISTINCT cat, round(s, 1) s FROM {SCORED} ORDER BY s DESC, cat LIMIT 5",
    f"SELECT id, s FROM {SCORED} UNION ALL SELECT id, s FROM {SCORED} "
    "ORDER BY s DESC LIMIT 5",
    f"SELECT id, s, row_number() OVER (ORDER BY id) r FROM {SCORED} "
    "ORDER BY s DESC LIMIT 5",
    f"SELECT id, s + sim(e, 'q') z FROM {SCORED} ORDER BY z DESC LIMIT 5",
    "SELECT x.id, sim(x.e, 'q') s FROM (SELECT * FROM t LIMIT 100) x "
    "ORDER BY s DESC LIMIT 5",
]


def planned(run, sql):
    """Return the frame, the catalog and the optimized plan of a query with sim()."""
    catalog = Catalog(run.workspace, lambda name, view: None)
    context = run.contexts.new(catalog)
    for name, comparison in QUERIES.items():
        context.register_udf(
            comparison_function(
                name, embedding_type(DIM), comparison, lambda work: work()
            )
        )
    frame = session.sql(context, sql)
    return frame, catalog, frame.optimized_logical_plan()


def answer(frame):
    return pa.Table.from_batches([b.to_pyarrow() for b in frame.execute_stream()])


def hinted(run, sql):
    frame, catalog, plan = planned(run, sql)
    hints = give_hints(plan, QUERIES, catalog.tables.handed_out)
    return hints[0].top_k if hints else None, answer(frame)


@pytest.mark.parametrize("sql", RECOGNISED)
def test_top_k_is_recognised_and_changes_nothing(numbers, sql):
    hint, found = hinted(numbers, sql)
    assert hint is not None
    assert (hint.column, hint.k) == ("e", 8 if "OFFSET" in sql else 5)
    assert found == answer(planned(numbers, sql)[0])
    assert found.num_rows == 5


@pytest.mark.parametrize("sql", LEFT_ALONE)
def test_other_shapes_are_left_alone(numbers, sql):
    assert hinted(numbers, sql)[0] is None


def test_a_filter_that_cannot_be_pushed_down_leaves_all_rows_to_datafusion(numbers):
    sql = f"SELECT id, s FROM {SCORED} WHERE name LIKE 'n1%' ORDER BY s DESC LIMIT 5"
    _, found = hinted(numbers, sql)
    assert found == answer(planned(numbers, sql)[0])
    assert found.num_rows == 5


def test_filters_run_before_the_search(numbers):
    """Five rows of category 3 are found although the best five of all are not."""
    sql = f"SELECT id, s FROM {SCORED} WHERE cat = 3 ORDER BY s DESC LIMIT 5"
    _, found = hinted(numbers, sql)
    scores = vectors() @ QUERY
    wanted = [i for i in np.argsort(-scores, kind="stable") if i % 7 == 3][:5]
    assert found.column("id").to_pylist() == wanted


@pytest.mark.parametrize(
    "body",
    [
        "SELECT id, f AS e FROM t",
        "SELECT id, f AS e, e AS f FROM t",
        "SELECT id, CASE WHEN id < 500 THEN e ELSE f END AS e FROM t",
        "SELECT b.id, a.e FROM (SELECT id, f AS e FROM t) a JOIN t b ON a.id = b.id",
    ],
)
def test_another_column_under_the_same_name_is_searched_as_itself(numbers, body):
    matrix = vectors(seed=1)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), DIM)
    table = numbers("SELECT id, e FROM t ORDER BY id").append_column("f", flat)
    numbers.workspace.tables.create("t", table.to_reader(), overwrite=True)
    sql = f"SELECT id, sim(e, 'q') AS s FROM ({body}) ORDER BY s DESC LIMIT 5"
    hint, found = hinted(numbers, sql)
    assert found == answer(planned(numbers, sql)[0])
    if "JOIN" not in body and "CASE" not in body:
        assert hint.column == "f"
        wanted = np.argsort(-(matrix @ QUERY), kind="stable")[:5]
        assert found.column("id").to_pylist() == wanted.tolist()
    else:
        assert hint is None


def test_a_plain_limit_is_handed_to_the_table(numbers):
    _, catalog, plan = planned(numbers, "SELECT * FROM t LIMIT 3")
    give_hints(plan, {}, catalog.tables.handed_out)
    assert {table.limit for table in catalog.tables.handed_out} == {3}


@pytest.mark.parametrize(
    ("sql", "keeps"),
    [
        ("SELECT id FROM t WHERE cat = 1 LIMIT 5", True),
        (f"SELECT * FROM {SCORED} WHERE s > 0", True),
        ("SELECT cat, count(*) FROM t GROUP BY cat", False),
        ("SELECT a.id FROM t a JOIN t b ON a.id = b.id", False),
    ],
)
def test_row_order_is_kept_where_there_is_one(numbers, sql, keeps):
    assert keeps_row_order(planned(numbers, sql)[2]) is keeps
