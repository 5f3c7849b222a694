import atexit
import builtins
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

import thanosql
from thanosql import notebook, notebook_media, notebook_output

SECRET = "t0k3n-of-no-one"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """An IPython shell in an empty folder, with the extension loaded."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("THANOSQL_URL", "THANOSQL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    # A shell puts itself into builtins, the display hook and the module __main__.
    hook, main = sys.displayhook, sys.modules["__main__"]
    config = Config()
    config.HistoryManager.hist_file = str(tmp_path / "history.sqlite")
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "thanosql")
    yield shell
    shell.run_line_magic("unload_ext", "thanosql")
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    InteractiveShell.clear_instance()
    sys.displayhook, sys.modules["__main__"] = hook, main
    for name in ("get_ipython", "display", "__IPYTHON__"):
        vars(builtins).pop(name, None)


@pytest.fixture
def run(shell):
    """Return a function that runs a cell and returns its result, texts and pictures."""

    def run(cell):
        with capture_output() as captured:
            outcome = shell.run_cell(cell, store_history=True)
        error = outcome.error_before_exec or outcome.error_in_exec
        text = captured.stdout.partition("Out[")[0]
        return Ran(outcome.result, text, captured.outputs, error)

    return run


class Ran:
    def __init__(self, result, text, outputs, error):
        self.result, self.text, self.outputs, self.error = result, text, outputs, error
        self.pictures = [o.data for o in outputs if "image/png" in o.data]


@pytest.fixture
def tiny(run, server):
    """Connect the notebook to the tiny server; return `run`."""
    assert run(f"%thanosql {server.url}").text == f"Connected to {server.url}\n"
    return run


def picture(path, form="PNG"):
    Image.new("RGB", (2, 2), "red").save(path, form)


# ---- What a magic's line says ------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SELECT 1", notebook.Request("SELECT 1")),
        ("-o df SELECT 1", notebook.Request("SELECT 1", variable="df")),
        ("--out=df  SELECT '-o x'", notebook.Request("SELECT '-o x'", variable="df")),
        (
            "--conn lab -o df SELECT 1",
            notebook.Request("SELECT 1", variable="df", connection="lab"),
        ),
        ("-- only a comment", notebook.Request("-- only a comment")),
    ],
)
def test_options_come_before_the_statement(line, expected):
    assert notebook.parse(line) == expected


def test_the_line_of_a_cell_begins_its_statement():
    assert notebook.parse("", "SELECT 1\n").text == "SELECT 1\n"
    assert notebook.parse("-o df", "SELECT 1\n").text == "SELECT 1\n"
    assert notebook.parse("SELECT", "1").text == "SELECT\n1"


@pytest.mark.parametrize("line", ["-x df", "--con lab SELECT 1", "-o"])
def test_an_unknown_option_is_refused(line):
    with pytest.raises(thanosql.InterfaceError, match="the options are -o NAME"):
        notebook.parse(line)


def test_a_variable_needs_a_name_of_python():
    with pytest.raises(thanosql.InterfaceError, match="not '1st'"):
        notebook.parse("-o 1st SELECT 1")


@pytest.mark.parametrize(
    "text",
    ["grpc://h:1", "thanosql:///./ws", "./ws", "../ws", "/srv/ws", "~/ws", ".", ".."],
)
def test_an_address_is_told_from_a_statement(text):
    assert notebook._is_address(text)


@pytest.mark.parametrize(
    "text", ["SELECT 1", "LIST", "/*x*/", "(SELECT 1)", "grpc://h:1 SELECT", "..."]
)
def test_a_statement_is_told_from_an_address(text):
    assert not notebook._is_address(text)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("-- first\nbuild  model m USING SimCLR AS SELECT 1", "Building model..."),
        ("SELECT * FROM (\n SEARCH IMAGE image='a' USING m AS t)", "Searching..."),
        ("SELECT 'SEARCH IMAGE', \"search text\" -- SEARCH IMAGE", None),
        ("COPY t FROM 'BUILD MODEL'", None),
    ],
)
def test_slow_statements_are_announced(statement, words):
    assert notebook_output.announcement(statement) == words


# ---- In a folder without a server --------------------------------------


def test_the_folder_of_the_notebook_is_the_workspace(run):
    first = run("%thanosql CREATE TABLE t AS SELECT 7 AS n")
    assert first.text == (
        "No server is named, so this folder is the workspace\nSuccess\n"
    )
    assert first.result is None
    assert Path(".thanosql").is_dir()
    second = run("df = %thanosql SELECT n FROM t\ndf")
    assert second.text == ""
    assert second.result.to_dict("list") == {"n": [7]}


def test_a_cell_is_one_statement_and_goes_into_a_variable(run, shell):
    ran = run("%%thanosql -o numbers\nSELECT *\nFROM (VALUES (1), (2)) AS t(n)\n")
    assert (ran.result, ran.error) == (None, None)
    assert isinstance(shell.user_ns["numbers"], pandas.DataFrame)
    assert shell.user_ns["numbers"]["n"].tolist() == [1, 2]


def test_pictures_are_shown_below_their_paths(run, shell):
    picture("a.png")
    picture("b.bmp", "BMP")
    Path("c.png").write_text("no picture at all")
    Path("t.csv").write_text("n,image_path\n1,a.png\n2,b.bmp\n3,c.png\n4,d.png\n5,\n")
    run("%thanosql COPY t FROM 't.csv'")
    ran = run("%thanosql PRINT IMAGE AS SELECT * FROM t ORDER BY n")
    assert ran.result is None
    lines = ran.text.splitlines()
    assert lines[:5] == [
        *("a.png", "b.bmp", "c.png", "(the picture cannot be shown)", "d.png")
    ]
    assert lines[5:7] == ["(no file)", "(no file)"]
    assert lines[7].startswith("Warning: ")
    assert "d.png" in lines[7]
    assert len(ran.pictures) == 2
    kinds = [o.metadata["image/png"] for o in ran.outputs]
    assert kinds == [{"width": 240, "alt": path} for path in ("a.png", "b.bmp")]

    run("%thanosql -o kept PRINT IMAGE AS SELECT * FROM t WHERE n = 1")
    assert shell.user_ns["kept"].columns.tolist() == ["n", "image_path", "picture"]


def test_no_more_pictures_are_shown_than_a_notebook_can_hold(run):
    picture("a.png")
    ran = run(
        "%thanosql PRINT IMAGE AS SELECT 'a.png' AS image_path "
        "FROM generate_series(1, 1000)"
    )
    assert len(ran.pictures) == notebook_media.MAX_FILES
    assert ran.text.endswith("Only the first 100 pictures are shown; use LIMIT\n")


def test_an_error_is_one_line_without_frames(run):
    ran = run("%%thanosql\nSELECT lable\nFROM (SELECT 1 AS label)")
    sentence = "there is no column 'lable'; did you mean 'label'? (line 1, column 8)"
    assert ran.text.splitlines()[1:] == [f"ProgrammingError: {sentence}"]
    assert isinstance(ran.error, thanosql.ProgrammingError)


# ---- With a server -----------------------------------------------------


def test_rows_of_a_server_are_a_data_frame(tiny):
    frame = tiny("%thanosql NUMBERS: 4").result
    assert frame["n"].tolist() == [0, 1, 2, 3]


def test_a_statement_without_rows_says_success_and_its_warnings(tiny):
    assert tiny("%thanosql INSERT: x").text == "Success\n"
    assert tiny("%thanosql WARN: x").text == (
        "Success\nWarning: 1 picture is bad\nNote: kept 2\n"
    )


def test_an_error_while_rows_arrive_is_one_line(tiny):
    ran = tiny("%thanosql FAIL LATER: data")
    assert ran.text == "DataError: 'a.csv', line 7: expected 3 columns, found 2\n"


def test_an_address_of_the_environment_is_used(run, server, monkeypatch):
    monkeypatch.setenv("THANOSQL_URL", server.url)
    assert len(run("%thanosql NUMBERS: 2").result) == 2
    assert not Path(".thanosql").exists()


def test_a_cell_can_use_another_connection(run, shell, server):
    with thanosql.connect(server.url) as lab:
        shell.user_ns |= {"lab": lab, "url": server.url, "number": 1}
        assert len(run("%%thanosql --conn lab\nNUMBERS: 2").result) == 2
    assert len(run("%%thanosql --conn url\nNUMBERS: 3").result) == 3
    assert len(run(f"%%thanosql --conn {server.url}\nNUMBERS: 4").result) == 4
    for name in ("number", "nobody"):
        ran = run(f"%%thanosql --conn {name}\nNUMBERS: 4")
        assert ran.text == (
            "InterfaceError: --conn needs an address or a variable that holds one or a "
            f"connection; '{name}' is neither\n"
        )


def test_a_wrong_address_shows_at_once_and_stays(run):
    for cell in ("%thanosql grpc://127.0.0.1:1", "%thanosql SELECT 1"):
        ran = run(cell)
        assert isinstance(ran.error, thanosql.OperationalError)
        assert ran.text.startswith(
            "OperationalError: no server answers at grpc://127.0.0.1:1"
        )
        assert ran.text.count("\n") == 1


def test_nothing_to_run_is_explained(run):
    assert run("%thanosql").text == f"InterfaceError: {notebook.HELP}\n"


def test_an_interrupt_cancels_the_statement_on_the_server(tiny, server):
    def interrupt():
        server.running.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ran = tiny("%thanosql ENDLESS: x")
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.text == "KeyboardInterrupt: the statement was cancelled\n"
    assert server.stopped.wait(60)


# ---- Secrets -----------------------------------------------------------


@pytest.mark.parametrize(
    "cell", [f"%thanosql API_TOKEN={SECRET}", f"%thanosql API_TOKEN = '{SECRET}'"]
)
def test_a_token_is_neither_shown_nor_kept(run, shell, tmp_path, cell):
    run("1 + 1")
    assert run(cell).text == "API token is set\n"
    run("2 + 2")
    kept = [str(v) for k, v in shell.user_ns.items() if k.startswith(("_", "In"))]
    assert "API_TOKEN" in "".join(kept)
    assert SECRET not in "".join(kept)
    shell.history_manager.writeout_cache()
    with sqlite3.connect(tmp_path / "history.sqlite") as database:
        rows = database.execute("SELECT source, source_raw FROM history").fetchall()
    database.close()
    assert [raw for _, raw in rows] == [
        "1 + 1",
        cell.replace(SECRET, "..."),
        "2 + 2",
    ]
    assert SECRET not in str(rows)


def test_a_short_token_leaves_other_words_as_they_are(run, shell):
    run("%thanosql API_TOKEN=a")
    assert shell.user_ns["_i1"] == "%thanosql API_TOKEN=..."
    assert shell.user_ns["In"][1] == (
        "get_ipython().run_line_magic('thanosql', 'API_TOKEN=...')"
    )


def test_a_token_in_an_address_is_neither_shown_nor_kept(run, shell, installed_server):
    with thanosql.connect("./served"):
        [embedded] = installed_server
        host = embedded.location.removeprefix("grpc://")
        ran = run(f"%thanosql thanosql://me:{embedded.token}@{host}")
        assert ran.text == f"Connected to {embedded.location}\n"
        assert len(run("%thanosql NUMBERS: 1").result) == 1
    assert f"%thanosql thanosql://me:...@{host}" in shell.user_ns["_i1"]
    assert embedded.token not in "".join(shell.user_ns["In"])


def test_a_token_of_the_notebook_opens_a_server(run, shell, installed_server):
    with thanosql.connect("./served"):
        [embedded] = installed_server
        run(f"%thanosql {embedded.location}")
        run("%thanosql API_TOKEN=wrong")
        ran = run("%thanosql NUMBERS: 1")
        assert ran.text == "OperationalError: the token is missing or wrong\n"
        shell.user_ns["token"] = embedded.token
        run("%thanosql API_TOKEN=$token")
        assert len(run("%thanosql NUMBERS: 1").result) == 1


def test_a_token_that_no_server_can_have_does_not_disturb_a_folder(run):
    run("%thanosql API_TOKEN=<발급받은_API_TOKEN>")
    assert run("%thanosql SELECT 1 AS one").result["one"].tolist() == [1]


def test_an_empty_token_is_refused(run):
    assert run("%thanosql API_TOKEN=").text == (
        "InterfaceError: API_TOKEN= names no token\n"
    )


# ---- Loading -----------------------------------------------------------


def test_loading_again_closes_what_was_open(run, installed_server):
    run("%thanosql NUMBERS: 1")
    run("%reload_ext thanosql")
    assert installed_server[0].closed
    assert len(run("%thanosql NUMBERS: 1").result) == 1
    run("%unload_ext thanosql")
    assert installed_server[1].closed


def test_without_pandas_loading_says_what_to_install(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(thanosql.InterfaceError, match="pip install") as caught:
        notebook.load(shell)
    assert caught.value._render_traceback_() == [
        "InterfaceError: the notebook shows rows with pandas, which is not installed; "
        "pip install 'thanosql-flight[notebook]'"
    ]


def test_importing_the_module_imports_no_ipython():
    script = "import sys, thanosql.notebook; print('IPython' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
