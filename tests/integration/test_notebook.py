"""The image search tutorial, cell by cell, in a Jupyter kernel."""

import base64
import io
import queue
import shutil
from functools import partial

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

PATIENCE = 120
MODEL = "my_image_search_model"
QUERY = "tutorial_data/mnist_data/test/923.jpg"

# The statements of the tutorial of 2022-08-22, with its breaks and blanks.
# A blank at the end of a line, which editors and ruff take away.
_ = " "

CELLS = {
    "load": "%load_ext thanosql",
    "token": "%thanosql API_TOKEN=<발급받은_API_TOKEN>",
    "copy train": """%%thanosql
COPY mnist_train
OPTIONS(overwrite=True)
FROM "tutorial_data/mnist_data/mnist_train.csv"
""",
    "copy test": f"""%%thanosql
COPY mnist_test
OPTIONS(overwrite=True){_}
FROM "tutorial_data/mnist_data/mnist_test.csv"
""",
    "select": f"""%%thanosql
SELECT *{_}
FROM mnist_train{_}
LIMIT 5
""",
    "build": f"""%%thanosql
BUILD MODEL {MODEL}
USING SimCLR
OPTIONS (
    image_col="image_path",
    max_epochs=1,
    overwrite=True
    )
AS{_}
SELECT *{_}
FROM mnist_train
""",
    "convert": f"""%%thanosql
CONVERT USING {MODEL}
OPTIONS (
    table_name= "mnist_test",
    image_col="image_path"
    )
AS{_}
SELECT *{_}
FROM mnist_test

""",
    "search": f"""%%thanosql
SEARCH IMAGE images='{QUERY}'{_}
USING {MODEL}{_}
AS{_}
SELECT *{_}
FROM mnist_test
""",
    "print": f"""%%thanosql
PRINT IMAGE{_}
AS (
    SELECT image_path, {MODEL}_simclr_similarity1{_}
    FROM (
        SEARCH IMAGE images='{QUERY}'{_}
        USING {MODEL}{_}
        AS{_}
        SELECT *{_}
        FROM mnist_test
        )
    ORDER BY {MODEL}_simclr_similarity1 DESC{_}
    LIMIT 4
    )
""",
    # Not of the tutorial: what a person may do next.
    "mistake": "%%thanosql\nSELECT lable FROM mnist_test",
    "inputs": "'\\n'.join(In)",
}


@pytest.fixture(scope="module", autouse=True)
def jupyter(tmp_path_factory):
    """Keep what Jupyter and IPython write, and what they read, in a folder."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            patch.setenv(f"JUPYTER_{name}", str(home / name.lower()))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.delenv("THANOSQL_URL", raising=False)
        yield


@pytest.fixture(scope="module")
def outputs(digits, tmp_path_factory):
    """The outputs of each cell of `CELLS`, in a folder with drawn digits."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copytree(digits / "tutorial_data", folder / "tutorial_data")
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
    client = NotebookClient(
        notebook,
        timeout=PATIENCE,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    nbformat.validate(notebook)
    return {
        name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)
    }


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


def test_loading_and_the_token_say_no_secret(outputs):
    assert outputs["load"] == []
    assert said(outputs["token"]) == ["API token is set"]
    [inputs] = outputs["inputs"]
    assert "API_TOKEN=..." in inputs.data["text/plain"]
    assert "발급받은" not in inputs.data["text/plain"]


def test_statements_without_rows_say_success(outputs):
    assert said(outputs["copy train"])[-1] == "Success"
    assert said(outputs["copy test"]) == ["Success"]
    assert said(outputs["build"]) == ["Building model...", "Success"]


def test_rows_are_data_frames(outputs):
    assert said(outputs["select"]) == []
    html = frame(outputs["select"])
    for column in ("image_path", "filename", "label"):
        assert f"<th>{column}</th>" in html
    assert html.count("<tr") == 1 + 5
    assert f"<th>{MODEL}_simclr</th>" in frame(outputs["convert"])
    assert frame(outputs["convert"]).count("<tr") == 1 + 30


def test_a_search_says_so_and_adds_its_column(outputs):
    assert said(outputs["search"]) == ["Searching..."]
    assert f"<th>{MODEL}_simclr_similarity1</th>" in frame(outputs["search"])


def test_printed_pictures_stand_below_their_paths(outputs):
    first, *rest = said(outputs["print"])
    assert first == "Searching..."
    assert rest[0] == QUERY
    assert len(rest) == 4
    shown = [o for o in outputs["print"] if o.output_type == "display_data"]
    assert [o.metadata["image/jpeg"]["width"] for o in shown] == [240] * 4
    for output in shown:
        data = base64.b64decode(output.data["image/jpeg"])
        assert Image.open(io.BytesIO(data)).size == (28, 28)
    kinds = [o.output_type for o in outputs["print"][-8:]]
    assert kinds == ["stream", "display_data"] * 4


def test_an_error_is_one_line(outputs):
    [error] = outputs["mistake"]
    sentence = "there is no column 'lable'; did you mean 'label'? (line 1, column 8)"
    assert (error.ename, error.evalue) == ("ProgrammingError", sentence)
    assert error.traceback == [f"ProgrammingError: {sentence}"]


def test_an_interrupt_cancels_the_statement_and_the_kernel_goes_on(tmp_path):
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        # Without stop_on_error what comes right after an error is thrown away.
        run = partial(client.execute, store_history=False, stop_on_error=False)
        run("%load_ext thanosql")
        run("%thanosql SELECT 1 AS one")
        endless = run(
            "%thanosql SELECT count(*) FROM generate_series(1, 1000000) a "
            "CROSS JOIN generate_series(1, 1000000) b"
        )
        # It begins to run when its bar appears.
        wait_for(client, endless, "stream", lambda stream: "running" in stream["text"])
        manager.interrupt_kernel()
        error = wait_for(client, endless, "error")
        assert error["traceback"] == ["KeyboardInterrupt: the statement was cancelled"]
        result = wait_for(client, run("%thanosql SELECT 42 AS n"), "execute_result")
        assert "42" in result["data"]["text/plain"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def wait_for(client, request, kind, true=lambda content: True):
    """Return the content of the first message of a kind that answers a request."""
    while True:
        try:
            message = client.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            pytest.fail(f"waited {PATIENCE} s for a message of kind '{kind}'")
        if (
            message["parent_header"].get("msg_id") == request
            and message["msg_type"] == kind
            and true(message["content"])
        ):
            return message["content"]
