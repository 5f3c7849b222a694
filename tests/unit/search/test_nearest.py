"""Every way to the nearest rows finds the rows that a full comparison finds."""

import platform
import re
import threading
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, InvalidData
from thanosql_server.search import nearest as nearest_module
from thanosql_server.search.exact import Comparison
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.measures import COSINE, DISTANCE, INNER, MEASURES
from thanosql_server.search.nearest import Nearest, Search
from thanosql_server.search.resident import Residents
from thanosql_server.storage import plain_rows
from thanosql_server.storage import table as table_module
from thanosql_server.storage.scan import ROW_ID
from thanosql_server.storage.scratch import Scratch
from thanosql_server.storage.table import Table
from thanosql_server.storage.tables import TableStore
from thanosql_server.storage.views import ViewStore

ROWS, DIM = 3000, 24
ALL = list(MEASURES.values())
GLIBC = platform.libc_ver()[0] == "glibc"
PRODUCT = Int8Product(2)


@pytest.fixture
def store(tmp_path):
    scratch = Scratch(tmp_path / "trash")
    views = ViewStore(tmp_path / "views", scratch)
    yield TableStore(tmp_path / "tables", scratch, views)
    scratch.close()


@pytest.fixture
def residents():
    return Residents(64 << 20, 2)


@pytest.fixture
def nearest(residents):
    return Nearest(residents, PRODUCT)


def comparing():
    return Nearest(Residents(0), PRODUCT)


def unit(rows, dim=DIM, seed=0, clusters=None):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((rows, dim))
    if clusters:
        centres = random.standard_normal((clusters, dim))
        matrix = centres[random.integers(0, clusters, rows)] + 0.3 * matrix
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix.astype("f4")


def with_vectors(matrix, missing=(), first=0):
    flat = pa.array(matrix.ravel(), pa.float32())
    mask = np.isin(np.arange(len(matrix)), list(missing))
    column = pa.FixedSizeListArray.from_arrays(
        flat, matrix.shape[1], mask=pa.array(mask)
    )
    ids = np.arange(first, first + len(matrix))
    return pa.table({"id": ids, "cat": ids % 100, "e": column})


def make(store, table, name="t", rows=1 << 20):
    store.create(name, table.to_reader(max_chunksize=rows), overwrite=True)
    return store.open(name)


def assert_same(nearest, table, queries, k, filter=None, measure=COSINE):
    """Check against the comparison of all rows, and that against float64."""
    search = Search(table, "e", queries, k, filter, measure)
    found = nearest.find(search, Control())
    ids, usable, exact = exact_scores(table, queries, filter, measure)
    for one, query, scores in zip(found, queries, exact, strict=True):
        batches = table.scan(["e"], filter, row_ids=True)
        comparison = Comparison(lambda query=query: query, measure)
        assert one.rows() == comparison.nearest(batches, "e", ROW_ID, k)
        own = dict(zip(ids.tolist(), scores, strict=True))
        ranked = np.sort(scores[usable])
        best = ranked if measure.nearest_is_least else ranked[::-1]
        assert len(one.ids) == len(set(one.rows())) == min(k, len(ids))
        assert len(one.scores) == min(k, len(best))
        given = [own[row] for row in one.rows()[: len(one.scores)]]
        np.testing.assert_allclose(one.scores, best[:k], rtol=1e-6, atol=2e-6)
        np.testing.assert_allclose(one.scores, given, rtol=1e-6, atol=2e-6)
    return found


def exact_scores(table, queries, filter, measure):
    """Ids of the rows that pass, which can be compared, and their float64 scores."""
    batches = list(table.scan(["e"], filter, row_ids=True))
    schema = pa.schema([table.schema.field("e"), ("_rowid", pa.uint64())])
    stored = pa.Table.from_batches(batches, schema).combine_chunks()
    column = stored["e"].combine_chunks()
    flat = column.values.to_numpy(zero_copy_only=False).reshape(-1, queries.shape[1])
    matrix = flat[column.offset : column.offset + len(column)].astype("f8")
    usable = ~column.is_null().to_numpy(zero_copy_only=False)
    usable &= np.isfinite(matrix).all(axis=1)
    lengths = np.linalg.norm(np.where(usable[:, None], matrix, 0), axis=1)
    if measure is COSINE:
        usable &= lengths > 0
    matrix = np.where(usable[:, None], matrix, 0)
    queries = queries.astype("f8")
    if measure is DISTANCE:
        scores = [np.linalg.norm(matrix - query, axis=1) for query in queries]
    elif measure is INNER:
        scores = [matrix @ query for query in queries]
    else:
        matrix = matrix / np.where(usable, lengths, 1)[:, None]
        scores = [matrix @ (query / np.linalg.norm(query)) for query in queries]
    return stored["_rowid"].to_numpy(), usable, scores


def duplicated(seed):
    return unit(40, seed=seed)[np.random.default_rng(seed).integers(0, 40, ROWS)]


def with_zeros(seed):
    matrix = unit(ROWS, seed=seed)
    matrix[::3] = 0
    return matrix


def of_any_length(seed):
    lengths = 10 ** np.random.default_rng(seed).uniform(-40, 38, (ROWS, 1))
    return (unit(ROWS, seed=seed) * lengths).astype("f4")


def with_bad_numbers(seed):
    matrix = unit(ROWS, seed=seed)
    matrix[5::50, 3] = np.nan
    matrix[6::50, 0] = np.inf
    return matrix


MATRICES = {
    "random": lambda seed: unit(ROWS, seed=seed),
    "clustered": lambda seed: unit(ROWS, seed=seed, clusters=30),
    "duplicated": duplicated,
    "with zeros": with_zeros,
    "of any length": of_any_length,
    "with bad numbers": with_bad_numbers,
}


@pytest.mark.parametrize("measure", ALL, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", MATRICES)
def test_the_rows_of_a_full_comparison_are_found(store, nearest, kind, measure):
    matrix = MATRICES[kind](7)
    table = make(store, with_vectors(matrix, missing=range(0, ROWS, 17)))
    queries = np.concatenate([unit(2, seed=1), unit(ROWS, seed=7)[[10, 11]]])
    for k in (0, 1, 10, 300, ROWS - 1, ROWS + 5):
        assert_same(nearest, table, queries, k, None, measure)
        assert_same(nearest, table, queries[:1], k, None, measure)


@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.integers(1000, 4000),
    dim=st.one_of(st.integers(1, 40), st.integers(60, 200)),
    k=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    measure=st.sampled_from(list(MEASURES.values())),
    clusters=st.sampled_from([None, 1, 30]),
    longest=st.sampled_from([0, 0.3, 3, 30]),
    length=st.sampled_from([1, 1e-3, 1e30, 1e-30]),
    wide=st.booleans(),
    nulls=st.booleans(),
    below=st.one_of(st.none(), st.integers(0, 100)),
)
def test_any_search_finds_what_a_comparison_finds(
    store, rows, dim, k, seed, measure, clusters, longest, length, wide, nulls, below
):
    random = np.random.default_rng(seed)
    lengths = 10 ** random.uniform(-longest, longest, (rows, 1))
    matrix = (unit(rows, dim, seed, clusters) * lengths).astype("f4")
    lacking = random.integers(0, rows // 2) if nulls else 0
    missing = random.choice(rows, lacking, replace=False)
    table = make(store, with_vectors(matrix, missing), rows=999)
    query = unit(1, dim, seed + 1)[0] * length
    query = matrix[0] if random.random() < 0.3 else query
    query = query.astype("f8" if wide else "f4")
    filter = None if below is None else pc.field("cat") < below
    batches = table.scan(["e"], filter, row_ids=True)
    comparison = Comparison(lambda: query, measure, strict=True)
    search = Search(table, "e", query[None], k, filter, measure, strict=True)
    residents = Residents(64 << 20, 2)
    (found,) = Nearest(residents, PRODUCT).find(search, Control())
    assert found.rows() == comparison.nearest(batches, "e", ROW_ID, k)
    assert filter is not None or residents.has(table, "e", dim)


@pytest.mark.parametrize("measure", ALL, ids=lambda one: one.name)
def test_a_vector_of_another_length_is_an_error_if_strict(store, nearest, measure):
    table = make(store, with_vectors(unit(ROWS), missing=range(5)))
    query = unit(1, DIM + 1)
    with pytest.raises(InvalidData, match=f"{DIM} and {DIM + 1}"):
        nearest.find(
            Search(table, "e", query, 3, measure=measure, strict=True), Control()
        )
    (found,) = nearest.find(Search(table, "e", query, 3, measure=measure), Control())
    assert (found.rows(), len(found.scores)) == ([0, 1, 2], 0)


@pytest.mark.parametrize("dim", [1, 2, 7, 64, 513, 1536])
def test_vectors_of_any_dimension(store, nearest, residents, dim):
    table = make(store, with_vectors(unit(1200, dim)))
    assert_same(nearest, table, unit(3, dim, seed=2), 10)
    assert residents.has(table, "e", dim)


@pytest.mark.parametrize("seed", range(5))
def test_random_tables(store, nearest, seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(1000, 12_000))
    matrix = unit(rows, seed=seed, clusters=random.choice([None, 5, 200]))
    missing = random.choice(rows, random.integers(0, rows // 2), replace=False)
    table = make(store, with_vectors(matrix, missing), rows=999)
    filters = [None, pc.field("cat") < int(random.integers(0, 100)), pc.field("id") < 9]
    for filter in filters:
        for k in (1, 10, int(random.integers(1, rows))):
            assert_same(nearest, table, unit(4, seed=seed + 99), k, filter)


def test_the_rows_of_a_table_without_any_vector_come_in_order(store, nearest):
    table = make(store, with_vectors(unit(2000), missing=range(2000)))
    (found,) = assert_same(nearest, table, unit(1, seed=1), 5)
    assert (found.rows(), len(found.scores)) == ([0, 1, 2, 3, 4], 0)


@pytest.mark.parametrize("below", [0, 1, 5, 50, 100])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_filters_leave_k_rows_where_there_are_so_many(store, nearest, below, k):
    table = make(
        store, with_vectors(unit(ROWS, clusters=20), missing=range(0, ROWS, 9))
    )
    for _ in range(2):
        assert_same(nearest, table, unit(2, seed=3), k, pc.field("cat") < below)
        assert_same(nearest, table, unit(2, seed=3), k)


@pytest.fixture
def scans(monkeypatch):
    """Note the filters that are run."""
    seen, scan = [], Table.scan

    def noting(table, columns=None, filter=None, **options):
        if filter is not None and columns == []:
            seen.append(str(filter))
        return scan(table, columns, filter, **options)

    monkeypatch.setattr(Table, "scan", noting)
    return seen


def test_a_filter_that_comes_again_is_not_run_again(store, nearest, scans):
    table = make(store, with_vectors(unit(ROWS)))
    for seed in range(3):
        assert_same(nearest, table, unit(1, seed=seed), 7, pc.field("cat") < 50)
        assert_same(nearest, store.open("t"), unit(2, seed=9), 7, pc.field("cat") < 9)
    assert len(scans) == 2
    for below in range(30, 40):
        assert_same(nearest, table, unit(1), 7, pc.field("cat") < below)
    assert_same(nearest, table, unit(1), 7, pc.field("cat") < 50)
    assert len(scans) == 13


def test_a_filter_is_run_again_for_what_has_changed(store, nearest, scans):
    filter = pc.field("cat") < 50
    for _ in range(2):
        make(store, with_vectors(unit(ROWS)))
        assert_same(nearest, store.open("t"), unit(1, seed=3), 9, filter)
        delete(store.open("t"), "id % 7 = 3")
        assert_same(nearest, store.open("t"), unit(1, seed=3), 9, filter)
        more = with_vectors(unit(900, seed=4), first=ROWS)
        store.append("t", more.to_reader())
        assert_same(nearest, store.open("t"), unit(1, seed=3), 9, filter)
        lance.dataset(store.open("t").place).update({"cat": "cat + 1"}, "id % 5 = 0")
        assert_same(nearest, store.open("t"), unit(1, seed=3), 9, filter)
        store.drop("t")
        make(store, with_vectors(unit(ROWS, seed=8), first=50))
        assert_same(nearest, store.open("t"), unit(1, seed=3), 9, filter)
    assert len(scans) == 10


def test_a_filter_on_the_vectors_themselves(store, nearest):
    table = make(store, with_vectors(unit(ROWS), missing=range(2000)))
    assert_same(nearest, table, unit(1, seed=1), 7, pc.field("e").is_null())
    assert_same(nearest, table, unit(1, seed=1), 7, ~pc.field("e").is_null())


def test_appended_rows_are_found_and_only_they_are_read(store, nearest, monkeypatch):
    table = make(store, with_vectors(unit(ROWS)))
    query = unit(1, seed=5)
    assert_same(nearest, table, query, 5)
    read = reads(monkeypatch)
    for part in range(3):
        more = unit(500, seed=50 + part)
        more[3] = query[0]
        store.append("t", with_vectors(more, first=ROWS + 500 * part).to_reader())
        table = store.open("t")
        (found,) = assert_same(nearest, table, query, 5)
        assert found.scores[0] == pytest.approx(1)
    assert read == [{1}, {2}, {3}]


@pytest.fixture
def taken(monkeypatch):
    """Note how often rows are fetched by their ids."""
    seen, take = [], Table.take

    def noting(table, rows, columns=None):
        seen.append(len(rows))
        return take(table, rows, columns)

    monkeypatch.setattr(Table, "take", noting)
    return seen


WIDE = 96
"""Numbers of vectors that are long enough to lie in their file as they are."""


def test_candidates_are_read_by_their_place(store, nearest, taken):
    query = unit(1, WIDE, seed=5)
    make(store, with_vectors(unit(ROWS, WIDE, clusters=9)), rows=700)
    assert_same(nearest, store.open("t"), query, 9)
    more = unit(500, WIDE, seed=9)
    more[3] = query[0]
    store.append("t", with_vectors(more, first=ROWS).to_reader())
    (found,) = assert_same(nearest, store.open("t"), query, 9)
    assert found.scores[0] == pytest.approx(1)
    delete(store.open("t"), "id % 3 = 1")
    assert_same(nearest, store.open("t"), unit(5, WIDE, seed=6), 20)
    assert taken == []


def test_candidates_are_fetched_where_they_lie_otherwise(
    store, nearest, taken, monkeypatch
):
    """Nothing is believed of a file that does not hold what was read."""
    moved = plain_rows.plain_rows

    def elsewhere(file, column, dim):
        right = moved(file, column, dim)
        return replace(right, places=right.places + 4)

    monkeypatch.setattr(table_module, "plain_rows", elsewhere)
    table = make(store, with_vectors(unit(ROWS, WIDE)))
    assert_same(nearest, table, unit(2, WIDE, seed=5), 9)
    assert len(taken) == 1


def test_candidates_are_fetched_where_a_file_cannot_be_read(
    store, nearest, residents, taken
):
    table = make(store, with_vectors(unit(ROWS, WIDE)))
    query = unit(1, WIDE, seed=5)
    assert_same(nearest, table, query, 9)
    view = residents.view(table, "e", WIDE, Control())
    view._plain[0] = replace(view._plain[0], file=Path("gone"))
    assert_same(nearest, table, query, 9)
    assert len(taken) == 1


def reads(monkeypatch):
    """Note which fragments are read to be kept."""
    from thanosql_server.search import resident

    seen, read = [], resident._read

    def noting(table, column, dim, fragments, *others):
        seen.append({fragment.number for fragment in fragments})
        return read(table, column, dim, fragments, *others)

    monkeypatch.setattr(resident, "_read", noting)
    return seen


def delete(table, where):
    lance.dataset(table.place).delete(where)


def test_deleted_rows_are_not_found_and_nothing_is_read_again(
    store, nearest, monkeypatch
):
    table = make(store, with_vectors(unit(ROWS)))
    store.append("t", with_vectors(unit(ROWS, seed=9), first=ROWS).to_reader())
    table, query = store.open("t"), unit(1, seed=5)
    (before,) = assert_same(nearest, table, query, 10)
    read = reads(monkeypatch)
    best = before.rows()[0]
    delete(table, f"id = {best if best < ROWS else best - (1 << 32) + ROWS}")
    table = store.open("t")
    (after,) = assert_same(nearest, table, query, 10)
    assert after.rows()[:9] == before.rows()[1:]
    delete(table, "id % 7 = 3")
    assert_same(nearest, store.open("t"), query, 10)
    assert_same(nearest, store.open("t"), query, 10, pc.field("cat") < 50)
    assert read == []


def test_rows_deleted_before_the_first_search(store, nearest):
    table = make(store, with_vectors(unit(ROWS), missing=range(100)))
    delete(table, "id % 5 = 1")
    assert_same(nearest, store.open("t"), unit(2, seed=5), 10)
    delete(table, "id < 1500")
    assert_same(nearest, store.open("t"), unit(2, seed=5), 10)


def test_deletes_after_deletes_read_nothing_again(store, nearest, monkeypatch):
    table = make(store, with_vectors(unit(ROWS)))
    delete(table, "id % 5 = 1")
    assert_same(nearest, store.open("t"), unit(1, seed=5), 10)
    read = reads(monkeypatch)
    delete(table, "id % 5 = 2")
    assert_same(nearest, store.open("t"), unit(1, seed=5), 10)
    assert read == []


def test_rows_that_come_back_are_found(store, nearest):
    table, query = make(store, with_vectors(unit(ROWS))), unit(1, seed=5)
    (before,) = comparing().find(Search(table, "e", query, 10), Control())
    delete(table, f"id = {before.rows()[0]}")
    assert_same(nearest, store.open("t"), query, 10)
    lance.dataset(table.place, version=table.version).restore()
    (found,) = assert_same(nearest, store.open("t"), query, 10)
    assert found.rows() == before.rows()


def test_a_cancelled_reading_keeps_what_was_there(store, nearest, monkeypatch):
    table, query = make(store, with_vectors(unit(ROWS))), unit(1, seed=5)
    assert_same(nearest, table, query, 10)
    store.append("t", with_vectors(unit(1000, seed=3), first=ROWS).to_reader())
    read, control = reads(monkeypatch), Control()
    control.cancel()
    with pytest.raises(Cancelled):
        nearest.find(Search(store.open("t"), "e", query, 10), control)
    assert_same(nearest, store.open("t"), query, 10)
    assert read == [{1}, {1}]


def test_a_replaced_table_is_read_anew_and_the_old_version_stays_right(store, nearest):
    old = make(store, with_vectors(unit(ROWS)))
    assert_same(nearest, old, unit(1, seed=5), 5)
    new = make(store, with_vectors(unit(ROWS, seed=77)))
    assert_same(nearest, new, unit(1, seed=5), 5)
    assert_same(nearest, old, unit(1, seed=5), 5)
    assert_same(nearest, new, unit(1, seed=5), 5)
    store.drop("t")
    assert_same(nearest, make(store, with_vectors(unit(ROWS, seed=78))), unit(1), 5)


def test_the_least_recently_searched_column_makes_room(store):
    size = ROWS * (DIM + 17)
    residents = Residents(2 * size + 10)
    nearest = Nearest(residents, PRODUCT)
    tables = [make(store, with_vectors(unit(ROWS, seed=n)), f"t{n}") for n in range(3)]
    for n in (0, 1, 0, 2):
        assert_same(nearest, tables[n], unit(1, seed=5), 5)
        assert residents.used <= residents.budget
    assert [residents.has(tables[n], "e", DIM) for n in range(3)] == [True, False, True]


def test_a_column_larger_than_the_budget_is_compared_as_it_is_read(store):
    residents = Residents(ROWS * DIM)
    table = make(store, with_vectors(unit(ROWS)))
    nearest = Nearest(residents, PRODUCT)
    assert_same(nearest, table, unit(2, seed=5), 5)
    assert residents.used == 0
    way, reason = nearest.path(table, "e", DIM)
    assert way == "full scan"
    assert "search_memory" in reason


def test_small_tables_and_lists_of_varying_length_are_compared(store, nearest):
    small = make(store, with_vectors(unit(50)), "small")
    assert_same(nearest, small, unit(1, seed=5), 5)
    assert "fewer than" in nearest.path(small, "e", DIM)[1]
    wide = pa.array(unit(2000).tolist(), pa.list_(pa.float64(), DIM))
    table = make(store, pa.table({"id": np.arange(2000), "e": wide}), "wide")
    assert_same(nearest, table, unit(1, seed=5), 5)
    assert "float64" in nearest.path(table, "e", DIM)[1]
    lists = pa.array([v.tolist() for v in unit(2000)], pa.list_(pa.float32()))
    table = make(store, pa.table({"id": np.arange(2000), "e": lists}))
    assert_same(nearest, table, unit(1, seed=5), 5)
    assert "fixed size" in nearest.path(table, "e", DIM)[1]


def test_many_threads_read_a_column_once(store, nearest, monkeypatch):
    table = make(store, with_vectors(unit(ROWS, clusters=9)))
    read, found = reads(monkeypatch), []

    def search(n):
        found.extend(
            nearest.find(Search(table, "e", unit(1, seed=n % 3), 10), Control())
        )

    run_all(search, 12)
    assert read == [{0}]
    assert len(found) == 12
    assert len({tuple(one.rows()) for one in found}) == 3


def run_all(work, count):
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_cancelled_reader_leaves_the_work_to_those_who_wait(
    store, nearest, residents, monkeypatch
):
    table = make(store, with_vectors(unit(20_000)))
    cancelled, reading, outcome = Control(), threading.Event(), {}
    check = cancelled.check

    def check_and_wait():
        reading.set()
        waiting.wait(30)
        check()

    cancelled.check = check_and_wait
    waiting = threading.Event()

    def search(name, control):
        try:
            outcome[name] = nearest.find(Search(table, "e", unit(1), 3), control)
        except Cancelled as error:
            outcome[name] = error

    first = threading.Thread(target=search, args=("first", cancelled))
    first.start()
    assert reading.wait(30)
    others = [threading.Thread(target=search, args=(n, Control())) for n in ("a", "b")]
    for thread in others:
        thread.start()
    cancelled.cancel()
    waiting.set()
    for thread in (first, *others):
        thread.join(60)
    assert isinstance(outcome["first"], Cancelled)
    expected = comparing().find(Search(table, "e", unit(1), 3), Control())[0].rows()
    assert outcome["a"][0].rows() == outcome["b"][0].rows() == expected
    assert residents.has(table, "e", DIM)


def test_one_who_waits_can_be_cancelled(store, nearest, residents):
    table = make(store, with_vectors(unit(ROWS)))
    column = residents._column((table.place, "e", DIM))
    control = Control()
    with column.held(Control()):
        threading.Timer(0.1, control.cancel).start()
        with pytest.raises(Cancelled):
            nearest.find(Search(table, "e", unit(1), 3), control)
    assert_same(nearest, table, unit(1), 3)


def test_many_equal_rows_are_found_in_order(store, nearest, monkeypatch):
    table = make(store, with_vectors(np.repeat(unit(3), 4000, axis=0)))
    (found,) = assert_same(nearest, table, unit(3)[1:2], 10)
    assert found.rows() == list(range(4000, 4010))


def test_few_rows_that_pass_a_filter_are_fetched_without_reading_the_column(
    store, nearest, residents, monkeypatch
):
    table = make(store, with_vectors(unit(ROWS)))
    monkeypatch.setattr(nearest_module, "GATHERED_ROWS", 100)
    assert_same(nearest, table, unit(1, seed=1), 10, pc.field("cat") < 1)
    assert not residents.has(table, "e", DIM)
    assert_same(nearest, table, unit(1, seed=1), 10, pc.field("cat") < 9)
    assert residents.has(table, "e", DIM)


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told to give memory back")
def test_reading_a_column_leaves_little_but_its_codes(store, nearest):
    table = make(store, with_vectors(unit(100_000, 256)))
    nearest.find(Search(table, "e", unit(1, 256), 3, pc.field("id") < 5), Control())
    before = own_memory()
    assert nearest._residents.view(table, "e", 256, Control()).rows == 100_000
    assert own_memory() - before < 2 * 100_000 * 256


def own_memory():
    """Bytes of this process that no file has."""
    (line,) = re.findall(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(line) << 10
