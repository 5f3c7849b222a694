"""The five tutorials as they are printed: through the driver, and in Jupyter.

The cells come from the tutorials themselves, see `tests.seeds`.
"""

from __future__ import annotations

import base64
import re
import shutil

import pytest

import thanosql
from tests import jupyter, seeds
from tests import tutorial_results as wanted
from tests.tutorial_results import SUCCESS, Rows

pytestmark = pytest.mark.skipif(not seeds.is_there(), reason=seeds.MISSING)

PATH_COLUMNS = {"image_path", "image", "filepath", "img_path"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with what the tutorials find made."""
    folder = tmp_path_factory.mktemp("tutorials")
    wanted.prepared(folder)
    return folder


@pytest.fixture
def workspace(drawn, tmp_path):
    copy = tmp_path / "workspace"
    shutil.copytree(drawn, copy)
    return copy


@pytest.mark.parametrize("number", seeds.NUMBERS)
def test_all_cells_of_the_tutorials_are_found(number):
    found = seeds.cells(number)
    assert len(found) == {0: 12, 1: 14, 2: 9, 3: 7, 4: 12}[number]
    statements = [cell for cell in found if cell.statement is not None]
    assert len(statements) == len(wanted.RESULTS[number])
    others = [cell.text.split()[0] for cell in found if cell.statement is None]
    assert set(others) <= {"%load_ext", "%thanosql"}


@pytest.mark.parametrize("number", seeds.NUMBERS)
def test_a_tutorial_runs_through_the_driver(number, workspace):
    settings = wanted.prepared(workspace)
    with thanosql.connect(workspace, **settings) as connection:
        cursor = connection.cursor()
        for statement in wanted.BEFORE[number]:
            cursor.execute(statement)
        results = iter(wanted.RESULTS[number])
        for cell in seeds.cells(number):
            if cell.statement is None:
                continue
            result, table = wanted.run(cursor, cell.statement)
            assert result == next(results), cell.words
            assert cursor.warnings == []
            if table is not None:
                check(cell, table, workspace)


def check(cell, table, workspace):
    """Check what holds for every result of its kind."""
    for name in table.schema.names:
        if name.endswith(("similarity1", "similarity_image1")):
            values = table.column(name).to_pylist()
            assert all(-1.001 <= value <= 1.001 for value in values)
            if "DESC" in cell.text:
                assert values == sorted(values, reverse=True)
                assert len(set(values)) > 1
        elif name.lower().endswith(("_clipen", "_simclr")):
            assert table.column(name).null_count == 0
    if "picture" in table.schema.names:
        [path_column] = PATH_COLUMNS.intersection(table.schema.names)
        paths = table.column(path_column).to_pylist()
        files = [(workspace / path.removeprefix("/")).read_bytes() for path in paths]
        assert table.column("picture").to_pylist() == files
        if query := re.search(r"images='(.*?)'", cell.text):
            # The picture that is searched for is among those that are searched.
            assert paths[0] == query[1]


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("number", seeds.NUMBERS)
def test_a_tutorial_runs_in_jupyter(
    number, workspace, fork_server, tmp_path, monkeypatch
):
    settings = wanted.prepared(workspace)
    [hub], [(prefix, home)] = settings["hubs"], settings["mounts"].items()
    server = fork_server(workspace, "--hub", hub, "--mount", f"{prefix}={home}")
    with server.connect() as connection:
        for statement in wanted.BEFORE[number]:
            connection.cursor().execute(statement)
    host = server.location.removeprefix("grpc://")
    # With a token of its own the address does not take the one that is printed.
    monkeypatch.setenv("THANOSQL_URL", f"thanosql://me:{server.token}@{host}")
    cells = seeds.cells(number)
    sources = [cell.text for cell in cells]
    if not any("%load_ext" in source for source in sources):
        # The one tutorial that leaves it out.
        sources.insert(0, "%load_ext thanosql")
    outputs = jupyter.execute(sources, tmp_path)[-len(cells) :]
    results = iter(wanted.RESULTS[number])
    for cell, shown in zip(cells, outputs, strict=True):
        if cell.statement is None:
            token = "API_TOKEN" in cell.text
            assert jupyter.said(shown) == ["API token is set"] * token
        else:
            check_shown(cell, shown, next(results))


def check_shown(cell, outputs, result):
    lines = jupyter.said(outputs)
    if "SEARCH IMAGE" in cell.text:
        assert lines.pop(0) == "Searching..."
    if "BUILD MODEL" in cell.text:
        assert lines.pop(0) == "Building model..."
    if result == SUCCESS:
        assert lines == ["Success"]
    elif not result.printed:
        if cell.number == 3 and "CONVERT" in cell.text:
            # The import of the folder has embedded these pictures already.
            assert lines.pop(0).startswith(f"Note: kept {result.count} of")
        assert lines == []
        columns, count = jupyter.shape(jupyter.frame(outputs))
        assert Rows(columns, count) == result
    else:
        pictures = [o.data["image/jpeg"] for o in jupyter.displayed(outputs)]
        assert len(lines) == len(pictures) == result.count
        assert all(line.endswith(".jpg") for line in lines)
        assert all(base64.b64decode(data)[:2] == b"\xff\xd8" for data in pictures)
