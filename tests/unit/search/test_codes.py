"""The limits drawn from bytes hold for the float32 score, whatever the vectors."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql_server.search.codes import Codes, length_error
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.limits import LARGEST_DIM, CodedQuery, Most
from thanosql_server.search.measures import COSINE, DISTANCE, INNER, MEASURES

PRODUCT = Int8Product(2)


def coded(matrix):
    rows = Codes.empty(*matrix.shape)
    rows.encode(matrix)
    return rows


def vectors(rows, dim, seed, kind):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((rows, dim)).astype("f4")
    if kind == "spiky":
        matrix *= random.random((rows, dim)) < 0.05
    if kind == "one direction":
        matrix = np.abs(matrix)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    if kind == "any length":
        matrix *= (10 ** random.uniform(-40, 37, (rows, 1))).astype("f4")
    if kind == "some zero":
        matrix[::2] = 0
    return matrix


KINDS = ("unit", "spiky", "one direction", "any length", "some zero")


@settings(deadline=None, max_examples=300)
@given(
    rows=st.integers(1, 400),
    dim=st.one_of(st.integers(1, 40), st.sampled_from([127, 512, 1024, 1536, 3000])),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    query_kind=st.sampled_from(KINDS),
    like=st.booleans(),
    measure=st.sampled_from(list(MEASURES.values())),
)
def test_ranks_lie_within_the_limits(rows, dim, seed, kind, query_kind, like, measure):
    matrix = vectors(rows, dim, seed, kind)
    query = vectors(2, dim, seed + 1, query_kind)[1]
    query = matrix[0] if like else query
    coded_query = CodedQuery.of(query, measure)
    if coded_query is None:
        assert not query.any()
        return
    codes = coded(matrix)
    products = PRODUCT(codes.codes, coded_query.codes[None])[0]
    exact = codes.codes.astype("i8") @ coded_query.codes.astype("i8")
    assert products.tolist() == exact.tolist()
    scores, defined = measure.compare(matrix, query)
    ranks = -scores if measure.nearest_is_least else scores
    if measure is COSINE:
        assert (codes.length[defined] > 0).all()
    else:
        assert defined.all()
    for lower, upper in (
        coded_query.limits(codes, products),
        coded_query.close_limits(codes),
    ):
        assert (lower[defined] <= ranks[defined]).all()
        assert (ranks[defined] <= upper[defined]).all()
    for least in (-np.inf, -0.5, float(np.median(ranks)), float(ranks.max())):
        near = coded_query.reaching(codes, Most.of(codes), products, least)
        assert set(np.flatnonzero(defined & (ranks >= least))) <= set(near)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [1, 3, 512, 3000])
def test_codes_and_lengths_are_as_close_as_they_tell(dim, kind):
    matrix = vectors(500, dim, 0, kind)
    codes, exact = coded(matrix), matrix.astype("f8")
    lengths = np.linalg.norm(exact, axis=1)
    held = (lengths > 1e-37) & (lengths < 3e38)
    off = np.abs(codes.length[held] - lengths[held]) / lengths[held]
    assert (off <= length_error(dim)).all()
    assert ((codes.length > 0) == (lengths > 0)).all()
    directions = exact / np.where(lengths > 0, lengths, 1)[:, None]
    apart = directions - codes.codes * codes.scale[:, None].astype("f8")
    assert (np.linalg.norm(apart, axis=1) <= codes.error).all()


def test_limits_of_unit_vectors_are_close():
    """What makes the screening worth it: few rows remain."""
    matrix, query = vectors(2000, 512, 0, "unit"), vectors(1, 512, 1, "unit")[0]
    codes = coded(matrix)
    for measure, wide in ((COSINE, 0.05), (INNER, 0.05), (DISTANCE, 0.07)):
        coded_query = CodedQuery.of(query, measure)
        lower, upper = coded_query.limits(
            codes, PRODUCT(codes.codes, coded_query.codes[None])[0]
        )
        assert (upper - lower).max() < wide
        lower, upper = coded_query.close_limits(codes)
        assert (upper - lower).max() < wide / 2


@pytest.mark.parametrize("measure", list(MEASURES.values()), ids=lambda one: one.name)
def test_a_query_without_a_direction_is_not_coded(measure):
    for number in (0.0, np.nan, np.inf):
        assert CodedQuery.of(np.full(4, number), measure) is None
    long = CodedQuery.of(np.full(4, 1e300), measure)
    assert (long is None) == (measure is not COSINE)


def test_work_is_spread_once_over_all_items():
    done = []
    PRODUCT.spread(done.append, range(100))
    assert sorted(done) == list(range(100))


def test_a_failure_in_one_thread_stops_the_others():
    done = []

    def work(item):
        done.append(item)
        raise KeyError(item)

    with pytest.raises(KeyError):
        PRODUCT.spread(work, range(1000))
    assert len(done) <= 2


@pytest.mark.parametrize("queries", [1, 2, 3, 64])
@pytest.mark.parametrize("dim", [1, 63, 512, 513, 3000, LARGEST_DIM])
def test_products_of_bytes_are_exact(dim, queries):
    random = np.random.default_rng(dim)
    shape = (20 if dim == LARGEST_DIM else 300, dim)
    rows = random.integers(-127, 128, shape).astype("i1")
    rows[0], rows[1] = 127, -127
    asked = np.resize(rows, (queries, dim))
    exact = asked.astype("f8") @ rows.astype("f8").T
    products = PRODUCT(rows, asked)
    assert products.shape == exact.shape
    assert (products == exact).all()


def test_searches_without_torch():
    """It takes seconds to import, which the first search would wait for."""
    code = (
        "import sys\n"
        "from thanosql_server.search.int8_product import Int8Product\n"
        "sys.exit(not Int8Product(1).available or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
