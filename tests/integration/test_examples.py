"""The notebooks of `examples`: made of their texts, and run in Jupyter kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest

from tests import jupyter, seeds

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {
    "text_search_2022_05": 0,
    "text_search_2022_09": 1,
    "image_search_2022_08": 2,
    "image_search_2022_05": 3,
    "text_search_2022_08": 4,
}
"""Notebook -> the tutorial whose statements it has."""


def read(name):
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebooks_are_made_of_their_texts():
    spec = importlib.util.spec_from_file_location("build", EXAMPLES / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert {source.stem for source in build.sources()} == set(NAMES)
    for source in build.sources():
        made = source.with_suffix(".ipynb").read_text("utf-8")
        assert made == build.written(source), f"run examples/build.py: {source.name}"


@pytest.mark.skipif(not seeds.is_there(), reason=seeds.MISSING)
@pytest.mark.parametrize(("name", "number"), NAMES.items())
def test_a_notebook_has_the_statements_as_they_are_printed(name, number):
    printed = [cell.text for cell in seeds.cells(number)]
    sources = iter([cell.source for cell in code(read(name))])
    # In order, with cells of our own between them.
    assert all(text in sources for text in printed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which all notebooks run, as those of `examples` do."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.slow
@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, folder):
    notebook = read(name)
    jupyter.execute_notebook(notebook, folder)
    for cell in code(notebook):
        lines = jupyter.said(cell.outputs)
        assert not any(line.startswith("Warning") for line in lines)
        if "PRINT IMAGE" in cell.source:
            assert len(jupyter.displayed(cell.outputs)) >= 3
        elif "SELECT" in cell.source and not cell.source.startswith("%%thanosql -o"):
            assert cell.outputs
