"""`thanosql serve`: what it prints, whom it lets in, what it may read, how it ends."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading

import pytest

import thanosql
from tests.integration.servers import wait_until
from thanosql_server.app import main


def fetch(connection, sql):
    with connection.cursor() as cursor:
        return cursor.execute(sql).fetchall()


@pytest.fixture
def folder(tmp_path):
    """A workspace with one file, beside another folder with one file."""
    for name in ("workspace", "beside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text(f"a\n{name}\n")
    return tmp_path


def test_a_server_prints_one_token_and_lets_nobody_in_without_it(serve, folder):
    server = serve(folder / "workspace")
    assert server.output.count("token: ") == 1
    assert len(server.token) >= 32
    assert server.location.startswith("grpc://127.0.0.1:")
    with server.connect() as connection:
        assert fetch(connection, "SELECT 1") == [(1,)]
    for user in (None, "somebody"):
        credentials = {"user": user, "password": server.token, "token": None}
        with server.connect(**credentials) as connection:
            assert fetch(connection, "SELECT 1") == [(1,)]
    for credentials in (
        {"token": "wrong"},
        {"token": server.token[:-1]},
        {"token": None},
        {"token": None, "user": "somebody", "password": "wrong"},
    ):
        with pytest.raises(thanosql.OperationalError) as caught:
            server.connect(**credentials)
        assert caught.value.sqlstate == "28000"
        assert "token" in str(caught.value)
        assert server.token not in str(caught.value)
    assert server.output.count(server.token) == 1


def test_a_server_listens_on_one_loopback_address_only(serve, folder):
    port = int(serve(folder / "workspace").location.rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port)).close()
    # Whoever listens everywhere answers at every address of the machine.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))


def test_the_options_of_a_server_are_followed(serve, folder):
    token = folder / "token"
    token.write_text("a-secret-of-mine\n")
    mounted = folder / "mounted"
    mounted.mkdir()
    (mounted / "data.csv").write_text("a\nmounted\n")
    allowed = folder / "beside"
    options = ["--token-file", token, "--allow-path", allowed]
    server = serve(folder / "workspace", *options, "--mount", f"/data={mounted}")
    assert "a-secret-of-mine" not in server.output
    assert "token: " not in server.output
    with pytest.raises(thanosql.OperationalError):
        server.connect(token="a-secret-of-min")
    with server.connect(token="a-secret-of-mine") as connection:
        for source, expected in {
            "data.csv": "workspace",
            f"{allowed}/data.csv": "beside",
            "../beside/data.csv": "beside",
            "/data/data.csv": "mounted",
        }.items():
            with connection.cursor() as cursor:
                cursor.execute("COPY t OPTIONS (overwrite=True) FROM ?", [source])
            assert fetch(connection, "SELECT a FROM t") == [(expected,)]
        for source in (f"{folder}/token", "/data/../token", "/etc/passwd"):
            with pytest.raises(thanosql.ProgrammingError, match="outside the folders"):
                connection.cursor().execute("COPY t FROM ?", [source])


def test_a_server_speaks_tls(serve, folder):
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not here to make a certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {key} "
        f"-out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    options = ["--tls-cert", certificate, "--tls-key", key]
    server = serve(folder / "workspace", *options)
    assert server.location.startswith("grpc+tls://127.0.0.1:")
    with server.connect(tls_root_certs=certificate) as connection:
        assert fetch(connection, "SELECT 1") == [(1,)]
    place = server.location.removeprefix("grpc+tls://")
    url = f"thanosql://me:{server.token}@{place}/?tls=true"
    with thanosql.connect(url, tls_root_certs=certificate) as connection:
        assert fetch(connection, "SELECT 1") == [(1,)]
    for location in (server.location, f"grpc://{place}"):
        with pytest.raises(thanosql.OperationalError):
            thanosql.connect(location, token=server.token, connect_timeout=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_lets_a_statement_end(number, fork_server, folder):
    server = fork_server(folder / "workspace")
    slow = (
        "CREATE TABLE t AS SELECT count(*) AS n FROM generate_series(1, 20000) a "
        "JOIN generate_series(1, 20000) b ON a.value + b.value > 100"
    )
    counts = []
    with server.connect() as connection, connection.cursor() as cursor:
        begun = threading.Event()

        def run():
            cursor.execute(slow, progress=lambda _: begun.set())
            counts.append(cursor.rowcount)

        client = threading.Thread(target=run)
        client.start()
        wait_until(begun.is_set, "the statement to begin")
        server.signal(number)
        client.join()
    assert counts == [1]
    assert server.wait() == 0
    assert list((folder / "workspace" / ".thanosql" / "trash").iterdir()) == []
    with thanosql.connect(folder / "workspace") as connection:
        [(count,)] = fetch(connection, "SELECT n FROM t")
    # All pairs but the x + y <= 100, of which there are 99 * 100 / 2.
    assert count == 20_000**2 - 4950


def test_a_second_signal_ends_a_statement_that_takes_too_long(fork_server, folder):
    server = fork_server(folder / "workspace")
    endless = (
        "SELECT count(*) FROM generate_series(1, 10000000) a "
        "JOIN generate_series(1, 10000000) b ON a.value + b.value > 100"
    )
    failed = []
    with server.connect() as connection, connection.cursor() as cursor:
        begun = threading.Event()

        def run():
            with pytest.raises(thanosql.OperationalError) as caught:
                cursor.execute(endless, progress=lambda _: begun.set())
            failed.append(caught.value)

        client = threading.Thread(target=run)
        client.start()
        wait_until(begun.is_set, "the statement to begin")
        server.signal(signal.SIGTERM)
        wait_until(lambda: refuses_new_statements(server), "the server to stop")
        server.signal(signal.SIGTERM)
        client.join()
    assert len(failed) == 1
    assert server.wait() == 0


def refuses_new_statements(server):
    try:
        with server.connect() as connection:
            fetch(connection, "SELECT 1")
    except thanosql.OperationalError:
        return True
    return False


def test_two_servers_share_a_workspace(fork_server, folder):
    one, other = (fork_server(folder / "workspace") for _ in range(2))
    with one.connect() as first, other.connect() as second:
        with first.cursor() as cursor:
            cursor.execute("COPY t FROM 'data.csv'")
        assert fetch(second, "SELECT a FROM t") == [("workspace",)]
        one.kill()
        assert fetch(second, "SELECT a FROM t") == [("workspace",)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--token-file", "no-token"], "--token-file no-token: No such file"),
        (["--token-file", "empty"], "--token-file is empty; write a token into it"),
        (["--tls-cert", "empty"], "--tls-cert and --tls-key go together; give both"),
        (["--mount", "data=x"], "--mount takes /PREFIX=DIR, not 'data=x'"),
        (
            ["--tls-cert", "empty", "--tls-key", "empty"],
            "the server cannot listen at 'grpc+tls://127.0.0.1:0'; is the port taken, "
            "or the address not one of this machine, or the TLS certificate or its "
            "key unusable?",
        ),
    ],
)
def test_wrong_options_are_named(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    assert main(["--workspace", str(tmp_path / "w"), "--port", "0", *options]) == 1
    assert capsys.readouterr().err.startswith(f"thanosql serve: {sentence}")


def test_a_taken_port_is_named(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--workspace", str(tmp_path), "--port", str(port)]
        assert main(arguments) == 1
    said = capsys.readouterr().err
    assert f"the server cannot listen at 'grpc://127.0.0.1:{port}'" in said
    assert "is the port taken" in said


def test_a_workspace_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    workspace = tmp_path / "file" / "w"
    sentence = f"the workspace '{workspace}' cannot be used: Not a directory"
    assert main(["--workspace", str(workspace), "--port", "0"]) == 1
    assert capsys.readouterr().err == f"thanosql serve: {sentence}\n"
    with pytest.raises(thanosql.DataError) as caught:
        thanosql.connect(workspace)
    assert str(caught.value) == sentence


def test_an_unknown_setting_of_an_embedded_server_names_the_nearest(tmp_path):
    with pytest.raises(thanosql.InterfaceError) as caught:
        thanosql.connect(tmp_path, allowed_path=["/data"])
    expected = "unknown argument 'allowed_path'; did you mean 'allowed_paths'?"
    assert str(caught.value) == expected
