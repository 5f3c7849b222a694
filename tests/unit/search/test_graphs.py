"""Searches by a graph find what a comparison with every row finds."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.needs import NEEDS_HNSWLIB
from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, ResourceExhausted
from thanosql_server.search.graph_making import Maker
from thanosql_server.search.graphs import Graphs
from thanosql_server.search.indexed_columns import indexed_column
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.measures import COSINE, DISTANCE, MEASURES
from thanosql_server.search.nearest import Nearest, Search
from thanosql_server.search.resident import Residents
from thanosql_server.storage.alterations import rename_column
from thanosql_server.storage.index_records import Definition
from thanosql_server.storage.indexes import IndexStore
from thanosql_server.storage.scan import ROW_ID
from thanosql_server.storage.schemas import SchemaStore
from thanosql_server.storage.scratch import Scratch

pytestmark = NEEDS_HNSWLIB

DIM, ROWS, BUDGET = 8, 1500, 64 << 20
PRODUCT = Int8Product(2)
ALL = sorted(MEASURES)


class World:
    """A workspace with one table `t` of `id` and `v`, and what searches it."""

    def __init__(self, folder):
        self.scratch = Scratch(folder / "trash")
        self.schemas = SchemaStore(folder, self.scratch)
        self.tables = self.schemas.public.tables
        self.residents = Residents(BUDGET, 2)
        self.reopen(folder)
        self.folder = folder

    def reopen(self, folder):
        """See the workspace as another server would, with nothing in memory."""
        self.store = IndexStore(self.schemas, self.scratch)
        self.residents = Residents(BUDGET, 2)
        self.graphs = Graphs(self.store, self.residents, 2)
        self.compared = 0

    @property
    def table(self):
        return self.tables.open("t")

    def write(self, matrix, first=0, missing=(), append=True):
        mask = pa.array(np.isin(np.arange(len(matrix)), missing))
        flat = pa.array(np.asarray(matrix, "f4").ravel())
        vectors = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1], mask=mask)
        ids = pa.array(np.arange(first, first + len(matrix)))
        table = pa.table({"id": ids, "v": vectors})
        if append and self.tables.exists("t"):
            self.tables.append("t", table.to_reader())
        else:
            self.tables.create("t", table.to_reader(), overwrite=True)

    def index(self, metric="cosine_similarity", name="i", control=None):
        table = self.table
        number = table.field_numbers()["v"]
        asked = Definition(name, "v", number, metric, 16, 200, "2026-01-01T00:00:00")
        maker = Maker(table, "v", asked, 2, BUDGET, control or Control())
        self.store.create(table, asked, lambda folder: maker.anew().write(folder))

    def renew(self):
        (index,) = self.store.of(self.table.place)
        column = indexed_column(index, self.table)
        asked = index.definition
        maker = Maker(self.table, column, asked, 2, BUDGET, Control())
        with self.store.held(index):
            made = maker.after(index.generation)
            self.store.renew(index, asked, made.write)
        return made

    def find(self, query, k=10, metric="cosine_similarity", table=None, **how):
        """The ids that the graph finds; None where it leaves it to a comparison."""
        table = table or self.table
        where = how.pop("where", None)
        column = how.pop("column", "v")
        how = {"ef": 4096} | how
        search = Search(table, column, query[None], k, where, MEASURES[metric], **how)
        ids = None
        if where is not None:
            batches = table.scan([], where, row_ids=True)
            ids = np.concatenate([np.empty(0, "u8"), *(b[ROW_ID] for b in batches)])
        found = self.graphs.find(search, ids, Control())
        return None if found is None else found[0]

    def check(self, query, k=10, metric="cosine_similarity", table=None, **how):
        """Compare scores of the graph's answer with those of all rows."""
        table = table or self.table
        found = self.find(query, k, metric, table, **how)
        assert found is not None
        self.same(
            found, query, k, metric, table, how.get("where"), how.get("column", "v")
        )

    def same(self, found, query, k, metric, table, where=None, column="v"):
        search = Search(table, column, query[None], k, where, MEASURES[metric])
        (right,) = Nearest(Residents(0), PRODUCT).find(search, Control())
        assert len(found.ids) == len(set(found.rows())) == k
        if metric == "inner_product":
            # A short vector is near to none, and the graph may not lead there.
            reached = found.scores >= right.scores[-1] - 1e-4 * abs(right.scores[-1])
            assert reached.mean() >= 0.95
        else:
            np.testing.assert_allclose(found.scores, right.scores, rtol=1e-5, atol=1e-6)
        batch = table.take(found.rows(), [column])
        matrix = np.array(batch[column].to_pylist(), "f4")
        own, _ = MEASURES[metric].compare(matrix, query)
        np.testing.assert_allclose(found.scores, own, rtol=1e-5, atol=1e-6)

    def close(self):
        self.scratch.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def some(rows, seed=0, dim=DIM):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, dim)).astype("f4")


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("k", [1, 10, 300])
def test_a_graph_finds_the_nearest(world, metric, k):
    world.write(some(ROWS) * np.float32(3))
    world.index(metric)
    for query in some(5, seed=1):
        world.check(query, k, metric)
    queries = some(9, seed=2)
    search = Search(world.table, "v", queries, k, None, MEASURES[metric], ef=2000)
    for one, query in zip(
        world.graphs.find(search, None, Control()), queries, strict=True
    ):
        world.same(one, query, k, metric, world.table)


def test_a_graph_serves_its_own_measure_and_column_only(world):
    world.write(some(ROWS))
    world.index("cosine_similarity")
    query = some(1, seed=1)[0]
    assert world.find(query, metric="l2_distance") is None
    assert world.find(query, exact=False) is not None
    index, reason = world.graphs.why_not(world.table, "v", DISTANCE, 10)
    assert (index.definition.name, reason) == ("i", "is for cosine_similarity")
    assert world.graphs.why_not(world.table, "v", COSINE, 10)[1] is None
    assert "half" in world.graphs.why_not(world.table, "v", COSINE, ROWS)[1]


def test_an_index_is_used_unless_exact_is_asked_for(world):
    world.write(some(ROWS))
    world.index()
    nearest = Nearest(world.residents, PRODUCT, world.graphs)
    query = some(1, seed=1)
    for exact, loaded in ((True, False), (False, True)):
        search = Search(world.table, "v", query, 10, exact=exact)
        (found,) = nearest.find(search, Control())
        world.same(found, query[0], 10, "cosine_similarity", world.table)
        (index,) = world.store.of(world.table.place)
        assert (world.residents.other(index.generation.identity) is not None) == loaded


@pytest.mark.parametrize("metric", ALL)
def test_vectors_that_no_graph_holds_are_found_too(world, metric):
    matrix = some(ROWS)
    matrix[5] = np.nan
    matrix[6] = 0
    matrix[7, 3] = np.inf
    matrix[8] *= np.float32(1e20)
    matrix[9] *= np.float32(1e-25)
    matrix[10] *= np.float32(1e18)
    world.write(matrix, missing=[1, 2])
    world.index(metric)
    for row in (8, 9, 10, 11):
        world.check(matrix[row] / np.linalg.norm(matrix[row].astype("f8")), 10, metric)
    for strange in (np.zeros(DIM, "f4"), np.full(DIM, np.nan, "f4")):
        if metric == "cosine_similarity" or np.isnan(strange).any():
            assert world.find(strange, metric=metric) is None
    assert world.find(np.full(DIM, 1e30), metric=metric) is None


def test_vectors_that_many_rows_share_do_not_cut_the_graph(world):
    matrix = some(400)
    same = np.repeat(matrix[:3], 500, axis=0)
    every = np.concatenate([matrix, same])[np.random.default_rng(0).permutation(1900)]
    world.write(every)
    world.index()
    assert world.store.all()[0].generation.labels == 400
    for query in (matrix[0], matrix[50], *some(5, seed=3)):
        world.check(query, 20, ef=400)
        world.check(query, 20, where=pc.field("id") > 300, ef=400)


def test_appended_rows_are_found_at_once_and_are_put_in(world):
    world.write(some(ROWS))
    world.index()
    query = some(1, seed=1)[0]
    world.write(np.concatenate([query[None] + 0.01, some(50, seed=2)]), first=ROWS)
    world.check(query, 10)
    assert ROWS in world.table.take(world.find(query).rows(), ["id"])["id"].to_pylist()
    made = world.renew()
    assert (len(made.graph), len(made.rows.ids)) == (ROWS + 51, ROWS + 51)
    assert [run.stop for run in made.runs] == [ROWS, ROWS + 51]
    world.check(query, 10)
    assert len(list(world.store.all()[0].folder.glob("g*"))) == 1


def test_deleted_rows_never_appear_and_there_are_k_all_the_same(world):
    matrix = some(ROWS)
    world.write(matrix)
    world.index()
    before = world.table
    query = matrix[3]
    order = np.argsort(-(matrix @ query) / np.linalg.norm(matrix, axis=1))
    gone = order[:300].astype("u8")
    batch = pa.record_batch({ROW_ID: np.sort(gone)})
    world.table.delete(iter([batch]))
    world.check(query, 10, ef=10)
    world.check(query, 10, table=before)
    world.renew()
    world.check(query, 10)
    world.check(query, 10, table=before)  # by the one that was made before
    world.reopen(world.folder)
    # Made after the delete, it does not have the rows that the older version has.
    assert world.find(query, table=before) is None


def test_updated_rows_have_their_new_values(world):
    matrix = some(ROWS)
    world.write(matrix)
    world.index()
    query = some(1, seed=5)[0]
    before = world.table
    new = pa.FixedSizeListArray.from_arrays(pa.array(query), DIM)
    update = pa.record_batch({ROW_ID: pa.array([7], "u8"), "v": new})
    world.table.update(["v"], iter([update]))
    found = world.find(query)
    assert found is not None
    assert found.rows()[0] == 7
    world.check(query)
    world.check(query, table=before)
    made = world.renew()
    assert len(made.graph) == ROWS + 1  # only the new vector was put in
    world.check(query)
    assert world.find(query, table=before) is not None
    world.check(query, table=before)


def test_a_table_written_anew_keeps_its_vectors(world):
    matrix = some(ROWS)
    world.write(matrix)
    world.index()
    world.write(np.concatenate([matrix[::2], some(5, seed=9)]), append=False)
    query = some(1, seed=1)[0]
    world.check(query)
    made = world.renew()
    assert len(made.graph) <= ROWS + 5
    world.check(query)
    world.write(some(300, seed=4), append=False)
    world.check(query)
    assert len(world.renew().graph) == 300  # too much was left of the old


def test_vectors_of_another_length_are_a_graph_of_their_own(world):
    world.write(some(ROWS))
    world.index()
    world.write(some(ROWS, dim=5), append=False)
    assert world.find(some(1, dim=5)[0]) is None
    world.renew()
    world.check(some(1, dim=5)[0])


def test_a_renamed_column_keeps_its_index(world):
    world.write(some(ROWS))
    world.index()
    world.table.alter(lambda dataset: rename_column(dataset, "v", "w"))
    world.check(some(1, seed=1)[0], column="w")
    (index,) = world.store.of(world.table.place)
    assert indexed_column(index, world.table) == "w"


@pytest.mark.parametrize("share", [0.9, 0.6, 0.1, 0.0])
def test_a_filter_never_costs_rows(world, share):
    matrix = some(ROWS)
    world.write(matrix)
    world.index()
    nearest = Nearest(world.residents, PRODUCT, world.graphs)
    where = pc.field("id") < int(share * ROWS)
    for query in (*some(3, seed=1), matrix[-1]):
        search = Search(world.table, "v", query[None], 10, where, ef=20)
        (found,) = nearest.find(search, Control())
        if share:
            world.same(found, query, 10, "cosine_similarity", world.table, where)
        else:
            assert not len(found.ids)


def test_a_filter_against_the_query_is_left_to_a_comparison(world):
    """Of 4,000 rows around the query none passes; the graph never gets past them."""
    random = np.random.default_rng(0)
    centre = random.standard_normal(DIM)
    near = centre + 0.1 * random.standard_normal((9000, DIM))
    world.write(np.concatenate([near, some(10_000)]).astype("f4"))
    world.index()
    where = pc.field("id") >= 9000
    assert world.find(centre, where=where, ef=64) is None
    nearest = Nearest(world.residents, PRODUCT, world.graphs)
    search = Search(world.table, "v", centre[None], 10, where)
    (found,) = nearest.find(search, Control())
    world.same(found, centre, 10, "cosine_similarity", world.table, where)


@pytest.mark.parametrize("file", ["graph", "ids.npy", "labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "byte", "gone", "foreign"])
def test_a_damaged_file_is_never_trusted(world, tmp_path, file, damage):
    world.write(some(ROWS))
    world.index()
    (index,) = world.store.of(world.table.place)
    path = index.generation.folder / file
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "byte":
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif damage == "gone":
        path.unlink()
    else:
        other = World(tmp_path / "other")
        other.write(some(ROWS - 100, seed=8))
        other.index()
        (their,) = other.store.of(other.table.place)
        shutil.copyfile(their.generation.folder / file, path)
        other.close()
    world.reopen(tmp_path)
    called = []
    world.graphs.lags = lambda: called.append(True)
    query = some(1, seed=1)[0]
    nearest = Nearest(world.residents, PRODUCT, world.graphs)
    (found,) = nearest.find(Search(world.table, "v", query[None], 10), Control())
    world.same(found, query, 10, "cosine_similarity", world.table)
    assert called
    if file != "manifest.json":
        assert "damaged" in world.graphs.why_not(world.table, "v", COSINE, 10)[1]


def test_an_index_of_another_table_covers_nothing(world, tmp_path):
    world.write(some(ROWS))
    world.index()
    other = World(tmp_path / "other")
    other.write(some(ROWS, seed=8))
    shutil.copytree(
        world.store.of(world.table.place)[0].folder.parent,
        tmp_path / "other" / "tables" / "t.lance" / "_thanosql_indexes",
    )
    query = some(1, seed=1)[0]
    other.check(query)  # all rows are compared beside it
    other.renew()
    other.check(query)
    other.close()


def test_another_server_sees_the_newest_generation(world, tmp_path):
    world.write(some(ROWS))
    world.index()
    there = IndexStore(world.schemas, world.scratch)
    (first,) = there.of(world.table.place)
    world.write(some(100, seed=3), first=ROWS)
    world.renew()
    (second,) = there.of(world.table.place)
    assert second.generation.rows == ROWS + 100 == first.generation.rows + 100
    world.store.drop(second)
    assert there.of(world.table.place) == ()
    assert there.all() == []


def test_a_graph_that_is_too_large_is_refused_or_not_used(world):
    world.write(some(ROWS))
    world.index()
    small = Graphs(world.store, Residents(1000), 1)
    search = Search(world.table, "v", some(1), 10)
    assert small.find(search, None, Control()) is None
    assert "search_memory" in small.why_not(world.table, "v", COSINE, 10)[1]
    asked = world.store.all()[0].definition
    maker = Maker(world.table, "v", asked, 1, 1000, Control())
    with pytest.raises(ResourceExhausted, match="--search-memory allows 1,000"):
        maker.anew()


def test_making_a_graph_can_be_cancelled_and_leaves_nothing(world, tmp_path):
    world.write(some(5000))
    control = Control()
    seen = []

    class Stopping(Control):
        def report(self, phase, done, total=0, message=""):
            seen.append((phase, done, total))
            if done > 2000:
                self.cancel()
            super().report(phase, done, total, message)

    with pytest.raises(Cancelled):
        world.index(control=Stopping())
    assert seen[-1][0] == "indexing"
    assert seen[-1][1] < 5000 == seen[-1][2]
    assert world.store.all() == []
    assert list((tmp_path / "trash").glob("*/*")) == []
    world.index(control=control)
    assert len(world.store.all()) == 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["append", "delete", "update", "anew", "renew", "reopen"]),
        st.integers(0, 2**31),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, metric=st.sampled_from(ALL))
def test_whatever_happens_to_a_table_its_graph_is_right(
    changes, metric, tmp_path_factory
):
    world = World(tmp_path_factory.mktemp("world"))
    world.write(some(600))
    world.index(metric)
    versions = [world.table]
    for change, seed in changes:
        random = np.random.default_rng(seed)
        table = world.table
        rows = np.concatenate(
            [np.empty(0, "u8"), *(b[ROW_ID] for b in table.scan([], row_ids=True))]
        )
        chosen = np.sort(random.choice(rows, random.integers(1, len(rows) // 3)))
        if change == "append":
            world.write(some(random.integers(1, 200), seed), first=len(rows))
        elif change == "delete":
            table.delete(iter([pa.record_batch({ROW_ID: chosen})]))
        elif change == "update":
            flat = pa.array(some(len(np.unique(chosen)), seed).ravel())
            new = pa.FixedSizeListArray.from_arrays(flat, DIM)
            batch = pa.record_batch({ROW_ID: np.unique(chosen), "v": new})
            table.update(["v"], iter([batch]))
        elif change == "anew":
            world.write(some(random.integers(300, 700), seed), append=False)
        elif change == "renew":
            world.renew()
        else:
            world.reopen(world.folder)
        versions = [*versions, world.table][-3:]
        for version in versions:
            query = some(1, seed=seed + 1)[0]
            found = world.find(query, 10, metric, version)
            # Where it leaves it to a comparison, a delete was undone, at the most.
            assert found is not None or version is not versions[-1]
            if found is not None:
                world.same(found, query, 10, metric, version)
    world.close()
