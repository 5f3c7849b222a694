import pytest

from tests.unit.sql.pairs import statements
from thanosql_server.sql.nodes import (
    BuildModel,
    Copy,
    CreateTableUsing,
    SelectStatement,
)
from thanosql_server.sql.parser import parse

COUNTS = {0: 11, 1: 13, 2: 7, 3: 7, 4: 10}


def tutorial(number):
    return statements(f"tutorial_{number:03}.sql", "parses to")


ALL = [
    pytest.param(nodes, text, id=f"{number:03}-{place}")
    for number in COUNTS
    for place, (nodes, text) in enumerate(tutorial(number), 1)
]


@pytest.mark.parametrize(("nodes", "text"), ALL)
def test_statement_of_a_tutorial_parses_to_its_nodes(nodes, text):
    statement = parse(text)
    clauses = [clause for query in statement.queries for clause in query.walk()]
    found = [type(node).__name__ for node in (statement, *clauses)]
    assert found == nodes.split()


@pytest.mark.parametrize(("number", "count"), COUNTS.items())
def test_all_statements_of_a_tutorial_are_there(number, count):
    assert len(tutorial(number)) == count


def test_copy_of_tutorial_002_reads_table_option_and_path():
    copy = parse(tutorial(2)[0][1])
    assert isinstance(copy, Copy)
    assert copy.table.name == "mnist_train"
    assert dict(copy.options) == {"overwrite": True}
    assert copy.source == "tutorial_data/mnist_data/mnist_train.csv"


def test_build_of_tutorial_002_reads_model_family_and_options():
    build = parse(tutorial(2)[3][1])
    assert isinstance(build, BuildModel)
    assert (build.name, build.family) == ("my_image_search_model", "SimCLR")
    wanted = {"image_col": "image_path", "max_epochs": 1, "overwrite": True}
    assert dict(build.options) == wanted
    assert build.body.text.split() == ["SELECT", "*", "FROM", "mnist_train"]


def test_search_of_tutorial_002_reads_the_picture():
    statement = parse(tutorial(2)[5][1])
    assert isinstance(statement, SelectStatement)
    search = statement.query.clause
    assert search is not None
    assert [(item.kind, item.value) for item in search.items] == [
        ("image", "tutorial_data/mnist_data/test/923.jpg")
    ]
    assert not search.by_options


def test_create_of_tutorial_003_reads_the_folder_and_a_list():
    create = parse(tutorial(3)[2][1])
    assert isinstance(create, CreateTableUsing)
    assert create.options["file_type"] == (".jpg",)
    assert create.source.endswith("/train_data/")
