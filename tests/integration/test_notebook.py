"""The image search tutorial, cell by cell, in a Jupyter kernel."""

import base64
import io
import queue
import shutil
from functools import partial

import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

from tests.fix_workspace import TEST
from tests.jupyter import PATIENCE, displayed, execute, frame, said
from tests.media_files import write_wav, write_webm

pytestmark = pytest.mark.usefixtures("jupyter")

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
    "into": f"%%thanosql -o found\nSELECT * FROM mnist_test LIMIT {TEST - 1}",
    "variable": "found.shape",
    "line": "count = %thanosql SELECT count(*) AS n FROM mnist_test\nint(count.n[0])",
    "second": "import thanosql\nlab = thanosql.connect('lab')",
    "conn": "%%thanosql --conn lab\nLIST TABLE",
    "hear": "%%thanosql\nPRINT AUDIO AS SELECT 'a.wav' AS audio_path",
    "see": "%%thanosql\nPRINT VIDEO AS SELECT * FROM (VALUES ('a.webm'), ('b.avi')) "
    "AS t (video_path)",
    "mistake": "%%thanosql\nSELECT lable FROM mnist_test",
    "inputs": "'\\n'.join(In)",
}


@pytest.fixture(scope="module")
def outputs(digits, jupyter, tmp_path_factory):
    """The outputs of each cell of `CELLS`, in a folder with drawn digits."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copytree(digits / "tutorial_data", folder / "tutorial_data")
    write_wav(folder / "a.wav")
    write_webm(folder / "a.webm")
    (folder / "b.avi").write_bytes(b"RIFF")
    shown = execute(CELLS.values(), folder, allow_errors=True)
    return dict(zip(CELLS, shown, strict=True))


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
    assert frame(outputs["convert"]).count("<tr") == 1 + TEST


def test_a_search_says_so_and_adds_its_column(outputs):
    assert said(outputs["search"]) == ["Searching..."]
    assert f"<th>{MODEL}_simclr_similarity1</th>" in frame(outputs["search"])


def test_printed_pictures_stand_below_their_paths(outputs):
    first, *rest = said(outputs["print"])
    assert first == "Searching..."
    assert rest[0] == QUERY
    assert len(rest) == 4
    shown = displayed(outputs["print"])
    assert [o.metadata["image/jpeg"]["width"] for o in shown] == [240] * 4
    for output in shown:
        data = base64.b64decode(output.data["image/jpeg"])
        assert Image.open(io.BytesIO(data)).size == (28, 28)
    kinds = [o.output_type for o in outputs["print"][-8:]]
    assert kinds == ["stream", "display_data"] * 4


def test_rows_go_into_variables(outputs):
    assert outputs["into"] == []
    [shape] = outputs["variable"]
    assert shape.data["text/plain"] == f"({TEST - 1}, 4)"
    [count] = outputs["line"]
    assert count.data["text/plain"] == str(TEST)


def test_a_cell_can_use_another_server(outputs):
    # The other workspace has no tables.
    assert frame(outputs["conn"]).count("<tr") == 1


def test_printed_sounds_and_videos_can_be_played(outputs):
    assert said(outputs["hear"]) == ["a.wav"]
    [sound] = displayed(outputs["hear"])
    assert "<audio" in sound.data["text/html"]
    assert "data:audio/wav;base64," in sound.data["text/html"]
    assert said(outputs["see"]) == [
        *("a.webm", "b.avi", "(browsers do not play this kind of video)")
    ]
    [video] = displayed(outputs["see"])
    assert 'src="data:video/webm;base64,' in video.data["text/html"]
    assert 'width="240"' in video.data["text/html"]


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
