"""GET and LIST THANOSQL through the driver, from hubs in folders and on servers."""

from __future__ import annotations

import shutil
import threading

import pytest

import thanosql
from tests.fix_workspace import DIGITS, TEST, TRAIN
from tests.hub_server import HubServer
from tests.integration.servers import wait_until
from thanosql_server.digits import write_digits
from thanosql_server.storage.hub_writer import write_manifest

DATA = "thanosql-dataset/mnist_data"
PRETRAINED = "tutorial_search_simclr"
OFFERED = [
    ("clip", "CLIP", None),
    ("clip_en", "CLIP", None),
    ("demo_clip", "CLIP", None),
    ("tutorial_search_clip", "CLIP", None),
    (PRETRAINED, "SimCLR", None),
]


@pytest.fixture(scope="module")
def hub(trained, tmp_path_factory):
    """A folder with the drawn digits as `mnist_data`, and the model trained on them."""
    folder = tmp_path_factory.mktemp("hub") / "tutorials"
    shutil.copytree(trained / DIGITS, folder / "datasets" / "mnist_data")
    for table in (folder / "datasets" / "mnist_data").glob("*.csv"):
        table.write_text(table.read_text().replace(DIGITS, DATA))
    [model] = (trained / ".thanosql" / "models" / "m").iterdir()
    shutil.copytree(model, folder / "models" / PRETRAINED)
    write_manifest(folder)
    return folder


@pytest.fixture
def server(hub):
    server = HubServer(hub)
    yield server
    server.close()


@pytest.fixture
def connect(tmp_path):
    """Return a function that opens an empty workspace with hubs."""
    opened = []

    def connect(*hubs):
        connection = thanosql.connect(tmp_path / "workspace", hubs=hubs)
        opened.append(connection)
        return connection.cursor()

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def cursor(connect, hub):
    return connect(str(hub))


@pytest.fixture
def remote(connect, server):
    return connect(server.address)


@pytest.fixture
def refused(request, tmp_path):
    """Return a function that runs what must fail, and gives back the sentence."""

    def run(cursor, sql):
        with pytest.raises(thanosql.Error) as caught:
            cursor.execute(sql).fetchall()
        text = str(caught.value)
        assert str(tmp_path) not in text
        assert "\n" not in text
        assert "Traceback" not in text
        return caught.value

    return run


def test_the_tutorial_begins_with_get(cursor, tmp_path):
    cursor.execute("GET THANOSQL DATASET mnist_data OPTIONS (overwrite=True)")
    assert cursor.description is None
    cursor.execute(f"COPY train FROM '{DATA}/mnist_train.csv'")
    assert cursor.rowcount == TRAIN
    cursor.execute(f"COPY test FROM '{DATA}/mnist_test.csv'")
    cursor.execute(
        f"GET THANOSQL MODEL {PRETRAINED} OPTIONS (overwrite=True) AS my_search"
    )
    cursor.execute("SELECT name, class_name FROM (LIST MODEL)")
    assert cursor.fetchall() == [("my_search", "SimCLR")]
    cursor.execute(
        "CONVERT USING my_search OPTIONS (table_name='test') AS SELECT * FROM test"
    )
    assert len(cursor.fetchall()) == TEST
    query = f"{DATA}/test/923.jpg"
    cursor.execute(
        "SELECT image_path FROM ("
        f"SEARCH IMAGE images='{query}' USING my_search AS SELECT * FROM test"
        ") ORDER BY my_search_simclr_similarity1 DESC LIMIT 1"
    )
    assert cursor.fetchall() == [(query,)]


def test_a_fetched_model_embeds_as_the_one_it_was_made_of(cursor, trained):
    cursor.execute(f"GET THANOSQL MODEL {PRETRAINED} OPTIONS (model_name='M')")
    cursor.execute("GET THANOSQL DATASET mnist_data")
    sql = "CONVERT USING m AS SELECT '{}/test/923.jpg' AS image_path"
    [(_, fetched)] = cursor.execute(sql.format(DATA)).fetchall()
    with thanosql.connect(trained) as connection, connection.cursor() as original:
        [(_, built)] = original.execute(sql.format(DIGITS)).fetchall()
    assert fetched == pytest.approx(built, abs=1e-5)


def test_all_that_hubs_have_is_listed(cursor):
    cursor.execute("LIST THANOSQL DATASET")
    assert [column[0] for column in cursor.description] == ["name", "data_type"]
    assert cursor.fetchall() == [
        ("digits_data", "image"),
        ("mnist_data", "image"),
        ("scenes_data", "image"),
        ("unsplash_data", "image"),
    ]
    cursor.execute("LIST THANOSQL MODEL")
    names = [column[0] for column in cursor.description]
    assert names == ["name", "class_name", "last_updated_utc"]
    assert cursor.fetchall() == OFFERED


def test_a_list_is_a_query(cursor):
    cursor.execute(
        "SELECT upper(l.name) FROM (LIST THANOSQL MODEL) l "
        "WHERE class_name = 'SimCLR' UNION ALL "
        "SELECT name FROM (LIST THANOSQL DATASET) WHERE name LIKE 'mnist%'"
    )
    assert sorted(cursor.fetchall()) == [(PRETRAINED.upper(),), ("mnist_data",)]
    cursor.execute("CREATE TABLE offers AS SELECT * FROM (LIST THANOSQL DATASET)")
    assert cursor.execute("SELECT count(*) FROM offers").fetchall() == [(4,)]


def test_a_server_is_a_hub(remote, server, tmp_path):
    server.behaviour.breaks["datasets/mnist_data/mnist_train.csv"] = [10]
    seen = []
    remote.execute("GET THANOSQL DATASET mnist_data", progress=seen.append)
    folder = tmp_path / "workspace" / DATA
    assert len(list(folder.rglob("*.jpg"))) == TRAIN + TEST
    remote.execute(f"GET THANOSQL MODEL {PRETRAINED}")
    remote.execute("SELECT name FROM (LIST MODEL)")
    assert remote.fetchall() == [(PRETRAINED,)]


@pytest.mark.parametrize(
    ("sql", "kind", "sentence"),
    [
        (
            "GET THANOSQL DATASET mnst_data",
            thanosql.ProgrammingError,
            "no hub has a data set 'mnst_data'; did you mean 'mnist_data'? "
            "(line 1, column 22)",
        ),
        (
            "GET THANOSQL MODEL nothing_alike",
            thanosql.ProgrammingError,
            "no hub has a model 'nothing_alike'; LIST THANOSQL MODEL shows what there "
            "is (line 1, column 20)",
        ),
        (
            "GET THANOSQL DATASET mnist_data AS other",
            thanosql.ProgrammingError,
            "a data set keeps its name; leave out AS (line 1, column 22)",
        ),
        (
            "GET THANOSQL DATASET mnist_data OPTIONS (overwrit=True)",
            thanosql.ProgrammingError,
            "GET THANOSQL DATASET has no option 'overwrit'; did you mean 'overwrite'? "
            "(line 1, column 42)",
        ),
        (
            "GET THANOSQL DATASET mnist_data OPTIONS (overwrite=1)",
            thanosql.DataError,
            "option 'overwrite' must be True or False, not 1 (line 1, column 42)",
        ),
        (
            f"GET THANOSQL MODEL {PRETRAINED} OPTIONS (model_name='a') AS b",
            thanosql.ProgrammingError,
            "the model cannot be called both 'a' and 'b'; leave out model_name or AS "
            "(line 1, column 52)",
        ),
        (
            f"GET THANOSQL MODEL {PRETRAINED} OPTIONS (model_name='{'n' * 200}')",
            thanosql.DataError,
            "the name of the model 'nnnnnnnnnnnnnnnnnnnn...' has 200 characters; at "
            "most 128 are possible (line 1, column 20)",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    cursor, refused, sql, kind, sentence
):
    error = refused(cursor, sql)
    assert (type(error), str(error)) == (kind, sentence)


def test_what_is_there_is_kept(cursor, refused):
    for sql, sentence in (
        ("DATASET mnist_data", "data set 'mnist_data' is at"),
        (f"MODEL {PRETRAINED}", f"model '{PRETRAINED}' already exists"),
    ):
        cursor.execute(f"GET THANOSQL {sql}")
        error = refused(cursor, f"GET THANOSQL {sql}")
        assert error.sqlstate == "42P07"
        assert str(error).startswith(sentence)
        assert "overwrite=True" in str(error)
        cursor.execute(f"GET THANOSQL {sql} OPTIONS (overwrite=True)")


def test_a_hub_that_is_down_is_one_sentence(remote, server, refused, tmp_path):
    server.close()
    error = refused(remote, "GET THANOSQL DATASET nowhere_else")
    assert type(error) is thanosql.OperationalError
    assert error.sqlstate == "HV00N"
    assert str(error) == (
        f"hub.toml cannot be fetched from the hub {server.address}: "
        "nothing answers at this address (line 1, column 22)"
    )
    assert not (tmp_path / "workspace" / "thanosql-dataset").exists()
    remote.execute("LIST THANOSQL DATASET")
    names = [name for name, _ in remote.fetchall()]
    assert names == ["digits_data", "mnist_data", "scenes_data", "unsplash_data"]
    [warning] = remote.warnings
    assert "nothing answers at this address" in warning


def test_a_get_whose_server_is_killed_goes_on_from_where_it_was(
    fork_server, server, connect, tmp_path
):
    path = f"models/{PRETRAINED}/weights.safetensors"
    server.behaviour.silent.add(path)
    killed = fork_server(tmp_path / "workspace", "--hub", server.address)

    def get():
        with killed.connect() as connection, pytest.raises(thanosql.Error):
            connection.cursor().execute(f"GET THANOSQL MODEL {PRETRAINED}")

    client = threading.Thread(target=get)
    client.start()
    downloads = tmp_path / "workspace" / ".thanosql" / "downloads"
    wait_until(lambda: list(downloads.glob("*/files/config.json")), "the first file")
    killed.kill()
    client.join()
    server.behaviour.silent.clear()
    cursor = connect(server.address)
    assert cursor.execute("LIST MODEL").fetchall() == []
    cursor.execute(f"GET THANOSQL MODEL {PRETRAINED}")
    assert len(cursor.execute("LIST MODEL").fetchall()) == 1
    assert len(server.behaviour.asked(f"models/{PRETRAINED}/config.json")) == 1
    assert list(downloads.iterdir()) == []


def test_a_lie_about_a_hash_leaves_the_model_as_it_was(remote, server, refused):
    remote.execute(f"GET THANOSQL MODEL {PRETRAINED} AS m")
    before = remote.execute("LIST MODEL").fetchall()
    path = f"models/{PRETRAINED}/weights.safetensors"
    size = (server.behaviour.folder / path).stat().st_size
    server.behaviour.content[path] = bytes(size)
    error = refused(
        remote, f"GET THANOSQL MODEL {PRETRAINED} OPTIONS (overwrite=True) AS m"
    )
    assert type(error) is thanosql.DataError
    assert "its SHA-256 is another; nothing was changed" in str(error)
    assert remote.execute("LIST MODEL").fetchall() == before


def test_statements_are_described_without_asking_a_hub(remote, server):
    remote.execute("SHOW TABLES").fetchall()
    remote.execute("SELECT count(*) FROM information_schema.columns").fetchall()
    assert server.behaviour.requests == []


def test_without_a_hub_there_are_scenes_and_a_model_for_them(connect, monkeypatch):
    monkeypatch.setattr("thanosql_server.storage.hub_built_in.SCENES", 10)
    cursor = connect()
    cursor.execute("GET THANOSQL DATASET scenes_data")
    cursor.execute("COPY scenes FROM 'thanosql-dataset/scenes_data/scenes.csv'")
    assert cursor.rowcount == 10
    cursor.execute("GET THANOSQL MODEL demo_clip AS tutorial_search_clip")
    cursor.execute("CONVERT USING tutorial_search_clip AS SELECT * FROM scenes")
    names = [column[0] for column in cursor.description]
    assert names[-1] == "tutorial_search_clip_clipen"
    assert all(row[-1] is not None for row in cursor.fetchall())


def test_a_hub_is_given_on_the_command_line(serve, hub, tmp_path):
    server = serve(tmp_path / "workspace", "--hub", str(hub))
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("LIST THANOSQL MODEL")
        assert cursor.fetchall() == OFFERED


def test_a_location_that_is_none_is_refused_at_the_start(tmp_path):
    with pytest.raises(thanosql.Error, match="is no folder and no address of a hub"):
        thanosql.connect(tmp_path, hubs=["http://"])


def test_a_model_that_a_hub_has_is_fetched_at_first_use_if_that_is_allowed(tmp_path):
    write_digits(tmp_path / "digits", "digits", "test", 3, seed=0)
    convert = "CONVERT USING demo_clip AS SELECT * FROM digits"
    with thanosql.connect(tmp_path) as connection, connection.cursor() as cursor:
        cursor.execute("COPY digits FROM 'digits/mnist_test.csv'")
        with pytest.raises(thanosql.ProgrammingError) as caught:
            cursor.execute(convert)
    assert str(caught.value) == (
        "there is no model 'demo_clip'; GET THANOSQL MODEL demo_clip fetches it "
        "(line 1, column 15)"
    )
    with (
        thanosql.connect(tmp_path, fetch_models=True) as connection,
        connection.cursor() as cursor,
    ):
        table = cursor.execute(convert).fetch_arrow_table()
        assert table.column("demo_clip_clipen").null_count == 0
        assert cursor.execute("LIST MODEL").fetchall()[0][0] == "demo_clip"
        with pytest.raises(thanosql.ProgrammingError, match="'nobody'"):
            cursor.execute("CONVERT USING nobody AS SELECT * FROM digits")
