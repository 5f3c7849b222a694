"""CONVERT of a stored table: what has not changed is kept, and nothing done twice."""

from __future__ import annotations

import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import thanosql

CONVERT = "CONVERT USING m OPTIONS (table_name='test') AS SELECT * FROM test"
ROWS = 30


@pytest.fixture
def converted(cursor):
    """The table `test` with embeddings of `m`."""
    cursor.execute(CONVERT).fetchall()
    assert cursor.notes == []
    return vectors(cursor)


def vectors(cursor, table="test", column="m_simclr"):
    rows = cursor.execute(f"SELECT image_path, {column} FROM {table}").fetchall()
    return dict(rows)


def convert(cursor, statement=CONVERT):
    """Run it; return how many embeddings were kept."""
    cursor.execute(statement).fetchall()
    kept = [
        re.match(r"kept (\d+) of (\d+) embeddings, ", note) for note in cursor.notes
    ]
    return int(kept[0][1]) if kept else 0


def version(workspace, table="test"):
    folder = workspace / ".thanosql" / "tables" / f"{table}.lance" / "_versions"
    return sorted(path.name for path in folder.iterdir())


def redraw(workspace, path, seed=3):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(workspace / path)


def test_nothing_is_written_when_nothing_has_changed(cursor, workspace, converted):
    before = version(workspace)
    assert convert(cursor) == ROWS
    assert cursor.notes == [
        "kept 30 of 30 embeddings, whose pictures and model have not changed; "
        "refresh=True makes them anew"
    ]
    assert version(workspace) == before
    assert vectors(cursor) == converted


def test_only_a_changed_picture_is_embedded(cursor, workspace, converted):
    path = sorted(converted)[7]
    redraw(workspace, path)
    assert convert(cursor) == ROWS - 1
    after = vectors(cursor)
    assert [p for p in after if after[p] != converted[p]] == [path]
    fresh = cursor.execute("CONVERT USING m AS SELECT image_path FROM test").fetchall()
    assert dict(fresh).keys() == after.keys()
    for p, vector in fresh:
        np.testing.assert_allclose(after[p], vector, atol=1e-5)


def test_a_picture_with_another_time_is_looked_at_again(cursor, workspace, converted):
    os.utime(workspace / sorted(converted)[0], (1, 1))
    assert convert(cursor) == ROWS - 1


def test_only_new_rows_are_embedded(cursor, workspace, converted):
    redraw(workspace, "new.png")
    cursor.execute("INSERT INTO test (image_path, label) VALUES ('new.png', 1)")
    assert vectors(cursor)["new.png"] is None
    assert convert(cursor) == ROWS
    after = vectors(cursor)
    assert after.pop("new.png") is not None
    assert after == converted


def test_a_new_model_of_the_same_name_embeds_all(cursor, converted):
    cursor.execute(
        "BUILD MODEL m USING SimCLR OPTIONS (max_epochs=1, image_size=16, seed=5, "
        "overwrite=True) AS SELECT * FROM train"
    )
    assert convert(cursor) == 0
    after = vectors(cursor)
    assert all(after[path] != converted[path] for path in after)


def test_refresh_embeds_all(cursor, workspace, converted):
    before = version(workspace)
    refresh = CONVERT.replace("(", "(refresh=True, ")
    assert convert(cursor, refresh) == 0
    assert version(workspace) != before
    for path, vector in vectors(cursor).items():
        np.testing.assert_allclose(vector, converted[path], atol=1e-6)
    assert convert(cursor) == ROWS


def test_unreadable_pictures_are_tried_again(cursor, workspace, converted):
    path = sorted(converted)[3]
    whole = (workspace / path).read_bytes()
    (workspace / path).write_bytes(whole[:30])
    cursor.execute("INSERT INTO test (image_path) VALUES ('nowhere.png'), (NULL)")
    assert convert(cursor) == ROWS - 1
    [warning] = cursor.warnings
    assert warning.startswith("2 of 2 pictures could not be read and have no embedding")
    assert vectors(cursor)[path] is None
    before = version(workspace)
    assert convert(cursor) == ROWS - 1
    assert len(cursor.warnings) == 1
    assert version(workspace) == before
    fail = CONVERT.replace("(", "(on_error='fail', ")
    with pytest.raises(thanosql.DataError, match="cannot be read"):
        cursor.execute(fail)
    (workspace / path).write_bytes(whole)
    redraw(workspace, "nowhere.png")
    assert convert(cursor) == ROWS - 1
    assert cursor.warnings == []
    after = vectors(cursor)
    assert after.pop("nowhere.png") is not None
    assert after.pop(None) is None
    np.testing.assert_allclose(after[path], converted[path], atol=1e-6)


def test_a_column_given_by_hand_is_made_anew(cursor, converted):
    cursor.execute(
        "INSERT INTO test (image_path, m_simclr) SELECT image_path || '?', m_simclr "
        "FROM test LIMIT 1"
    )
    assert convert(cursor) == ROWS
    [gone] = [p for p in vectors(cursor) if p not in converted]
    assert vectors(cursor)[gone] is None


def test_columns_are_kept_apart(cursor, converted):
    other = CONVERT.replace("(", "(result_col='vec', ")
    assert convert(cursor, other) == 0
    assert convert(cursor, other) == ROWS
    assert convert(cursor) == ROWS
    cursor.execute("SELECT * FROM test")
    assert [column[0] for column in cursor.description][-2:] == ["m_simclr", "vec"]


def test_tables_made_by_other_statements_know_their_pictures(cursor, workspace):
    (workspace / "more").mkdir()
    redraw(workspace, "more/a.png", 1)
    redraw(workspace, "more/b.png", 2)
    cursor.execute("CREATE TABLE more USING m FROM 'more'")
    statement = CONVERT.replace("test", "more")
    before = version(workspace, "more")
    assert convert(cursor, statement) == 2
    assert version(workspace, "more") == before
    cursor.execute(
        "CONVERT USING m OPTIONS (table_name='half') AS SELECT image_path, label "
        "FROM test WHERE label < 5"
    )
    rows = len(cursor.fetchall())
    assert convert(cursor, CONVERT.replace("test", "half")) == rows
    # A copy by SQL has the embeddings, and nothing that says where they came from.
    cursor.execute("CREATE TABLE copied AS SELECT * FROM half")
    assert convert(cursor, CONVERT.replace("test", "copied")) == 0
    assert vectors(cursor, "copied").keys() == vectors(cursor, "half").keys()


def test_the_origins_are_not_seen(cursor, converted):
    names = ["image_path", "filename", "label", "m_simclr"]
    cursor.execute("SELECT * FROM test LIMIT 1")
    assert [column[0] for column in cursor.description] == names
    listed = (
        "SELECT column_name FROM information_schema.columns WHERE table_name='test'"
    )
    assert [name for (name,) in cursor.execute(listed).fetchall()] == names
    assert len(cursor.execute("DESCRIBE test").fetchall()) == len(names)
    cursor.execute("INSERT INTO test VALUES ('x.png', 'x', 1, NULL)")
    assert cursor.rowcount == 1
    cursor.execute("CREATE TABLE copied AS SELECT * FROM test")
    with pytest.raises(thanosql.ProgrammingError, match="_thanosql_origin_m_simclr"):
        cursor.execute("SELECT _thanosql_origin_m_simclr FROM test")
    cursor.execute("SELECT count(*) FROM test WHERE label IS NOT NULL OR label IS NULL")
    assert cursor.fetchall() == [(ROWS + 1,)]


# ---- Interrupted -------------------------------------------------------------

MANY = 3000


@pytest.fixture(scope="module")
def many(trained, tmp_path_factory):
    """A workspace with the table `many` of 3,000 pictures."""
    folder = tmp_path_factory.mktemp("many") / "workspace"
    shutil.copytree(trained, folder)
    rng = np.random.default_rng(8)
    (folder / "noise").mkdir()
    for number in range(MANY):
        pixels = rng.integers(0, 256, (20, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "noise" / f"{number:04}.png")
    with thanosql.connect(folder) as connection, connection.cursor() as cursor:
        cursor.execute("COPY many FROM 'noise'")
    return folder


STATEMENT = """CONVERT USING m
OPTIONS (table_name='many', batch_size=8)
AS SELECT * FROM many"""


def interrupt(cursor, stop, share):
    """Stop the CONVERT at a share of what it has to do; return how much was done.

    What the client sees lags behind, so the share must be small.
    """
    done = []

    def follow(progress):
        if progress.phase == "embedding":
            done.append(progress.done)
            if progress.done >= share * progress.total:
                stop()

    with pytest.raises(thanosql.Error):
        cursor.execute(STATEMENT, progress=follow)
    return max(done)


def saved(cursor):
    """Return how many embeddings the CONVERT found that did not end before."""
    text = r"went on from a CONVERT that did not end: (\d+) embeddings were saved"
    found = [re.match(text, note) for note in cursor.notes]
    return sum(int(match[1]) for match in found if match)


def check_whole(workspace, cursor):
    """Nothing is left of the interruption, and every embedding is right."""
    assert list((workspace / ".thanosql" / "unfinished").iterdir()) == []
    stored = vectors(cursor, "many")
    fresh = dict(
        cursor.execute("CONVERT USING m AS SELECT image_path FROM many").fetchall()
    )
    assert stored.keys() == fresh.keys()
    for path, vector in fresh.items():
        np.testing.assert_allclose(stored[path], vector, atol=1e-5)


def test_a_killed_convert_goes_on_from_where_it_was(many, tmp_path, fork_server):
    workspace = tmp_path / "workspace"
    shutil.copytree(many, workspace)
    before = version(workspace, "many")
    found = 0
    for _ in range(2):
        server = fork_server(workspace)
        with server.connect() as connection, connection.cursor() as cursor:
            done = interrupt(cursor, server.kill, 0.2)
        assert version(workspace, "many") == before
        found = max(found, done)
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        columns = cursor.execute("SELECT * FROM many LIMIT 1").fetch_arrow_table()
        assert "m_simclr" not in columns.schema.names
        cursor.execute(STATEMENT).fetchall()
        assert found <= saved(cursor) < MANY
        check_whole(workspace, cursor)


def test_a_cancelled_convert_goes_on_unless_all_is_to_be_new(many, tmp_path):
    workspace = tmp_path / "workspace"
    shutil.copytree(many, workspace)
    with thanosql.connect(workspace) as connection, connection.cursor() as cursor:
        done = interrupt(cursor, cursor.cancel, 0.2)
        changed = sorted((workspace / "noise").iterdir())[0]
        redraw(workspace, changed.relative_to(workspace))
        cursor.execute(STATEMENT).fetchall()
        assert done - 1 <= saved(cursor) < MANY
        check_whole(workspace, cursor)
        cursor.execute("DROP TABLE many")
        cursor.execute("COPY many FROM 'noise'")
        interrupt(cursor, cursor.cancel, 0.2)
        cursor.execute(STATEMENT.replace("(", "(refresh=True, ")).fetchall()
        assert saved(cursor) == 0
        check_whole(workspace, cursor)
