"""What cannot work: one clear sentence each, nothing half-written, still serving."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest

import thanosql
from tests.needs import NEEDS_HNSWLIB
from thanosql import DataError, ProgrammingError

QUERY = "tutorial_data/mnist_data/test/923.jpg"


def png_header(width, height):
    """Return a PNG that announces a size and has nearly no data."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    parts = chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return signature + b"".join(parts)


def write_bad_files(folder):
    good = (folder / QUERY).read_bytes()
    files = {
        "text.jpg": b"this is not a picture",
        "truncated.jpg": good[: len(good) // 2],
        "empty.jpg": b"",
        "huge.png": png_header(20_000, 20_000),
        "empty.csv": b"",
        "ragged.csv": b"a,b\n1,2\n3\n4,5\n",
        "latin.csv": "a\ncafé\n".encode("latin-1"),
        "twice.csv": b"a,a\n1,2\n",
        "fine.csv": b"a,b\n1,2\n",
        "junk.parquet": b"PAR1 and nothing else",
        "junk.json": b'{"a": 1}\n{"a": \n',
        "notes.docx": b"words",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "no_pictures").mkdir()
    (folder / "months").mkdir()
    (folder / "months" / "may.csv").write_text("id,price\n1,2\n")
    (folder / "months" / "june.csv").write_text("id,cost\n1,2\n")
    (folder / "kinds").mkdir()
    (folder / "kinds" / "a.csv").write_text("id\n1\n")
    (folder / "kinds" / "b.jsonl").write_text('{"id": 1}\n')
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("secret\n1\n")
    shutil.copy(folder / QUERY, outside / "secret.jpg")
    os.symlink(outside / "secret.csv", folder / "link.csv")
    os.symlink(outside / "secret.jpg", folder / "link.jpg")
    os.symlink(outside, folder / "link")
    (folder / "mixed.csv").write_text(
        "image_path,n\n"
        + "".join(
            f"{path},{n}\n"
            for n, path in enumerate(
                [
                    QUERY,
                    "missing.jpg",
                    "text.jpg",
                    "truncated.jpg",
                    "huge.png",
                    "empty.jpg",
                    "link.jpg",
                    "",
                    QUERY,
                ]
            )
        )
    )


@pytest.fixture(scope="module")
def bad_workspace(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad") / "workspace"
    shutil.copytree(trained, folder)
    write_bad_files(folder)
    return folder


@pytest.fixture(scope="module")
def connection(bad_workspace):
    with (
        thanosql.connect(bad_workspace) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "CONVERT USING m OPTIONS (table_name='test') AS SELECT * FROM test"
        )
        cursor.execute("COPY mixed FROM 'mixed.csv'")
        cursor.execute("CREATE INDEX taken ON test USING HNSW (m_simclr)")
        cursor.execute("CREATE TABLE nulls (label INT)")
        cursor.execute("INSERT INTO nulls VALUES (NULL)")
        cursor.execute(
            "CREATE TABLE keyed (id INT PRIMARY KEY, n INT, name TEXT UNIQUE)"
        )
        cursor.execute("INSERT INTO keyed VALUES (1, 1, 'a')")
        cursor.execute("CREATE VIEW eights AS SELECT * FROM test WHERE label = 8")
        cursor.execute("CREATE VIEW named AS SELECT filename FROM eights")
        cursor.execute(
            "CREATE TABLE kept (id INT, image_path IMAGE, "
            "e VECTOR GENERATED ALWAYS AS (embed_image('m', image_path)))"
        )
        cursor.execute("CREATE TABLE gone (a INT)")
        cursor.execute("CREATE VIEW broken AS SELECT * FROM gone")
        cursor.execute("DROP TABLE gone")
        yield connection


def state(cursor):
    """Return rows and columns of every table, and every model."""
    names = [name for (name,) in cursor.execute("LIST TABLE").fetchall()]
    tables = {}
    for name in names:
        count = cursor.execute(f'SELECT count(*) FROM "{name}"').fetchall()
        tables[name] = count, cursor.execute(f'DESCRIBE "{name}"').fetchall()
    return tables, cursor.execute("LIST MODEL").fetchall()


@pytest.fixture
def refused(cursor, bad_workspace):
    """Return a function that runs what must fail, and gives back the error."""
    before = state(cursor)

    def run(sql, parameters=None):
        with pytest.raises(thanosql.Error) as caught:
            cursor.execute(sql, parameters).fetchall()
        text = str(caught.value)
        assert "Traceback" not in text
        assert "File " not in text
        assert str(bad_workspace) not in text
        assert str(bad_workspace.parent) not in text
        assert "\n" not in text
        assert state(cursor) == before
        return caught.value

    yield run
    trash = bad_workspace / ".thanosql" / "trash"
    left = [path for folder in trash.iterdir() if folder.is_dir() for path in [folder]]
    assert [list(folder.iterdir()) for folder in left] == [[]]


def search(value, table="test", more=""):
    return f"SEARCH IMAGE images={value} USING m{more} AS SELECT * FROM {table}"


def refusals():
    """Yield the statements of refused/*.sql, each with the error that it must give.

    Each stands below two comments: class, SQLSTATE and position, if it has one, and
    what the sentence says.
    """
    for file in sorted(Path(__file__).with_name("refused").glob("*.sql")):
        for block in file.read_text("utf-8").split("\n\n")[1:]:
            kind, sentence, *statement = block.split("\n")
            sql = "\n".join(statement).rstrip("\n")
            name, sqlstate, *place = kind.removeprefix("-- ").split(" ")
            position = tuple(map(int, place[0].split(","))) if place else None
            error = getattr(thanosql, name), sqlstate, position
            sentence = sentence.removeprefix("-- ")
            marks = [NEEDS_HNSWLIB] if file.stem == "indexes" else []
            name = f"{file.stem}: {sql[:60]}"
            yield pytest.param(sql, error, sentence, id=name, marks=marks)


@pytest.mark.parametrize(("sql", "kind", "sentence"), list(refusals()))
def test_what_cannot_work_is_refused_in_one_sentence(sql, kind, sentence, refused):
    error = refused(sql)
    assert (type(error), error.sqlstate, error.position) == kind
    assert sentence in str(error)
    if error.position:
        line, column = error.position
        assert str(error).endswith(f"(line {line}, column {column})")


PARAMETERS = [
    ("SELECT ?", None, "the statement has 1 parameter, but 0 values were given"),
    ("SELECT ?", [], "the statement has 1 parameter, but 0 values were given"),
    ("SELECT 1", [1], "the statement has 0 parameters, but 1 value was given"),
    ("SELECT ?, ?", [1], "the statement has 2 parameters, but 1 value was given"),
    ("COPY t FROM ?", None, "the statement has 1 parameter, but 0 values were given"),
    ("SELECT * FROM test LIMIT ?", None, "the statement has 1 parameter"),
    ("INSERT INTO test (label) VALUES (?)", None, "the statement has 1 parameter"),
    (search("?"), [], "the statement has 1 parameter, but 0 values were given"),
    ("SELECT $1, ?", [1], "use either ? or $1, $2, ... for parameters, not both"),
    ("DROP TABLE ?", ["test"], "expected a table name, found '?'"),
    ("SELECT ?", "x", "parameters must be a sequence, one value per ?, not str"),
    ("SELECT ?", {"a": 1}, "the statement has no parameters by name"),
    ("SELECT '\ud800'", None, "the statement holds half of a surrogate pair"),
]


@pytest.mark.parametrize(("sql", "parameters", "sentence"), PARAMETERS)
def test_parameters_must_fit_the_statement(sql, parameters, sentence, refused):
    error = refused(sql, parameters)
    assert type(error) is ProgrammingError
    assert sentence in str(error)


VALUES = [
    (search("?"), [3], "SEARCH takes a text or the path of a picture, not 3"),
    (search("?"), [None], "SEARCH takes a text or the path of a picture, not None"),
    (search("?"), ["a\0.jpg"], "is not a path; it holds unusable characters"),
    ("COPY t FROM ?", [3], "FROM takes the path of a file or folder, not 3"),
    (
        "COPY t OPTIONS (overwrite=?) FROM 'fine.csv'",
        [1],
        "option 'overwrite' must be True or False, not 1",
    ),
    ("INSERT INTO test (label) VALUES (?)", ["x"], "'x'"),
    ("SELECT * FROM test WHERE label = ?", ["x"], "Cannot cast string 'x'"),
    ("SELECT ?", ["\ud800"], "parameter 1 cannot be sent"),
    ("SELECT ?", [object()], "parameter 1 is of the Python type 'object'"),
]


@pytest.mark.parametrize(("sql", "parameters", "sentence"), VALUES)
def test_values_of_parameters_are_checked(sql, parameters, sentence, refused):
    error = refused(sql, parameters)
    assert type(error) is DataError
    assert sentence in str(error)


def test_unreadable_pictures_have_no_embedding_and_are_counted_once(cursor):
    cursor.execute("CONVERT USING m AS SELECT n, image_path FROM mixed ORDER BY n")
    found = cursor.fetch_arrow_table()
    missing = [row["m_simclr"] is None for row in found.to_pylist()]
    assert missing == [False, *[True] * 7, False]
    [warning] = cursor.warnings
    assert warning == (
        "6 of 8 pictures could not be read and have no embedding: "
        "'missing.jpg' (no such file), 'text.jpg' (not a picture), "
        "'truncated.jpg' (truncated JPEG), ..."
    )


def test_unreadable_pictures_are_stored_as_null(cursor):
    cursor.execute("CREATE TABLE copied AS SELECT * FROM mixed")
    cursor.execute(
        "CONVERT USING m OPTIONS (table_name='copied') AS SELECT * FROM copied"
    )
    assert cursor.fetch_arrow_table().column("m_simclr").null_count == 7
    assert len(cursor.warnings) == 1
    cursor.execute("SELECT n FROM copied WHERE m_simclr IS NOT NULL ORDER BY n")
    assert cursor.fetchall() == [(0,), (8,)]
    cursor.execute("DROP TABLE copied")


def test_unreadable_pictures_are_printed_as_null(cursor):
    cursor.execute("PRINT IMAGE AS SELECT image_path FROM mixed WHERE n IN (0, 1, 6)")
    pictures = cursor.fetch_arrow_table().column("picture").to_pylist()
    assert [picture is None for picture in pictures] == [False, True, True]
    assert len(cursor.warnings) == 2


def test_training_counts_what_it_cannot_read(cursor):
    cursor.execute(
        "BUILD MODEL partly USING SimCLR OPTIONS (max_epochs=1, image_size=16) AS "
        "SELECT image_path FROM mixed"
    )
    [warning] = cursor.warnings
    assert warning.startswith("6 of 8 pictures could not be read and ")
    cursor.execute("SELECT pictures FROM thanosql.models WHERE name = 'partly'")
    assert cursor.fetchall() == [(2,)]
    cursor.execute("DELETE MODEL partly")


@pytest.mark.parametrize(
    "name", ['a"; DROP TABLE t', "../../escape", "Üben", "a b.lance", "SELECT", "%2e"]
)
def test_any_name_is_just_a_name(name, cursor, bad_workspace):
    before = state(cursor)
    quoted = '"' + name.replace('"', '""') + '"'
    cursor.execute(f"COPY {quoted} FROM 'fine.csv'")
    assert cursor.execute(f"SELECT * FROM {quoted}").fetchall() == [(1, 2)]
    assert (name,) in cursor.execute("LIST TABLE").fetchall()
    cursor.execute(f"INSERT INTO {quoted} VALUES (3, 4)")
    assert cursor.execute(f"SELECT sum(a) FROM {quoted}").fetchall() == [(4,)]
    cursor.execute(f"DROP TABLE {quoted}")
    assert state(cursor) == before
    assert not (bad_workspace.parent / "escape.lance").exists()


def test_a_damaged_table_breaks_nothing_else_and_can_be_dropped(cursor, bad_workspace):
    before = state(cursor)
    folder = bad_workspace / ".thanosql" / "tables" / "damaged.lance"
    cursor.execute("CREATE TABLE damaged AS SELECT * FROM train")
    for file in (folder / "data").iterdir():
        file.unlink()
    with pytest.raises(thanosql.DatabaseError) as caught:
        cursor.execute("SELECT * FROM damaged").fetchall()
    assert "table 'damaged'" in str(caught.value)
    assert str(bad_workspace) not in str(caught.value)
    for manifest in (folder / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"junk")
    with pytest.raises(thanosql.DatabaseError, match="'damaged'"):
        cursor.execute("SELECT * FROM damaged").fetchall()
    assert cursor.execute("SELECT count(*) FROM train").fetchall() == [(60,)]
    assert "train" in [row[2] for row in cursor.execute("SHOW TABLES").fetchall()]
    cursor.execute("DROP TABLE damaged")
    assert state(cursor) == before
