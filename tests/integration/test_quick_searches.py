"""Searches that come again are not planned again, and mean what they would then."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from tests.integration.conftest import DEMO_CLIP
from thanosql_server.config import Config
from thanosql_server.control import Control
from thanosql_server.engine import engine as engine_module
from thanosql_server.engine.engine import Engine
from thanosql_server.errors import Cancelled, ThanoSQLError
from thanosql_server.ml.clip_encoder import load

ROWS = 3000
TEXTS = ["a red circle", "two blue squares", "ein grüner Kreis?", "$1 -- /* x"]
ID = "SELECT id, m_clipen_similarity1 AS s FROM (SEARCH IMAGE text='{}' USING m AS "
CLOSED = "SELECT * FROM t) ORDER BY s DESC LIMIT 7"


class Again:
    """An engine that has seen a text before, and one that plans everything."""

    def __init__(self, folder, monkeypatch):
        self.config = Config(workspace=folder)
        self.engine, self.other = Engine(self.config), Engine(self.config)
        self.other._environment.quick.known.find = lambda sql: None
        self.parsed = 0
        parse = engine_module.parse

        def counting(sql):
            self.parsed += 1
            return parse(sql)

        monkeypatch.setattr(engine_module, "parse", counting)

    def run(self, sql, *values, engine=None):
        control = Control()
        parameters = [pa.scalar(value) for value in values] if values else None
        plan = (engine or self.engine).plan(sql, parameters, control)
        batches = [batch for batch in plan.run(control) if batch is not None]
        return pa.Table.from_batches(batches, plan.schema)

    def outcome(self, engine, sql, values):
        try:
            return self.run(sql, *values, engine=engine)
        except ThanoSQLError as error:
            return type(error), str(error), error.position

    def same(self, sql, *values):
        """Check that both engines say the same; return whether one did not plan."""
        found, self.parsed = self.outcome(self.engine, sql, values), 0
        found = self.outcome(self.engine, sql, values)
        quick, expected = self.parsed == 0, self.outcome(self.other, sql, values)
        if isinstance(expected, pa.Table):
            assert found.schema.equals(expected.schema, check_metadata=True)
            assert found.combine_chunks().equals(expected.combine_chunks())
        else:
            assert found == expected
        return quick

    def close(self):
        self.engine.close()
        self.other.close()


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Rows about the texts, as long as the model's vectors, and the model's folder."""
    texts = load(DEMO_CLIP).encode_texts([*TEXTS, "x"])
    random = np.random.default_rng(0)
    near = texts[random.integers(0, len(texts), ROWS)]
    matrix = near + random.standard_normal(near.shape) * 0.2
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype("f4")


@pytest.fixture
def again(tmp_path, vectors, monkeypatch):
    shutil.copytree(DEMO_CLIP, tmp_path / ".thanosql" / "models" / "m" / "v1")
    again = Again(tmp_path, monkeypatch)
    store(again, vectors)
    yield again
    again.close()


def store(again, vectors, name="t", first=0, **more):
    rows, dim = vectors.shape
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim)
    ids = pa.array(range(first, first + rows))
    columns = {"id": ids, "cat": ids.cast(pa.string()), "m_clipen": flat, **more}
    tables = again.engine._environment.workspace.tables
    table = pa.table(columns)
    if first:
        tables.append(name, table.to_reader())
    else:
        tables.create(name, table.to_reader(), overwrite=True)


QUICK = [
    ID + CLOSED,
    ID + "SELECT id, m_clipen FROM t) ORDER BY s DESC LIMIT 7",
    "SELECT id, cat AS label FROM (SEARCH IMAGE text = '{}' USING m AS SELECT * "
    "FROM t) ORDER BY m_clipen_similarity1 DESC LIMIT 7",
    "SEARCH IMAGE USING m OPTIONS (search_by='text', search_input='a red circle', "
    "emb_col='m_clipen', result_col='score', top_k=5) AS SELECT * FROM t -- {}",
]


def test_another_text_is_not_planned(again):
    for sql in QUICK[:3]:
        again.run(sql.format("a yellow star"))
        for text in TEXTS:
            assert again.same(sql.format(text))
    for text in TEXTS:
        assert again.same(ID.format(text).replace(f"'{text}'", "?") + CLOSED, text)
    sql = "SELECT id, {f}(m_clipen, ?) AS s FROM t ORDER BY s {order} LIMIT 9"
    for f, order in (
        ("cosine_similarity", "DESC"),
        ("l2_distance", "ASC"),
        ("inner_product", "DESC"),
    ):
        for seed in range(3):
            query = np.random.default_rng(seed).standard_normal(again_dim(again))
            assert again.same(sql.format(f=f, order=order), query.tolist())


def again_dim(again):
    table = again.engine._environment.workspace.tables.open("t")
    return table.schema.field("m_clipen").type.list_size


FILTERED = [
    "cat < '2'",
    "id > 50 AND NOT cat IN ('1', '20', '33') OR id BETWEEN 5 AND 9",
    "cat LIKE '1%' AND id IS NOT NULL AND id + 1 < 2000",
    "CAST(id AS DOUBLE) * 2 < 1000.5",
    "id < 0",
    "id = -1 OR id = 20",
]


@pytest.mark.parametrize("where", FILTERED)
def test_another_text_with_conditions_is_not_planned(again, where):
    sql = ID + f"SELECT * FROM t WHERE {where.replace('{', '{{')}) ORDER BY s DESC "
    again.run((sql + "LIMIT 7").format("a yellow star"))
    quick = [again.same((sql + "LIMIT 7").format(text)) for text in TEXTS]
    assert all(quick) or not any(quick)
    assert all(quick) or "+ 1" in where or "CAST" in where
    outside = ID + CLOSED.replace(") ORDER", f") WHERE {where} ORDER")
    for text in TEXTS:
        again.same(outside.format(text))
    again.same(outside.format("x").replace(where, "id > 2000"))
    list(again.engine.plan("DELETE FROM t WHERE id % 2 = 0").run(Control()))
    again.same(outside.format("x"))


def test_conditions_that_depend_on_the_moment_are_planned(again):
    for where in (
        "now() > TIMESTAMP '2020-01-01 00:00:00' AND id > 5",
        "CAST(current_date AS VARCHAR) > cat",
        "cat < CAST(now() AS VARCHAR)",
        "id > random()",
        "m_clipen_similarity1 > 0.3",
        "id IN (SELECT id FROM t WHERE cat > '2')",
        "upper(cat) > '2'",
    ):
        sql = ID + CLOSED.replace(") ORDER", f") WHERE {where} ORDER")
        assert not again.same(sql.format("x")), where
        assert not again.same(sql.format("a red circle")), where


OTHERS = [
    ID.replace("'{}'", '"{}"') + CLOSED,
    ID.replace("'{}'", "['{}', 'x']") + CLOSED,
    ID.replace("'{}'", "['{}']") + CLOSED,
    ID + "SELECT * FROM t WHERE cat = '{}' OR id > 9) ORDER BY s DESC LIMIT 7",
    ID + "SELECT * FROM t VERSION AS OF 1) ORDER BY s DESC LIMIT 7",
    ID + "SELECT * FROM seen) ORDER BY s DESC LIMIT 7",
    ID + CLOSED + " OFFSET 1",
    ID.replace("id,", "id, '{}' AS label,") + CLOSED,
    "/* text='{}' */ " + ID.replace("'{}'", '"x"') + CLOSED,
    "-- don't text='{}'\n" + ID.replace("'{}'", "'x'") + CLOSED,
    ID.replace("m AS", "m OPTIONS (result_col='{}') AS")
    + CLOSED.replace("s D", "id D"),
    "EXPLAIN " + ID + CLOSED,
    QUICK[3],
    QUICK[3].replace("a red circle", "{}"),
]


@pytest.mark.parametrize("sql", OTHERS)
def test_other_texts_mean_what_they_say(sql, again):
    list(again.engine.plan("CREATE VIEW seen AS SELECT * FROM t").run(Control()))
    for text in ["a yellow star", *TEXTS, "it''s", "a\\'", "a\nb", "", " "]:
        again.same(sql.replace("{}", text))


def test_literals_that_differ_otherwise_are_planned(again):
    for sql in QUICK[:3]:
        again.run(sql.format("x"))
        for text in ("it''s", "''", "", " ", "a\\b", "x' 'y", "x'||'y", "x\0"):
            again.same(sql.format(text))
        again.same(sql.format("x"), "a value too many")


def test_changes_of_the_table_are_seen(again, vectors):
    sql = ID + CLOSED
    for change in (
        None,
        "DELETE FROM t WHERE id < 1000",
        "UPDATE t SET id = id + 1 WHERE cat > '2'",
        "INSERT INTO t SELECT id + 10000, cat, m_clipen FROM t WHERE id % 3 = 0",
        "ALTER TABLE t ADD COLUMN more INT",
        "ALTER TABLE t RENAME COLUMN id TO number",
        "ALTER TABLE t RENAME COLUMN number TO id",
        "ALTER TABLE t RENAME TO u",
        "CREATE VIEW t AS SELECT * FROM u WHERE id > 2000",
        "DROP VIEW t",
        "ALTER TABLE u RENAME TO t",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
    ):
        if change is not None:
            list(again.engine.plan(change).run(Control()))
        for text in TEXTS[:2]:
            again.same(sql.format(text))
    store(again, vectors[:, :32].copy())
    again.same(sql.format(TEXTS[0]))
    store(again, vectors)
    again.same(sql.format(TEXTS[0]))


def test_rows_without_vectors_fill_the_end(again, vectors):
    tables = again.engine._environment.workspace.tables
    dim = vectors.shape[1]
    for rows in (20, 2000):
        mask = pa.array(np.arange(rows) >= 4)
        flat = pa.array(vectors[:rows].ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, dim, mask=mask)
        ids = pa.array(range(rows))
        table = pa.table({"id": ids, "cat": ids, "m_clipen": column})
        tables.create("t", table.to_reader(), overwrite=True)
        assert again.same((ID + CLOSED).format("x"))
        found = again.run((ID + CLOSED).format("a red circle"))
        assert found["s"].null_count == 3


def test_a_model_that_changes_is_seen(again, tmp_path):
    sql = ID + CLOSED
    assert again.same(sql.format(TEXTS[0]))
    before = again.run(sql.format(TEXTS[0]))
    models = tmp_path / ".thanosql" / "models" / "m"
    shutil.copytree(DEMO_CLIP, models / "v2")
    from safetensors.numpy import load_file, save_file

    weights = load_file(models / "v2" / "weights.safetensors")
    weights["text_projection"] = weights["text_projection"][:, ::-1].copy()
    save_file(weights, models / "v2" / "weights.safetensors")
    after = again.run(sql.format(TEXTS[0]))
    assert not after.equals(before)
    for text in TEXTS:
        assert again.same(sql.format(text))
    shutil.rmtree(models)
    for text in TEXTS:
        assert not again.same(sql.format(text))


def test_a_search_that_was_cancelled_stops(again):
    sql = (ID + CLOSED).format("x")
    assert again.same(sql)
    control = Control()
    plan = again.engine.plan(sql, None, control)
    control.cancel()
    with pytest.raises(Cancelled):
        list(plan.run(control))
