"""Columns of embeddings that the server keeps fresh, with a real model and pictures."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from PIL import Image

import thanosql
from sqlalchemy_thanosql import Image as Picture
from sqlalchemy_thanosql import Vector
from tests.integration.servers import wait_until
from tests.needs import NEEDS_HNSWLIB
from thanosql_server.config import Config
from thanosql_server.control import Control
from thanosql_server.engine.engine import Engine

MAKE = """
CREATE TABLE g (
    id INT,
    image_path IMAGE,
    e VECTOR GENERATED ALWAYS AS (embed_image('m', image_path)) STORED
)
"""
NEAREST = (
    "SELECT id FROM g ORDER BY cosine_similarity(e, embed_image('m', ?)) DESC LIMIT 1"
)
STATE = "SELECT pending, failed, stale, state FROM thanosql.generated"
FRESH = [(0, 0, 0, "fresh")]


def paths(cursor, table="test"):
    """Return the paths of a table's pictures, which are all different."""
    cursor.execute(f"SELECT image_path FROM {table} ORDER BY image_path")
    return [path for (path,) in cursor.fetchall()]


def state(cursor):
    return cursor.execute(STATE).fetchall()


def wait_for(cursor, wanted=FRESH):
    """Wait until the server has done what it does behind the scenes."""
    wait_until(lambda: state(cursor) == wanted, f"{wanted}, not {state(cursor)}")


def wrong(cursor, table="g"):
    """Return the rows whose embedding is not that of their picture."""
    # -1 where one side has none and the other has.
    cursor.execute(
        f"SELECT id, image_path FROM {table} WHERE coalesce(cosine_similarity(e, "
        "embed_image('m', image_path)), "
        "CASE WHEN e IS NULL AND embed_image('m', image_path) IS NULL THEN 1 "
        "ELSE -1 END) < 0.9999"
    )
    return cursor.fetchall()


@pytest.fixture
def made(cursor):
    """The table g with ten pictures."""
    cursor.execute(MAKE)
    cursor.execute(
        "INSERT INTO g SELECT row_number() OVER (ORDER BY image_path), image_path "
        "FROM test ORDER BY image_path LIMIT 10"
    )
    assert cursor.rowcount == 10
    return paths(cursor)


# ---- Rows that come and change ----------------------------------------------


def test_rows_are_embedded_behind_the_scenes(cursor, made):
    wait_for(cursor)
    assert wrong(cursor) == []
    cursor.execute("SELECT count(*) FROM g WHERE e IS NOT NULL")
    assert cursor.fetchall() == [(10,)]


def test_an_insert_does_not_wait_and_a_search_finds_it_at_once(cursor, made):
    cursor.execute("INSERT INTO g VALUES (100, ?)", [made[20]])
    assert cursor.execute(NEAREST, [made[20]]).fetchall() == [(100,)]
    assert cursor.warnings == []
    assert wrong(cursor) == []


def test_a_changed_path_is_found_under_the_new_picture(cursor, made):
    wait_for(cursor)
    cursor.execute("UPDATE g SET image_path = ? WHERE id = 3", [made[21]])
    assert cursor.execute(NEAREST, [made[21]]).fetchall() == [(3,)]
    assert wrong(cursor) == []


def test_an_embedding_goes_in_the_commit_that_changes_its_path(cursor, made):
    wait_for(cursor)
    cursor.execute("SHOW VERSIONS g")
    before = cursor.fetchall()[0][2]
    cursor.execute("UPDATE g SET image_path = ?", [made[21]])
    cursor.execute(f"SELECT count(e), count(*) FROM g VERSION AS OF {before + 1}")
    assert cursor.fetchall() == [(0, 10)]
    cursor.execute("UPDATE g SET id = id + 1")
    wait_for(cursor)
    assert wrong(cursor) == []


def test_an_update_beside_it_keeps_embeddings(cursor, made):
    wait_for(cursor)
    cursor.execute("UPDATE g SET id = id + 1")
    cursor.execute("SELECT count(e) FROM g")
    assert cursor.fetchall() == [(10,)]


def test_a_search_form_of_each_kind_embeds_first(cursor, made):
    for number, search in enumerate(
        (
            "SEARCH IMAGE images='{0}' USING m OPTIONS (emb_col='e') "
            "AS SELECT * FROM g",
            "SELECT id FROM g "
            "WHERE cosine_similarity(e, embed_image('m', '{0}')) > 0.99",
            "SELECT a.id FROM g AS a JOIN g AS b ON cosine_similarity(a.e, b.e) > 0.99",
            "SELECT * FROM search_many(g, e, m, (SELECT '{0}' AS image_path), 3)",
        )
    ):
        cursor.execute("INSERT INTO g VALUES (?, ?)", [100 + number, made[20 + number]])
        rows = cursor.execute(search.format(made[20 + number])).fetchall()
        assert any(100 + number in row for row in rows), search
        assert cursor.warnings == []


def test_a_search_that_may_not_wait_says_how_many_are_missing(cursor, made):
    cursor.execute("SET search.embed_pending = 0")
    cursor.execute(f"CREATE TABLE many AS SELECT 1 AS id, '{made[0]}' AS image_path")
    for _ in range(10):
        cursor.execute("INSERT INTO many SELECT * FROM many")
    cursor.execute(
        "ALTER TABLE many ADD e GENERATED ALWAYS AS (embed_image('m', image_path))"
    )
    cursor.execute("SELECT count(*) FROM many WHERE cosine_similarity(e, e) > 0.5")
    assert cursor.fetchall() == [(0,)]
    assert cursor.warnings == [
        "1024 rows of table 'many' wait for their embeddings in 'e' and are not found "
        "yet; REFRESH TABLE waits for them"
    ]
    cursor.execute("EXPLAIN SELECT * FROM many WHERE cosine_similarity(e, e) > 0.5")
    said = ("thanosql", "1024 rows wait for their embeddings in 'e'")
    assert said in cursor.fetchall()
    cursor.execute("REFRESH TABLE many")
    cursor.execute("SELECT count(*) FROM many WHERE cosine_similarity(e, e) > 0.5")
    assert cursor.fetchall() == [(1024,)]
    assert cursor.warnings == []


def test_a_picture_that_cannot_be_read_is_counted_and_not_tried_again(
    cursor, made, workspace
):
    (workspace / "bad.jpg").write_bytes(b"no picture at all")
    cursor.execute("INSERT INTO g VALUES (50, 'bad.jpg'), (51, NULL)")
    wait_for(cursor, [(0, 1, 0, "fresh")])
    cursor.execute("SELECT reason FROM thanosql.generated")
    assert cursor.fetchall() == [("'bad.jpg' (not a picture)",)]
    cursor.execute("SHOW VERSIONS g")
    versions = len(cursor.fetchall())
    cursor.execute("INSERT INTO g VALUES (52, ?)", [made[22]])
    wait_for(cursor, [(0, 1, 0, "fresh")])
    cursor.execute("SHOW VERSIONS g")
    assert len(cursor.fetchall()) == versions + 2
    # A search leaves it out, without a word each time.
    cursor.execute("SELECT id FROM g WHERE cosine_similarity(e, e) > 0.5 AND id > 49")
    assert cursor.fetchall() == [(52,)]
    assert cursor.warnings == []

    shutil.copy(workspace / made[23], workspace / "bad.jpg")
    cursor.execute("SELECT reason FROM thanosql.generated")
    assert "can be read by now; REFRESH TABLE tries it again" in cursor.fetchall()[0][0]
    cursor.execute("REFRESH TABLE g")
    assert cursor.rowcount == 1
    assert state(cursor) == FRESH
    assert cursor.execute(NEAREST, [made[23]]).fetchall() == [(50,)]


def test_deleted_and_restored_rows_are_what_they_were(cursor, made):
    wait_for(cursor)
    cursor.execute("SHOW VERSIONS g")
    version = cursor.fetchall()[0][2]
    cursor.execute("DELETE FROM g WHERE id > 4")
    cursor.execute("INSERT INTO g VALUES (100, ?)", [made[20]])
    wait_for(cursor)
    cursor.execute("SELECT count(e) FROM g")
    assert cursor.fetchall() == [(5,)]
    cursor.execute(f"RESTORE TABLE g TO VERSION {version}")
    assert state(cursor) == FRESH
    assert wrong(cursor) == []
    cursor.execute("SELECT count(e) FROM g")
    assert cursor.fetchall() == [(10,)]


def test_a_table_restored_to_rows_that_waited_is_filled_again(cursor, made):
    wait_for(cursor)
    cursor.execute("RESTORE TABLE g TO VERSION 2")  # right after the first INSERT
    wait_for(cursor)
    assert wrong(cursor) == []


def test_copy_and_ingest_leave_the_column_to_the_server(cursor, made, workspace):
    (workspace / "more.csv").write_text(f"id,image_path\n7,{made[24]}\n")
    cursor.execute("COPY g OPTIONS (if_exists='append') FROM 'more.csv'")
    assert cursor.execute(NEAREST, [made[24]]).fetchall() == [(7,)]
    (workspace / "wrong.csv").write_text(f"id,e,image_path\n7,1,{made[24]}\n")
    with pytest.raises(thanosql.ProgrammingError, match="generated always") as caught:
        cursor.execute("COPY g OPTIONS (if_exists='append') FROM 'wrong.csv'")
    assert caught.value.sqlstate == "428C9"


def test_many_rows_of_parameters_are_one_commit(cursor, made):
    rows = [[200 + n, path] for n, path in enumerate(made[10:20])]
    cursor.executemany("INSERT INTO g VALUES (?, ?)", rows)
    wait_for(cursor)
    assert wrong(cursor) == []
    cursor.execute("SELECT count(e) FROM g")
    assert cursor.fetchall() == [(20,)]


# ---- Columns that are added, renamed, dropped -------------------------------


def test_a_column_is_added_to_a_table_with_rows(cursor):
    cursor.execute(
        "ALTER TABLE test ADD COLUMN e "
        "GENERATED ALWAYS AS (embed_image('M', image_path))"
    )
    wait_for(cursor)
    cursor.execute("ALTER TABLE test RENAME COLUMN label TO id")
    assert wrong(cursor, "test") == []
    cursor.execute(
        "SELECT declared_type, is_generated, generation_expression "
        "FROM thanosql.columns WHERE column_name = 'e'"
    )
    (found,) = cursor.fetchall()
    cursor.execute("SELECT dim FROM thanosql.models WHERE name = 'm'")
    ((dim,),) = cursor.fetchall()
    assert found == (f"VECTOR({dim})", "ALWAYS", "embed_image('m', image_path)")


def test_a_renamed_input_is_followed(cursor, made):
    wait_for(cursor)
    cursor.execute('ALTER TABLE g RENAME COLUMN image_path TO "My Picture"')
    cursor.execute("ALTER TABLE g RENAME TO h")
    cursor.execute("INSERT INTO h VALUES (30, ?)", [made[20]])
    wait_for(cursor)
    cursor.execute("SELECT table_name, expression FROM thanosql.generated")
    assert cursor.fetchall() == [("h", "embed_image('m', \"My Picture\")")]
    cursor.execute("SELECT count(e) FROM h")
    assert cursor.fetchall() == [(11,)]


def test_an_input_is_dropped_with_what_is_made_from_it(cursor, made):
    with pytest.raises(thanosql.ProgrammingError) as caught:
        cursor.execute("ALTER TABLE g DROP COLUMN image_path")
    assert caught.value.sqlstate == "2BP01"
    cursor.execute("ALTER TABLE g DROP COLUMN image_path CASCADE")
    cursor.execute("SELECT * FROM g LIMIT 0")
    assert [column[0] for column in cursor.description] == ["id"]
    assert state(cursor) == []


def test_without_its_expression_it_is_a_column_like_any_other(cursor, made):
    wait_for(cursor)
    cursor.execute("ALTER TABLE g ALTER COLUMN e DROP EXPRESSION")
    cursor.execute("INSERT INTO g VALUES (30, ?, NULL)", [made[20]])
    cursor.execute("UPDATE g SET e = NULL WHERE id = 1")
    cursor.execute("SELECT count(e) FROM g")
    assert cursor.fetchall() == [(9,)]
    assert state(cursor) == []
    cursor.execute("DELETE MODEL m")


def test_a_model_that_columns_need_stays(cursor, made):
    with pytest.raises(thanosql.ProgrammingError) as caught:
        cursor.execute("DELETE MODEL m")
    assert caught.value.sqlstate == "2BP01"
    assert "column 'e' of table 'g' is generated with model 'm'" in str(caught.value)
    cursor.execute("DROP TABLE g")
    cursor.execute("DELETE MODEL m")


# ---- REFRESH, and models built anew -----------------------------------------


def build(cursor, seed, more=""):
    cursor.execute(
        "BUILD MODEL m USING SimCLR OPTIONS (max_epochs=1, image_size=16, "
        f"overwrite=True, seed={seed}{more}) AS SELECT * FROM train"
    )


def test_refresh_takes_in_pictures_that_were_drawn_anew(cursor, made, workspace):
    wait_for(cursor)
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(workspace / made[4])
    os.utime(workspace / made[4], ns=(1, 1))
    assert wrong(cursor) == [(5, made[4])]
    cursor.execute("REFRESH TABLE g")
    assert cursor.rowcount == 1
    assert wrong(cursor) == []
    cursor.execute("REFRESH TABLE g (e)")
    assert cursor.rowcount == 0
    cursor.execute("REFRESH g FULL")
    assert cursor.rowcount == 10
    assert wrong(cursor) == []


def test_a_model_built_anew_changes_all_embeddings_in_one_commit(cursor, made):
    wait_for(cursor)
    cursor.execute("SHOW VERSIONS g")
    last = cursor.fetchall()[0][2]
    build(cursor, 7)
    assert cursor.execute(NEAREST, [made[3]]).fetchall() == [(4,)]
    assert cursor.warnings == []
    assert state(cursor) == FRESH
    assert wrong(cursor) == []
    cursor.execute("SHOW VERSIONS g")
    assert cursor.fetchall()[0][2] == last + 1


def test_vectors_of_two_builds_are_not_compared_silently(cursor, made):
    wait_for(cursor)
    cursor.execute("SET search.embed_pending = 0")
    build(cursor, 8)
    wait_for(cursor)
    cursor.execute("SHOW VERSIONS g")
    versions = [row[2] for row in cursor.fetchall()]
    cursor.execute(f"RESTORE TABLE g TO VERSION {versions[1]}")  # of the former build
    cursor.execute(NEAREST, [made[3]]).fetchall()
    stale = cursor.warnings
    wait_for(cursor)
    assert not stale or "are of a former build of model 'm'" in stale[0]
    assert wrong(cursor) == []
    cursor.execute(NEAREST, [made[3]]).fetchall()
    assert cursor.warnings == []


def test_a_model_of_another_length_stops_the_column_with_a_reason(cursor, made):
    wait_for(cursor)
    build(cursor, 1, ", backbone='resnet10'")
    cursor.execute("SELECT dim FROM thanosql.models WHERE name = 'm'")
    ((dim,),) = cursor.fetchall()
    cursor.execute("INSERT INTO g VALUES (60, ?)", [made[22]])
    wait_for(cursor, [(1, 0, 10, "stopped")])
    cursor.execute("SELECT reason FROM thanosql.generated")
    (reason,) = cursor.fetchall()[0]
    assert reason.startswith(f"model 'm' gives {dim} numbers by now and column 'e' of")
    with pytest.raises(thanosql.ProgrammingError, match="numbers by now"):
        cursor.execute("REFRESH TABLE g")


# ---- Texts ------------------------------------------------------------------


def test_texts_are_kept_fresh_too(scenes):
    scenes.execute(
        "CREATE TABLE notes (id INT, words TEXT, "
        "v VECTOR GENERATED ALWAYS AS (embed_text('demo_clip', words)))"
    )
    scenes.execute("INSERT INTO notes VALUES (1, 'a red circle'), (2, 'a blue square')")
    nearest = (
        "SELECT id FROM notes ORDER BY cosine_similarity(v, "
        "embed_text('demo_clip', ?)) DESC LIMIT 1"
    )
    assert scenes.execute(nearest, ["a blue square"]).fetchall() == [(2,)]
    scenes.execute("UPDATE notes SET words = 'a green star' WHERE id = 1")
    scenes.execute("INSERT INTO notes VALUES (3, ' ')")
    assert scenes.execute(nearest, ["a green star"]).fetchall() == [(1,)]
    scenes.execute("SELECT failed, reason FROM thanosql.generated")
    assert scenes.fetchall() == [(1, "a text is empty")]
    scenes.execute("DROP TABLE notes")


# ---- Beside other things ----------------------------------------------------


@NEEDS_HNSWLIB
def test_an_index_of_it_finds_what_comes_later(cursor, made):
    wait_for(cursor)
    cursor.execute("CREATE INDEX near ON g USING HNSW (e)")
    for number, path in enumerate(made[10:14]):
        cursor.execute("INSERT INTO g VALUES (?, ?)", [100 + number, path])
        found = cursor.execute(NEAREST, [path]).fetchall()
        assert found == [(100 + number,)]
        # The second time it is not planned anew.
        assert cursor.execute(NEAREST, [path]).fetchall() == found
    vectors = "SELECT e FROM g WHERE id = 100"
    ((vector,),) = cursor.execute(vectors).fetchall()
    known = "SELECT id FROM g ORDER BY cosine_similarity(e, ?) DESC LIMIT 1"
    for _ in range(3):
        assert cursor.execute(known, [vector]).fetchall() == [(100,)]
    cursor.execute("DELETE FROM g WHERE id = 100")
    cursor.execute("INSERT INTO g VALUES (300, ?)", [made[10]])
    assert cursor.execute(known, [vector]).fetchall() == [(300,)]


def test_writers_and_the_server_do_not_undo_each_other(connection, cursor, made):
    failures = []

    def write(first):
        try:
            with connection.cursor() as mine:
                for number in range(12):
                    path = made[(first + 7 * number) % len(made)]
                    if number % 3:
                        mine.execute("INSERT INTO g VALUES (?, ?)", [first, path])
                    else:
                        mine.execute(
                            "UPDATE g SET image_path = ? WHERE id % 10 = ?",
                            [path, number % 10],
                        )
        except thanosql.Error as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(n,)) for n in (1000, 2000, 3000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    wait_for(cursor)
    assert wrong(cursor) == []
    cursor.execute("SELECT count(*), count(e) FROM g")
    assert cursor.fetchall() == [(10 + 3 * 8, 10 + 3 * 8)]


def test_a_convert_does_not_fill_it(cursor, made):
    with pytest.raises(thanosql.ProgrammingError, match="REFRESH TABLE g") as caught:
        cursor.execute(
            "CONVERT USING m OPTIONS (table_name='g', result_col='e') AS "
            "SELECT * FROM g"
        )
    assert caught.value.sqlstate == "428C9"
    cursor.execute("CONVERT USING m OPTIONS (table_name='g') AS SELECT * FROM g")
    cursor.fetchall()
    cursor.execute("INSERT INTO g (id, image_path) VALUES (70, ?)", [made[20]])
    wait_for(cursor)
    assert wrong(cursor) == []


def test_a_search_planned_before_its_rows_were_embedded_finds_them(workspace):
    engine = Engine(Config(workspace))

    def run(plan):
        control = Control()
        batches = [batch for batch in plan.execute(control) if batch is not None]
        return [row for batch in batches for row in batch.to_pylist()]

    (first,) = run(engine.plan("SELECT image_path FROM test LIMIT 1", ()))
    path = first["image_path"]
    run(engine.plan(MAKE, ()))
    run(engine.plan(f"INSERT INTO g VALUES (1, '{path}')", ()))
    nearest = engine.plan(NEAREST, [pa.scalar(path)])
    similar = engine.plan(
        "SELECT id FROM g WHERE cosine_similarity(e, embed_image('m', ?)) > 0.9",
        [pa.scalar(path)],
    )
    run(engine.plan("REFRESH TABLE g", ()))
    assert run(nearest) == [{"id": 1}]
    assert run(similar) == [{"id": 1}]
    engine.close()


# ---- Servers that end -------------------------------------------------------


def test_a_server_goes_on_with_what_another_left(workspace):
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        cursor.execute(MAKE)
        cursor.execute("INSERT INTO g SELECT label, image_path FROM test")
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        wait_for(cursor)
        assert wrong(cursor) == []
        cursor.execute("SELECT count(e) FROM g")
        assert cursor.fetchall() == [(30,)]


def test_sqlalchemy_makes_and_reflects_it(workspace):
    engine = sa.create_engine(f"thanosql:///{workspace}")
    with engine.connect() as connection:
        dim = connection.execute(sa.text("SELECT dim FROM thanosql.models")).scalar()
    metadata = sa.MetaData()
    table = sa.Table(
        "s",
        metadata,
        sa.Column("id", sa.Integer),
        sa.Column("image_path", Picture()),
        sa.Column("e", Vector(dim), sa.Computed("embed_image('m', image_path)")),
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"id": 1, "image_path": "a.jpg"}])
    (*_, column) = sa.inspect(engine).get_columns("s")
    assert column["computed"] == {
        "sqltext": "embed_image('m', image_path)",
        "persisted": True,
    }
    other = sa.Table("d", sa.MetaData(), sa.Column("a", sa.Integer, sa.Computed("1")))
    with pytest.raises(sa.exc.CompileError, match="make a view"):
        other.create(engine)
    engine.dispose()


# ---- Servers that are killed ------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_server_killed_while_it_embeds_leaves_nothing_half_done(
    seed, workspace, fork_server
):
    chance = random.Random(seed)
    server = fork_server(workspace)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(MAKE)
        pictures = paths(cursor) + paths(cursor, "train")
    rows = 0
    for _ in range(2):
        with server.connect() as connection, connection.cursor() as cursor:
            for _ in range(12):  # the server embeds while more is written
                row = [rows % 7, chance.choice(pictures)]
                cursor.execute("INSERT INTO g VALUES (?, ?)", row)
                rows += 1
                if chance.random() < 0.3:
                    change = [chance.choice(pictures), chance.randrange(7)]
                    cursor.execute("UPDATE g SET image_path = ? WHERE id = ?", change)
            time.sleep(chance.random() * 0.6)
            assert server.kill() == -9
        server = fork_server(workspace)
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM g")
            assert cursor.fetchall() == [(rows,)]
            # What is there is right, though not all of it is there yet.
            cursor.execute(
                "SELECT count(*) FROM g WHERE e IS NOT NULL AND "
                "cosine_similarity(e, embed_image('m', image_path)) < 0.9999"
            )
            assert cursor.fetchall() == [(0,)]
    with server.connect() as connection, connection.cursor() as cursor:
        wait_for(cursor)
        assert wrong(cursor) == []
    # What was saved goes just after the commit that nobody waits for any more.
    saved = workspace / ".thanosql" / "unfinished"
    deadline = time.monotonic() + 10
    while list(saved.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    server.kill()
    assert list(saved.iterdir()) == []
