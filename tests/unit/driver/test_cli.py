import csv
import io
import json
import signal
import subprocess
import sys

import pytest

import thanosql
from thanosql.cli import main


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == thanosql.__version__


def test_sql_prints_a_table(server, capsys):
    assert main(["sql", "NUMBERS: 2", "--url", server.url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "n | word",
        "--+-----",
        "0 | #0",
        "1 | NULL",
        "(2 rows)",
    ]


@pytest.mark.parametrize(("rows", "more"), [(3, False), (5, True)])
def test_a_long_table_says_that_there_is_more(server, capsys, rows, more):
    main(["sql", f"NUMBERS: {rows}", "--url", server.url, "--max-rows", "3"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("(first 3 rows; --max-rows shows more)" if more else "(3 rows)")


def test_sql_prints_csv(server, capsys):
    assert main(["sql", "NUMBERS: 5", "--url", server.url, "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[:3] == [["n", "word"], ["0", "#0"], ["1", ""]]
    assert len(rows) == 6


@pytest.mark.parametrize("count", [0, 5])
def test_sql_prints_json(server, capsys, count):
    statement = f"NUMBERS: {count}"
    assert main(["sql", statement, "--url", server.url, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["n"] for row in rows] == list(range(count))


def test_sql_reads_the_statement_from_the_input(server, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("NUMBERS: 1"))
    assert main(["sql", "-", "--url", server.url]) == 0
    assert "#0" in capsys.readouterr().out


def test_a_statement_without_rows_succeeds_silently_on_stdout(server, capsys):
    assert main(["sql", "INSERT", "--url", server.url]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Success, 1 row\n")


def test_warnings_are_printed_beside_the_result(server, capsys):
    assert main(["sql", "WARN", "--url", server.url]) == 0
    assert capsys.readouterr().err == (
        "Success\nwarning: 1 picture is bad\nnote: kept 2\n"
    )


def test_an_error_is_one_line_and_exit_code_1(server, capsys):
    assert main(["sql", "FAIL: table", "--url", server.url]) == 1
    printed = capsys.readouterr()
    assert printed.err == "error: there is no table 't'; did you mean 'tt'?\n"
    assert printed.out == ""


@pytest.mark.usefixtures("installed_server")
def test_a_folder_can_be_queried_without_a_running_server(tmp_path, capsys):
    assert main(["sql", "NUMBERS: 1", "--workspace", str(tmp_path)]) == 0
    assert "#0" in capsys.readouterr().out


@pytest.mark.usefixtures("installed_server")
def test_everything_after_serve_is_the_servers(capsys):
    assert main(["serve", "--workspace", "w", "--help"]) == 3
    assert capsys.readouterr().out == "serving --workspace w --help\n"


@pytest.mark.usefixtures("installed_server")
def test_demo_without_the_server_says_how_to_install_it(capsys):
    assert main(["demo"]) == 1
    assert "pip install 'thanosql-flight[server]'" in capsys.readouterr().err


def test_a_reader_that_stops_early_is_no_error(server):
    script = "import sys; from thanosql.cli import main; sys.exit(main())"
    arguments = ["sql", "NUMBERS: 60000", "--url", server.url, "--format", "csv"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_ctrl_c_stops_the_statement_on_the_server(server):
    script = "import sys; from thanosql.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "sql", "ENDLESS", "--url", server.url],
        stderr=subprocess.PIPE,
    )
    assert server.running.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == b"cancelled\n"
    process.stderr.close()
    assert process.wait() == 130
    assert server.stopped.wait(10)
