"""A workspace with drawn digits and a model trained on them, and servers for it."""

import csv
import shutil

import pytest

import thanosql
from thanosql_server.digits import write_digits

DIGITS = "tutorial_data/mnist_data"
TRAIN, TEST = 60, 30


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with `tutorial_data/mnist_data`, as the tutorials have it."""
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder / DIGITS, DIGITS, "train", TRAIN, seed=0)
    write_digits(folder / DIGITS, DIGITS, "test", TEST, seed=1_000_000)
    return folder


@pytest.fixture(scope="session")
def trained(digits):
    """A workspace with the tables `train` and `test` and the model `m`, one epoch."""
    with thanosql.connect(str(digits)) as connection, connection.cursor() as cursor:
        cursor.execute(f"COPY train FROM '{DIGITS}/mnist_train.csv'")
        cursor.execute(f"COPY test FROM '{DIGITS}/mnist_test.csv'")
        cursor.execute(
            "BUILD MODEL m USING SimCLR OPTIONS (max_epochs=1, image_size=16) "
            "AS SELECT * FROM train"
        )
    return digits


@pytest.fixture
def workspace(trained, tmp_path):
    """A copy of `trained` that a test may change."""
    copy = tmp_path / "workspace"
    shutil.copytree(trained, copy)
    return copy


@pytest.fixture
def connection(workspace):
    """A connection to a server inside this process that serves `workspace`."""
    with thanosql.connect(str(workspace)) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def empty_cursor(tmp_path):
    """A cursor on an empty workspace at `tmp_path`."""
    with thanosql.connect(str(tmp_path)) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def write_csv(tmp_path):
    """Return a function that writes rows of texts to a file in `tmp_path`."""

    def write(name, rows, **options):
        with (tmp_path / name).open("w", newline="", **options) as file:
            csv.writer(file).writerows(rows)
        return name

    return write
