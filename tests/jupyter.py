"""Runs cells in a Jupyter kernel and reads what stands below them."""

from __future__ import annotations

import re

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

PATIENCE = 240
"""Seconds that a cell may take."""


def execute(sources, folder, *, allow_errors=False):
    """Run cells in a new kernel whose folder is `folder`; return the outputs of each.

    Raises:
        CellExecutionError: a cell failed, unless errors are allowed.
    """
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    execute_notebook(notebook, folder, allow_errors=allow_errors)
    return [cell.outputs for cell in notebook.cells]


def execute_notebook(notebook, folder, *, allow_errors=False):
    """Run a notebook, which then holds its outputs; see `execute`."""
    NotebookClient(
        notebook,
        timeout=PATIENCE,
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    nbformat.validate(notebook)


def said(outputs):
    """Return the lines that a cell printed."""
    streams = [o for o in outputs if o.output_type == "stream"]
    assert {o.name for o in streams} <= {"stdout"}
    lines = "".join(o.text for o in streams).split("\n")
    # What a progress bar wrote is overwritten from the beginning of its line.
    return [line.rpartition("\r")[2] for line in lines if line.rpartition("\r")[2]]


def frame(outputs):
    """Return the HTML of the one data frame that a cell shows."""
    [result] = [o for o in outputs if o.output_type == "execute_result"]
    assert '<table border="1" class="dataframe">' in result.data["text/html"]
    return result.data["text/html"]


def shape(html):
    """Return the columns and the number of rows of a data frame in HTML."""
    head, _, body = html.partition("</thead>")
    columns = re.findall("<th>(.+?)</th>", head)
    count = re.search(r"<p>(\d+) rows × (\d+) columns</p>", body)
    if count is None:
        return columns, body.count("<tr>")
    assert int(count[2]) == len(columns)
    return columns, int(count[1])


def displayed(outputs):
    """Return what a cell displays besides its value, in order."""
    return [o for o in outputs if o.output_type == "display_data"]
